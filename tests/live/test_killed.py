"""A Home Assistant that is killed while it stores the runs of a server."""

import asyncio
from contextlib import suppress
import json
from pathlib import Path
import time
from typing import Final

import pytest

from tests.live.connection import Json
from tests.live.frontend import Frontend
from tests.live.instance import Instance
from tests.live.simulator import SimulatorProcess
from tests.live.steps import DOMAIN, USER, add_server, complaints, memory

pytestmark = pytest.mark.live

CREDITS: Final = "generate_credits_markers"
NAME: Final = "ButlerTaskGenerateCreditsMarkers"
LOUDNESS: Final = "switch.attic_loudness_analysis"
WRITTEN_WITHIN: Final = 20.0
"""Seconds in which a change is written: soon, but not at once."""


async def test_killed_while_it_stores_the_runs(
    instance: Instance, simulator: SimulatorProcess
) -> None:
    """Stop a run, let it be stored, begin another, and kill Home Assistant while it stores that."""
    async with instance.frontend(*USER) as frontend:
        entry_id = await add_server(frontend, simulator)
        switch = frontend.watch(f"switch.attic_{CREDITS}")
        await frontend.call(f"{DOMAIN}.start_task", task=CREDITS)
        await switch.becomes("on")
        await frontend.call(f"{DOMAIN}.stop_task", task=CREDITS)
        await switch.becomes("off")
        before = await last_run(frontend)
        file = memory(instance, entry_id)
        await frontend.post(f"/api/config/config_entries/entry/{entry_id}/reload")
        assert [run["task"] for run in stored(file)["last_runs"]] == [NAME]
        await frontend.call(f"{DOMAIN}.start_task", task="loudness_analysis")
        await asyncio.to_thread(wait_for_a_write, file)
        await instance.kill()
    assert stored(file)
    await instance.start()
    async with instance.frontend(*USER) as frontend:
        await frontend.entry_in("loaded", DOMAIN)
        assert await last_run(frontend) == before
        await frontend.wait_for(lambda: frontend.states[LOUDNESS]["state"] == "on" or None)
    await instance.stop()
    assert [line for line in complaints(instance.log) if DOMAIN in line] == []


async def last_run(frontend: Frontend) -> Json:
    """Return the last run of a task, as the action tells it."""
    tasks: list[Json] = (await frontend.ask(f"{DOMAIN}.get_tasks"))["tasks"]
    run: Json = next(row["last_run"] for row in tasks if row["task"] == CREDITS)
    return run


def stored(file: Path) -> Json:
    """Return what the file holds."""
    data: Json = json.loads(file.read_text())["data"]
    return data


def wait_for_a_write(file: Path) -> None:
    """Wait until a file beside this one holds what shall replace it; or has just done so."""
    others, replaced = set(file.parent.iterdir()), file.stat().st_ino
    deadline = time.monotonic() + WRITTEN_WITHIN
    while file.stat().st_ino == replaced:
        assert time.monotonic() < deadline
        for new in set(file.parent.iterdir()) - others:
            with suppress(FileNotFoundError):
                if file.name in new.read_text():
                    return
