"""A Home Assistant and a simulated server as processes, for tests that use them as people do.

These need Home Assistant's frontend, which only the newest leg has.
"""

from collections.abc import AsyncGenerator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.live.instance import Instance
from tests.live.simulator import SimulatorProcess

collect_ignore_glob = [] if find_spec("hass_frontend") else ["test_*.py"]


@pytest.fixture
async def simulator(tmp_path: Path, socket_enabled: None) -> AsyncGenerator[SimulatorProcess]:
    """A server called Attic that lives twenty times as fast as a real one."""
    simulated = SimulatorProcess(tmp_path / "simulator.log", "--name", "Attic", "--speed", "20")
    try:
        await simulated.start()
        yield simulated
    finally:
        await simulated.stop()


@pytest.fixture
async def instance(tmp_path: Path, socket_enabled: None) -> AsyncGenerator[Instance]:
    """A new Home Assistant that logs everything."""
    home_assistant = Instance(tmp_path / "config", level="debug")
    try:
        await home_assistant.start()
        yield home_assistant
    finally:
        await home_assistant.stop()
