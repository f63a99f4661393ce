"""The server's schedule in a real Home Assistant, changed there and in Plex Web."""

from typing import Final

import pytest

from tests.live.instance import Instance
from tests.live.simulator import SimulatorProcess
from tests.live.steps import DOMAIN, POLL, USER, add_server, complaints

pytestmark = pytest.mark.live

BACKUP: Final = "switch.attic_backup_database"
STARTS: Final = "select.attic_maintenance_starts"
ENDS: Final = "select.attic_maintenance_ends"


async def test_window_moves_here_and_there(instance: Instance, simulator: SimulatorProcess) -> None:
    """By its select, by action and in Plex Web; each is seen on the other side."""
    async with instance.frontend(*USER) as frontend:
        await add_server(frontend, simulator)

        async def has(name: str) -> object:
            return (await simulator.state())["preferences"][name]

        async def schedule_enabled(value: bool) -> None:
            def shown() -> bool | None:
                attributes = frontend.states.get(BACKUP, {}).get("attributes", {})
                return attributes.get("schedule_enabled") is value or None

            await frontend.wait_for(shown)

        await schedule_enabled(True)
        starts, ends = frontend.watch(STARTS), frontend.watch(ENDS)
        await frontend.call("select.select_option", STARTS, option="04:00")
        await starts.becomes("04:00")
        assert await has("ButlerStartHour") == 4
        answer = await frontend.ask(
            f"{DOMAIN}.set_schedule", window_start=23, window_end=3, leave_out=["backup_database"]
        )
        assert answer["before"] == {
            "window_start": 4,
            "window_end": 5,
            "include": ["backup_database"],
        }
        await starts.becomes("23:00")
        await ends.becomes("03:00")
        await schedule_enabled(False)
        assert [await has("ButlerEndHour"), await has("ButlerTaskBackupDatabase")] == [3, False]
        await frontend.ask(f"{DOMAIN}.set_schedule", **answer["before"])
        await simulator.control("POST", "/preferences", {"ButlerStartHour": 2})
        await starts.becomes("02:00", within=POLL)
        await ends.becomes("05:00")
        await schedule_enabled(True)
    await instance.stop()
    assert complaints(instance.log) == []
