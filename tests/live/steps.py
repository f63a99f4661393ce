"""What is done in more than one life of a server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
import json
from pathlib import Path
import re
from typing import Any, Final

from custom_components.plex_butler.runs.rules import ROW_STAYS_IDLE

from .connection import FrontendError
from .frontend import Frontend
from .instance import RESTART, Instance
from .simulator import SimulatorProcess

DOMAIN: Final = "plex_butler"
USER: Final = ("demo", "demo")
WRONG_TOKEN: Final = "not-the-token-of-this-server"

ALL_OF_IT: Final = 3600.0
"""Longer than any task takes, in the server's seconds."""

POLL: Final = 8.0
"""By when a poll has shown something while anything runs, in seconds."""

AT_REST: Final = ROW_STAYS_IDLE.total_seconds() + 3 * POLL
"""By when it is shown that Butler's row has turned idle, in seconds."""

# What Home Assistant says of this machine, with any integration or none.
FOREIGN: Final = {
    "aiohttp_fast_zlib",
    "haffmpeg.core",
    "haffmpeg.tools",
    "homeassistant.bootstrap",
    "homeassistant.components.camera.img_util",
    "homeassistant.components.marketplace",
    "homeassistant.loader",
}


async def add_server(frontend: Frontend, simulator: SimulatorProcess) -> str:
    """Add the server by the form, with a wrong token first."""
    menu = await frontend.start_flow(DOMAIN)
    assert (menu["type"], menu["step_id"]) == ("menu", "user")
    form = await frontend.continue_flow(menu["flow_id"], {"next_step_id": "manual"})
    assert form["step_id"] == "manual"
    answer = {"url": simulator.url, "token": WRONG_TOKEN, "verify_ssl": True}
    form = await frontend.continue_flow(form["flow_id"], answer)
    assert form["errors"] == {"token": "unauthorized"}
    assert simulator.url in json.dumps(form)
    assert WRONG_TOKEN not in json.dumps(form)
    result = await frontend.continue_flow(form["flow_id"], answer | {"token": simulator.token})
    assert (result["type"], result["title"]) == ("create_entry", "Attic")
    assert simulator.token not in json.dumps(result)
    entry_id: str = result["result"]["entry_id"]
    return entry_id


async def until[T](look: Callable[[], Awaitable[T | None]]) -> T:
    """Return what is found, as soon as there is something."""
    async with asyncio.timeout(30):
        while (found := await look()) is None:
            await asyncio.sleep(0.5)
        return found


def memory(instance: Instance, entry_id: str) -> Path:
    """Return the file in which the runs of a server are remembered."""
    return instance.folder / ".storage" / f"{DOMAIN}.{entry_id}"


def history(instance: Instance, entry_id: str) -> Path:
    """Return the file in which the history of a server is kept."""
    return memory(instance, entry_id).with_name(f"{DOMAIN}.{entry_id}.history")


async def everything(frontend: Frontend) -> dict[str, Any]:
    """Return all that Home Assistant has of ours: entries, devices, entities, states."""
    found: dict[str, Any] = {}
    for entry in await frontend.entries(DOMAIN):
        found[entry["entry_id"]] = entry
    for device in await frontend.devices(DOMAIN):
        found[device["id"]] = device
    for name, entity in (await frontend.entities(DOMAIN)).items():
        state = frontend.states.get(name)
        found[name] = (entity, state and (state["state"], state["attributes"]))
    return found


def changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Return what differs, each as it was and as it is."""
    return {
        key: (before.get(key), after.get(key))
        for key in before.keys() | after.keys()
        if before.get(key) != after.get(key)
    }


async def restart(frontend: Frontend, instance: Instance) -> None:
    """Restart Home Assistant as its menu does."""
    assert instance.process
    with suppress(FrontendError):  # the connection may close before the answer
        await frontend.call("homeassistant.restart")
    async with asyncio.timeout(60):
        assert await instance.process.wait() == RESTART
    await instance.start()


def complaints(log: str) -> list[str]:
    """Return the errors and warnings of a log that is written at its most talkative."""
    lines = re.findall(r"^\S+ \S+ (\w+) \(.*?\) \[([\w.]+)\] (.*)$", log, re.MULTILINE)
    assert any(level == "DEBUG" and DOMAIN in logger for level, logger, _ in lines)
    return [
        f"{level} {logger}: {text}"
        for level, logger, text in lines
        if level in {"WARNING", "ERROR", "CRITICAL"} and logger not in FOREIGN
    ]


def the_token_went_its_way_only(requests: list[dict[str, Any]]) -> None:
    """Find the token in headers only, and in none of those that ask who answers."""
    assert not [request for request in requests if request["token_in_query"]]
    tokens: dict[bool, set[str]] = {True: set(), False: set()}
    for request in requests:
        tokens[request["path"] == "/identity"].add(request["token"])
    assert tokens == {True: {"none"}, False: {"owner", "other"}}


def files_with(instance: Instance, text: str) -> set[str]:
    """Return which of the files that Home Assistant has written, its log included, hold a text."""
    folder = instance.folder
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    assert ".storage/core.config_entries" in files
    return {name for name, path in files.items() if text.encode() in path.read_bytes()}


@asynccontextmanager
async def one_life(instance: Instance, simulator: SimulatorProcess) -> AsyncIterator[Frontend]:
    """Add the server, use Home Assistant, and end well."""
    async with instance.frontend(*USER) as frontend:
        await add_server(frontend, simulator)
        yield frontend
    await end_well(instance, simulator)


async def end_well(instance: Instance, simulator: SimulatorProcess) -> None:
    """Stop; find the token where it belongs, and nothing to complain about."""
    await instance.stop()
    the_token_went_its_way_only(await simulator.requests())
    assert files_with(instance, simulator.token) == {".storage/core.config_entries"}
    assert complaints(instance.log) == []
