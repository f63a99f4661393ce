"""Plex's own log in a real Home Assistant: a night in which Plex does everything by itself."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from tests.live.conftest import NOON
from tests.live.instance import Instance
from tests.live.simulator import SimulatorProcess
from tests.live.steps import AT_REST, DOMAIN, USER, add_server, complaints

pytestmark = pytest.mark.live

MAINTENANCE: Final = "binary_sensor.attic_maintenance"
GOOD_BACKUP: Final = "sensor.attic_last_good_backup"
PRIVATE: Final = ("Private", "192.168.1.17", "/mnt/films")


@pytest.fixture
async def night(tmp_path: Path, socket_enabled: None) -> AsyncGenerator[SimulatorProcess]:
    """A server just before its window, which is open now by the clock of Home Assistant.

    All is due on such a day.
    """
    hour = NOON - 1
    opens = datetime(2026, 11, 24, hour)
    # Of three days and of seven, each is one on which everything is due.
    while opens.toordinal() % 21:
        opens += timedelta(days=1)
    options = (
        "--name",
        "Attic",
        "--speed",
        "0",
        "--nightly",
        "--now",
        str(opens - timedelta(minutes=90)),
    )
    simulated = SimulatorProcess(tmp_path / "simulator.log", *options)
    try:
        await simulated.start()
        window = {"ButlerStartHour": hour, "ButlerEndHour": hour + 5}
        await simulated.control("POST", "/preferences", window)
        quick = {"name": "OptimizeDatabase", "duration": 60}
        await simulated.control("POST", "/profile", quick)
        # The window that it had at its start is closed now.
        await simulated.advance(3600)
        yield simulated
    finally:
        await simulated.stop()


async def test_night_is_seen_with_true_starts(instance: Instance, night: SimulatorProcess) -> None:
    """Plex backs up, optimizes and does all the rest, beside lines about other things."""
    async with instance.frontend(*USER) as frontend:
        entry_id = await add_server(frontend, night)
        form = await frontend.configure(entry_id)
        answer = {"log": True, "webhook": False}
        result = await frontend.continue_options(form["flow_id"], answer)
        assert result["type"] == "create_entry"
        await night.until("/state", lambda state: state["listeners"] == 2)
        await night.control("POST", "/chatter", {"per_second": 5})
        began = datetime.now(UTC)
        maintenance = frontend.watch(MAINTENANCE)
        for _ in range(60):
            await night.advance(300)
            await asyncio.sleep(0.05)
        await night.control("POST", "/chatter", {"per_second": 0})
        await maintenance.becomes("off", within=AT_REST + 10)
        runs = (await frontend.ask(f"{DOMAIN}.get_runs"))["runs"]
        started = [task for how, task in (await night.state())["history"] if how == "started"]
        assert len(started) > 12
        assert sorted(run["name"] for run in runs) == sorted(started)
        for run in runs:
            assert run["plex_log"], run
            assert run["known_by"] == "observed", run
            assert datetime.fromisoformat(run["started"]) >= began, run
        outcomes = {run["name"]: run["outcome"] for run in runs}
        assert outcomes["BackupDatabase"] == outcomes["OptimizeDatabase"] == "succeeded"
        assert frontend.states[GOOD_BACKUP]["attributes"]["source"] == "log"
        counts = (await frontend.diagnostics(entry_id))["data"]["statistics"]["log"]
        assert counts["task started"] == len(started)
        assert await frontend.issues(DOMAIN) == []
    await instance.stop()
    assert not complaints(instance.log)
    ours = [line for line in instance.log.splitlines() if f"custom_components.{DOMAIN}" in line]
    assert not [line for line in ours if any(text in line for text in PRIVATE)]
