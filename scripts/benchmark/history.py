"""What one more run costs with few and with many runs in the history, and what is read of them."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
import json
from typing import Any, Final

from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE
from homeassistant.core import HomeAssistant
from homeassistant.util import dt as dt_util
import orjson

from .checks import check
from .home import (
    DOMAIN,
    MockConfigEntry,
    add_entry,
    entity_id,
    home_assistant,
    quiet,
    set_up,
    storage_file,
)
from .meter import Cost, in_turn, metered, middle
from .servers import Server, server
from .table import ms, show

TASK: Final = "BackupDatabase"
RUNS: Final = 20
"""How many runs are begun and ended to measure one."""
APART: Final = timedelta(minutes=100)
"""How far apart the runs in the file ended: 5,000 of them make a year."""


async def history(few: int, many: int, rounds: int, seconds: float) -> None:
    """Show what a run, a save, and looking at a month and at everything cost."""
    async with server() as own:
        rows_of = await file_of_one_run(own)
        works = {str(count): partial(measure, own, rows_of, count) for count in (few, many)}
        results = await in_turn(works, rounds, seconds)
    rows = []
    for what in results[str(few)][0]:
        for count in (few, many):
            found = [each[what] for each in results[str(count)]]
            rows.append(
                (
                    what,
                    f"{count:,}",
                    str(len(found)),
                    ms(middle(found, lambda c: c.stall)),
                    ms(middle(found, lambda c: c.stall_cpu)),
                    ms(middle(found, lambda c: c.cpu)),
                )
            )
    show(
        "9. The history of runs",
        ("", "runs kept", "rounds", "blocks the loop", "the same, CPU", "CPU, threads included"),
        rows,
    )


def history_file(hass: HomeAssistant, own: Server) -> Any:
    """Return the file in which the history of a server is kept."""
    path = storage_file(hass, own.address)
    return path.with_name(f"{path.name}.history")


async def run_once(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Start a task and stop it."""
    for action in ("start_task", "stop_task"):
        await hass.services.async_call(
            DOMAIN, action, {"config_entry_id": entry.entry_id, "task": TASK}, blocking=True
        )


async def file_of_one_run(own: Server) -> Any:
    """Return what is stored once one task has run."""
    async with home_assistant() as hass:
        entry = add_entry(hass, own.address)
        await set_up(hass, entry)
        await run_once(hass, entry)
        check(await hass.config_entries.async_unload(entry.entry_id), "The entry stays loaded")
        return json.loads(await asyncio.to_thread(history_file(hass, own).read_text))


def multiplied(stored: Any, count: int) -> Any:
    """Return the same with so many rows in place of one, each of which is older by some time."""
    [row] = stored["data"]["runs"]

    def older(value: Any, by: timedelta) -> Any:
        try:
            return (datetime.fromisoformat(value) - by).isoformat()
        except TypeError, ValueError:
            return value

    rows = [
        {key: older(value, APART * number) for key, value in row.items()}
        for number in range(count, 0, -1)
    ]
    return stored | {"data": {"runs": rows}}


async def measure(own: Server, stored: Any, count: int) -> dict[str, Cost]:
    """Set the entry up with so many runs in its history, and measure what is done with them."""
    costs: dict[str, Cost] = {}
    async with home_assistant() as hass:
        entry = add_entry(hass, own.address)
        path = history_file(hass, own)
        await asyncio.to_thread(path.parent.mkdir, exist_ok=True)
        await asyncio.to_thread(path.write_bytes, orjson.dumps(multiplied(stored, count)))
        async with metered() as costs["set-up"]:
            await set_up(hass, entry)
        await quiet()

        async def runs() -> None:
            for _ in range(RUNS):
                await run_once(hass, entry)

        async def ask(domain: str, action: str, **data: Any) -> Any:
            return await hass.services.async_call(
                domain, action, data, blocking=True, return_response=True
            )

        async def save() -> None:
            before = path.stat().st_mtime_ns
            hass.bus.async_fire(EVENT_HOMEASSISTANT_FINAL_WRITE)
            async with asyncio.timeout(15):
                while path.stat().st_mtime_ns == before:
                    await asyncio.sleep(0.005)
            await hass.async_block_till_done()

        calendar = entity_id(hass, own.address, "calendar", "maintenance")
        now = dt_util.now()
        month = partial(
            ask,
            "calendar",
            "get_events",
            entity_id=calendar,
            start_date_time=(now - timedelta(days=30)).isoformat(),
            end_date_time=now.isoformat(),
        )
        works: dict[str, Callable[[], Awaitable[Any]]] = {
            f"{RUNS} runs": runs,
            "a save": save,
            "a month of the calendar": month,
            "get_runs of all": partial(ask, DOMAIN, "get_runs"),
        }
        for what, work in works.items():
            async with metered() as costs[what]:
                found = await work()
        kept = len(found["runs"])
        check(kept == count + RUNS or kept >= 5_000, f"{kept} runs are kept")
    return costs
