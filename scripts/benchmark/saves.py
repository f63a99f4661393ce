"""For how long saving what is known of many tasks, and restoring it, blocks the event loop."""

import asyncio
from functools import partial
import json
from typing import Any, Final

from homeassistant.const import EVENT_HOMEASSISTANT_FINAL_WRITE
from homeassistant.core import HomeAssistant
import orjson

from .checks import check
from .home import (
    DOMAIN,
    MockConfigEntry,
    add_entry,
    home_assistant,
    quiet,
    set_up,
    storage_file,
    without_platforms,
)
from .listeners import INTEGRATION
from .meter import Cost, in_turn, metered, middle
from .servers import Server, server
from .table import ms, show

CHORE: Final = "Chore"
SAVED_WITHIN: Final = 15.0
"""How long a save may take, in seconds: Home Assistant's stores wait some seconds for more."""


async def saves(tasks: int, rounds: int, seconds: float) -> None:
    """Show what a restore and a save of so many last runs cost."""
    async with server() as own:
        await own.control("POST", "/tasks", name=CHORE, count=tasks)
        with without_platforms():
            content = multiplied(await file_of_one_run(own), f"{CHORE}0", tasks)
            works = {
                "without": partial(restore_and_save, own, None, tasks),
                "with": partial(restore_and_save, own, content, tasks),
            }
            results = await in_turn(works, rounds, seconds)
    size = len(orjson.dumps(content))
    floor = await in_turn({"": partial(bare, content)}, rounds, seconds)
    rows = []
    for what, known in (("set-up", "without"), ("set-up", "with"), ("a save", "with")):
        found = [each[what] for each in results[known]]
        title = what if what == "a save" else f"{what} {known} {tasks:,} last runs"
        rows.append((title, INTEGRATION, str(len(found)), *columns(found)))
    for what in ("orjson.loads", "orjson.dumps"):
        found = [each[what] for each in floor[""]]
        rows.append((f"{what} of the same file", "bare", str(len(found)), *columns(found)))
    show(
        f"6. {tasks:,} tasks, all of which have run ({size / 1024:,.0f} KiB), without entities",
        ("", "", "rounds", "blocks the loop", "the same, CPU", "CPU, threads included"),
        rows,
    )


def columns(found: list[Cost]) -> tuple[str, str, str]:
    """Return how long the event loop was blocked, and the CPU time."""
    return (
        ms(middle(found, lambda c: c.stall)),
        ms(middle(found, lambda c: c.stall_cpu)),
        ms(middle(found, lambda c: c.cpu)),
    )


async def run_once(hass: HomeAssistant, entry: MockConfigEntry, task: str) -> None:
    """Start a task and stop it."""
    for action in ("start_task", "stop_task"):
        await hass.services.async_call(
            DOMAIN, action, {"config_entry_id": entry.entry_id, "task": task}, blocking=True
        )


async def file_of_one_run(own: Server) -> Any:
    """Return what is stored once one task has run."""
    async with home_assistant() as hass:
        entry = add_entry(hass, own.address)
        await set_up(hass, entry)
        await run_once(hass, entry, f"{CHORE}0")
        check(await hass.config_entries.async_unload(entry.entry_id), "The entry stays loaded")
        text = await asyncio.to_thread(storage_file(hass, own.address).read_text)
        return json.loads(text)


def multiplied(stored: Any, task: str, count: int) -> Any:
    """Return the same with every row about a task once for each of so many.

    Nothing else is known of the file: a row is what names the task in a list, or as a key.
    """
    match stored:
        case dict():
            return {
                renamed(key, number): renamed(value, number)
                if key == task
                else multiplied(value, task, count)
                for key, value in stored.items()
                for number in range(count if key == task else 1)
            }
        case list():
            return [
                renamed(row, number)
                for row in stored
                for number in range(count if task in json.dumps(row) else 1)
            ]
        case _:
            return stored


def renamed[T](row: T, number: int) -> T:
    """Return what is stored of the first task, renamed for another one."""
    text = json.dumps(row).replace(f'"{CHORE}0"', f'"{CHORE}{number}"')
    same: T = json.loads(text)
    return same


async def restore_and_save(own: Server, content: Any, tasks: int) -> dict[str, Cost]:
    """Set the entry up, with or without what is known, and see a save after one more run."""
    async with home_assistant() as hass:
        entry = add_entry(hass, own.address)
        path = storage_file(hass, own.address)
        if content:
            await asyncio.to_thread(path.parent.mkdir, exist_ok=True)
            await asyncio.to_thread(path.write_bytes, orjson.dumps(content))
        async with metered() as set_up_cost:
            await set_up(hass, entry)
        await quiet()
        known = await hass.services.async_call(
            DOMAIN,
            "get_tasks",
            {"config_entry_id": entry.entry_id},
            blocking=True,
            return_response=True,
        )
        rows: Any = known["tasks"] if known else None
        ran = sum(row["last_run"] is not None for row in rows)
        check(ran == (tasks if content else 0), f"{ran} of {tasks} last runs are known")
        # What others have to save is not to be measured.
        hass.bus.async_fire(EVENT_HOMEASSISTANT_FINAL_WRITE)
        await hass.async_block_till_done()
        await run_once(hass, entry, f"{CHORE}0")
        await quiet()
        before = modified(path)
        async with metered() as cost:
            hass.bus.async_fire(EVENT_HOMEASSISTANT_FINAL_WRITE)
            async with asyncio.timeout(SAVED_WITHIN):
                while modified(path) == before:
                    await asyncio.sleep(0.005)
            await hass.async_block_till_done()
        if content:
            text = await asyncio.to_thread(path.read_text)
            check(f'"{CHORE}{tasks - 1}"' in text, "Not all last runs were saved")
        return {"set-up": set_up_cost, "a save": cost}


def modified(path: Any) -> int:
    """Return when a file was written; 0 if it is not there."""
    return int(path.stat().st_mtime_ns) if path.exists() else 0


async def bare(content: Any) -> dict[str, Cost]:
    """Decode and encode the same file, on the event loop."""
    body = orjson.dumps(content)
    async with metered() as loads:
        orjson.loads(body)
    async with metered() as dumps:
        orjson.dumps(content, option=orjson.OPT_INDENT_2)
    return {"orjson.loads": loads, "orjson.dumps": dumps}
