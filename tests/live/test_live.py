"""A real Home Assistant and the simulator, used through REST and WebSocket as the frontend does."""

import asyncio
from contextlib import suppress
import re
from typing import Final

import pytest

from tests.live.connection import FrontendError
from tests.live.frontend import Frontend
from tests.live.instance import RESTART, Instance
from tests.live.simulator import SimulatorProcess

pytestmark = pytest.mark.live

DOMAIN: Final = "plex_butler"
USER: Final = ("demo", "demo")
WRONG_TOKEN: Final = "not-the-token-of-this-server"

SWITCH: Final = "switch.attic_backup_database"
BUTTON: Final = "button.attic_start_backup_database"
MAINTENANCE: Final = "binary_sensor.attic_maintenance"
SERVER: Final = "binary_sensor.attic_server"

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


async def test_from_adding_to_removing(instance: Instance, simulator: SimulatorProcess) -> None:
    """One server's life in Home Assistant."""
    async with instance.frontend(*USER) as frontend:
        entry_id = await add_server(frontend, simulator)
        await find_the_entities(frontend)
        await start_and_stop_a_task(frontend)
        await start_and_stop_all(frontend)
        before = await frontend.entities(DOMAIN)
        await restart(frontend, instance)
    async with instance.frontend(*USER) as frontend:
        assert await frontend.entities(DOMAIN) == before
        assert frontend.states[SERVER]["state"] == "on"
        await remove(frontend, entry_id)
    await instance.stop()
    the_log_is_clean(instance.log, simulator.token)


async def add_server(frontend: Frontend, simulator: SimulatorProcess) -> str:
    """Add the server by the form, with a wrong token first."""
    form = await frontend.start_flow(DOMAIN)
    assert form["step_id"] == "user"
    answer = {"url": simulator.url, "token": WRONG_TOKEN, "verify_ssl": True}
    form = await frontend.continue_flow(form["flow_id"], answer)
    assert list(form["errors"].values()) == ["unauthorized"]
    result = await frontend.continue_flow(form["flow_id"], answer | {"token": simulator.token})
    assert result["type"] == "create_entry"
    assert result["title"] == "Attic"
    entry_id: str = result["result"]["entry_id"]
    return entry_id


async def find_the_entities(frontend: Frontend) -> None:
    """Find one device, and a switch and a button for each task that the server lists."""
    [device] = await frontend.devices(DOMAIN)
    assert device["name"] == "Attic"
    listed = await frontend.ask(f"{DOMAIN}.get_tasks")
    entities = await frontend.entities(DOMAIN)
    for platform, more in (("switch", 0), ("button", 2)):
        found = [name for name in entities if name.startswith(f"{platform}.attic_")]
        assert len(found) == len(listed["tasks"]) + more
    assert frontend.states[SWITCH]["state"] == "off"
    assert frontend.states[MAINTENANCE]["state"] == "off"
    assert frontend.states[SERVER]["state"] == "on"


async def start_and_stop_a_task(frontend: Frontend) -> None:
    """Start a task by switch, button and action; see it end by itself, and stop it."""
    switch = frontend.watch(SWITCH)
    await frontend.call("switch.turn_on", SWITCH)
    await switch.becomes("on")
    await switch.becomes("off", within=60)

    await frontend.call("button.press", BUTTON)
    await switch.becomes("on")
    await frontend.call("switch.turn_off", SWITCH)
    await switch.becomes("off")

    started = await frontend.ask(f"{DOMAIN}.start_task", task="backup_database")
    assert started["result"] == "started"
    await switch.becomes("on")
    stopped = await frontend.ask(f"{DOMAIN}.stop_task", task="BackupDatabase")
    assert stopped["result"] == "stopped"
    await switch.becomes("off")


async def start_and_stop_all(frontend: Frontend) -> None:
    """Let the server start what is due, and stop it again."""
    maintenance = frontend.watch(MAINTENANCE)
    assert await frontend.ask(f"{DOMAIN}.start_all") == {"result": "accepted"}
    await maintenance.becomes("on")
    await frontend.call("button.press", "button.attic_stop_all_tasks")
    await maintenance.becomes("off")


async def restart(frontend: Frontend, instance: Instance) -> None:
    """Restart Home Assistant as its menu does."""
    assert instance.process
    with suppress(FrontendError):  # the connection may close before the answer
        await frontend.call("homeassistant.restart")
    async with asyncio.timeout(60):
        assert await instance.process.wait() == RESTART
    await instance.start()


async def remove(frontend: Frontend, entry_id: str) -> None:
    """Download the diagnostics, remove the server, and find nothing left."""
    diagnostics = await frontend.diagnostics(entry_id)
    assert diagnostics["data"]
    await frontend.remove_entry(entry_id)
    assert await frontend.entries(DOMAIN) == []
    assert await frontend.entities(DOMAIN) == {}
    assert await frontend.devices(DOMAIN) == []
    assert await frontend.issues(DOMAIN) == []
    await frontend.wait_for(lambda: not any("attic" in name for name in frontend.states) or None)


def the_log_is_clean(log: str, token: str) -> None:
    """Find everything in the log but errors, warnings of ours, and tokens."""
    lines = re.findall(r"^\S+ \S+ (\w+) \(.*?\) \[([\w.]+)\] (.*)$", log, re.MULTILINE)
    assert any(level == "DEBUG" and "plex_butler" in logger for level, logger, _ in lines)
    bad = [
        f"{level} {logger}: {text}"
        for level, logger, text in lines
        if level in {"WARNING", "ERROR", "CRITICAL"} and logger not in FOREIGN
    ]
    assert bad == []
    assert token not in log
    assert WRONG_TOKEN not in log
