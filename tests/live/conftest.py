"""A Home Assistant and a simulated server as processes, for tests that use them as people do.

These need Home Assistant's frontend, which only the newest leg has.
"""

from collections.abc import AsyncGenerator, Generator
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path

from freezegun import api, freeze_time
import pytest

from tests.live.instance import Instance
from tests.live.simulator import SimulatorProcess

collect_ignore_glob = [] if find_spec("hass_frontend") else ["test_*.py"]

# Outside of the server's window, and on a day on which OptimizeDatabase is not due: during that
# task it would be silent for the rest of the test.
NOW = "2026-11-24T12:00"

NOON = 12
"""The hour in the time zone of Home Assistant."""


@pytest.fixture(autouse=True)
def _machine_clock() -> Generator[None]:
    """Have the time that the processes have."""
    with freeze_time(api.real_datetime.now(UTC), tick=True):
        yield


@pytest.fixture
async def simulator(tmp_path: Path, socket_enabled: None) -> AsyncGenerator[SimulatorProcess]:
    """A server called Attic whose time stands still until a test moves it."""
    options = ("--name", "Attic", "--speed", "0", "--now", NOW)
    simulated = SimulatorProcess(tmp_path / "simulator.log", *options)
    try:
        await simulated.start()
        yield simulated
    finally:
        await simulated.stop()


@pytest.fixture
async def instance(tmp_path: Path, socket_enabled: None) -> AsyncGenerator[Instance]:
    """A new Home Assistant that logs everything, where it is between noon and one o'clock.

    No maintenance window begins or ends there during a test.
    """
    # These names have their sign the other way round: hours west of Greenwich.
    time_zone = f"Etc/GMT{datetime.now(UTC).hour - NOON:+}"
    home_assistant = Instance(tmp_path / "config", level="debug", time_zone=time_zone)
    try:
        await home_assistant.start()
        yield home_assistant
    finally:
        await home_assistant.stop()
