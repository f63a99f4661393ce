"""A server's life in a real Home Assistant, used through REST and WebSocket as the frontend does."""

from typing import Any, Final

import pytest

from tests.live.frontend import Frontend
from tests.live.instance import Instance
from tests.live.simulator import SimulatorProcess
from tests.live.steps import (
    DOMAIN,
    USER,
    WRONG_TOKEN,
    add_server,
    changes,
    complaints,
    everything,
    restart,
)

pytestmark = pytest.mark.live

CREDITS: Final = "switch.attic_generate_credits_markers"
INTROS: Final = "switch.attic_generate_intro_markers"
START_INTROS: Final = "button.attic_start_generate_intro_markers"
BACKUP: Final = "switch.attic_backup_database"
MAINTENANCE: Final = "binary_sensor.attic_maintenance"
RUNNING: Final = "sensor.attic_running_tasks"
SERVER: Final = "binary_sensor.attic_server"
START_ALL: Final = "button.attic_start_all_tasks"
STOP_ALL: Final = "button.attic_stop_all_tasks"


async def test_from_adding_to_removing(instance: Instance, simulator: SimulatorProcess) -> None:
    """Add, see, start, stop, restart, remove."""
    async with instance.frontend(*USER) as frontend:
        entry_id = await add_server(frontend, simulator)
        await find_the_entities(frontend)
        await start_by_switch_and_see_it_end(frontend)
        await start_by_button_and_stop(frontend, simulator)
        await start_and_stop_by_action(frontend, simulator)
        await start_and_stop_all(frontend, simulator)
        before = await everything(frontend)
        await restart(frontend, instance)
    async with instance.frontend(*USER) as frontend:
        assert changes(before, await everything(frontend)) == {}
        await remove(frontend, entry_id)
    await instance.stop()
    the_token_went_its_way_only(await simulator.control("GET", "/requests"))
    nothing_is_kept(instance, simulator.token)
    assert complaints(instance.log) == []


async def find_the_entities(frontend: Frontend) -> None:
    """Find one device with a switch and a button for each task that the server lists."""
    [device] = await frontend.devices(DOMAIN)
    assert (device["name"], device["manufacturer"]) == ("Attic", "Plex")
    tasks = (await frontend.ask(f"{DOMAIN}.get_tasks"))["tasks"]
    assert len(tasks) == 22
    entities = await frontend.entities(DOMAIN)
    categories = {
        MAINTENANCE: None,
        RUNNING: None,
        SERVER: "diagnostic",
        START_ALL: None,
        STOP_ALL: None,
    }
    texts = await frontend.translations(DOMAIN, "entity")
    for task in tasks:
        name = texts[f"component.{DOMAIN}.entity.switch.{task['task']}.name"]
        object_id = name.lower().replace(" ", "_")
        categories[f"switch.attic_{object_id}"] = "config"
        categories[f"button.attic_start_{object_id}"] = "config"
    assert {name: item["entity_category"] for name, item in entities.items()} == categories

    disabled = {name for name, item in entities.items() if item["disabled_by"]}
    assert disabled == {
        "switch.attic_automatic_updates",
        "button.attic_start_automatic_updates",
    }
    states = {name: frontend.states[name] for name in entities if name not in disabled}
    assert not [name for name, state in states.items() if state["state"] == "unavailable"]
    assert {name: states[name]["state"] for name in (BACKUP, MAINTENANCE, RUNNING, SERVER)} == {
        BACKUP: "off",
        MAINTENANCE: "off",
        RUNNING: "0",
        SERVER: "on",
    }
    shown = states[BACKUP]["attributes"]
    assert shown["friendly_name"] == "Attic Backup database"
    assert shown["schedule_enabled"] is True


async def start_by_switch_and_see_it_end(frontend: Frontend) -> None:
    """Start a task, see it assumed at once and then observed, and see its end."""
    switch, maintenance = frontend.watch(CREDITS), frontend.watch(MAINTENANCE)
    running = frontend.watch(RUNNING)
    await frontend.call("switch.turn_on", CREDITS)
    assumed = await switch.becomes("on")
    assert assumed["attributes"]["assumed_state"] is True
    assert (await running.becomes("1"))["attributes"]["tasks"] == ["generate_credits_markers"]
    await maintenance.becomes("on")
    observed = await switch.becomes("on")
    assert "assumed_state" not in observed["attributes"]
    await switch.becomes("off")
    await running.becomes("0")
    await maintenance.becomes("off")


async def start_by_button_and_stop(frontend: Frontend, simulator: SimulatorProcess) -> None:
    """Start a task by its button, and stop it by its switch."""
    switch = frontend.watch(INTROS)
    await frontend.call("button.press", START_INTROS)
    await switch.becomes("on")
    assert await running_on(simulator) == ["ButlerTaskGenerateIntroMarkers"]
    await frontend.call("switch.turn_off", INTROS)
    await switch.becomes("off")
    assert await running_on(simulator) == []
    await rest(frontend)


async def start_and_stop_by_action(frontend: Frontend, simulator: SimulatorProcess) -> None:
    """Start and stop a task by action, each once more than it takes."""
    start, stop = f"{DOMAIN}.start_task", f"{DOMAIN}.stop_task"
    switch = frontend.watch("switch.attic_loudness_analysis")
    task = {"task": "loudness_analysis", "name": "LoudnessAnalysis"}
    assert await frontend.ask(start, task=task["task"]) == task | {"result": "started"}
    await switch.becomes("on")
    assert await frontend.ask(start, task=task["name"]) == task | {"result": "already_running"}
    assert await frontend.ask(stop, task=task["name"]) == task | {"result": "stopped"}
    await switch.becomes("off")
    assert await frontend.ask(stop, task=task["task"]) == task | {"result": "was_not_running"}
    await rest(frontend)
    assert await running_on(simulator) == []


async def start_and_stop_all(frontend: Frontend, simulator: SimulatorProcess) -> None:
    """Let the server start what is due, and stop it again."""
    maintenance, running = frontend.watch(MAINTENANCE), frontend.watch(RUNNING)
    assert await frontend.ask(f"{DOMAIN}.start_all") == {"result": "accepted"}
    await maintenance.becomes("on")
    await frontend.call("button.press", STOP_ALL)
    await running.becomes("0")
    await maintenance.becomes("off")
    assert await running_on(simulator) == []
    await frontend.call("button.press", START_ALL)
    await frontend.ask(f"{DOMAIN}.stop_all")


async def rest(frontend: Frontend) -> None:
    """Wait until Butler's row, which the next poll shows, is idle as well."""
    await frontend.wait_for(lambda: frontend.states[MAINTENANCE]["state"] == "off" or None)


async def running_on(simulator: SimulatorProcess) -> list[str]:
    """Ask the simulator what really runs."""
    running: list[str] = (await simulator.control("GET", "/state"))["running"]
    return running


async def remove(frontend: Frontend, entry_id: str) -> None:
    """Download the diagnostics, remove the server, and find nothing left."""
    assert (await frontend.diagnostics(entry_id))["data"]
    await frontend.remove_entry(entry_id)
    await frontend.wait_for(lambda: not any("attic" in name for name in frontend.states) or None)
    assert await everything(frontend) == {}
    assert await frontend.issues(DOMAIN) == []
    assert await frontend.flows(DOMAIN) == []


def the_token_went_its_way_only(requests: list[dict[str, Any]]) -> None:
    """Find the token in headers only, and in none of those that ask who answers."""
    assert not [request for request in requests if request["token_in_query"]]
    tokens: dict[bool, set[str]] = {True: set(), False: set()}
    for request in requests:
        tokens[request["path"] == "/identity"].add(request["token"])
    assert tokens == {True: {"none"}, False: {"owner", "other"}}


def nothing_is_kept(instance: Instance, token: str) -> None:
    """Find no token in anything that Home Assistant has written, its log included."""
    files = [path for path in instance.folder.rglob("*") if path.is_file()]
    assert instance.folder / ".storage" / "core.config_entries" in files
    for path in files:
        content = path.read_bytes()
        assert token.encode() not in content, path
        assert WRONG_TOKEN.encode() not in content, path
