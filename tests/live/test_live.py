"""A server's life in a real Home Assistant, used through REST and WebSocket as the frontend does."""

from typing import Final

import pytest

from tests.live.connection import FrontendError, Json
from tests.live.frontend import Frontend
from tests.live.instance import Instance
from tests.live.simulator import SimulatorProcess
from tests.live.steps import (
    ALL_OF_IT,
    AT_REST,
    DOMAIN,
    USER,
    WRONG_TOKEN,
    add_server,
    changes,
    complaints,
    everything,
    files_with,
    history,
    memory,
    one_life,
    restart,
    the_token_went_its_way_only,
)

pytestmark = pytest.mark.live

CREDITS: Final = "switch.attic_generate_credits_markers"
INTROS: Final = "switch.attic_generate_intro_markers"
RUN_INTROS: Final = "button.attic_generate_intro_markers_run"
BACKUP: Final = "switch.attic_backup_database"
ACTIVITY: Final = "event.attic_task_activity"
MAINTENANCE: Final = "binary_sensor.attic_maintenance"
CALENDAR: Final = "calendar.attic_maintenance"
CURRENT: Final = "sensor.attic_current_task"
LAST: Final = "sensor.attic_last_task"
RUNNING: Final = "sensor.attic_running_tasks"
SERVER: Final = "binary_sensor.attic_server"
WATCHED: Final = "binary_sensor.attic_being_watched"
START_ALL: Final = "button.attic_start_all_tasks"
STOP_ALL: Final = "button.attic_stop_all_tasks"
STARTS: Final = "select.attic_maintenance_starts"
ENDS: Final = "select.attic_maintenance_ends"
SHOWN: Final = (BACKUP, CALENDAR, CURRENT, LAST, MAINTENANCE, SERVER, WATCHED)


@pytest.mark.timeout(300)
async def test_from_adding_to_removing(instance: Instance, simulator: SimulatorProcess) -> None:
    """Add, see, start, stop, lose, restart, find again, remove."""
    async with instance.frontend(*USER) as frontend:
        entry_id = await add_server(frontend, simulator)
        await find_the_entities(frontend)
        await frontend.enable(ACTIVITY, RUN_INTROS)
        await start_by_switch_and_see_it_end(frontend, simulator)
        await see_somebody_watch(frontend, simulator)
        await start_by_button_and_stop(frontend, simulator)
        before = await everything(frontend)
        await lose_the_server(frontend, simulator)
        await restart(frontend, instance)
    async with instance.frontend(*USER) as frontend:
        await find_the_server_again(frontend, simulator)
        # A button that was unavailable when Home Assistant stopped has forgotten its last press.
        assert changes(before, await everything(frontend)).keys() == {RUN_INTROS}
        assert files_with(instance, simulator.token) == {".storage/core.config_entries"}
        assert memory(instance, entry_id).exists()
        assert history(instance, entry_id).exists()
        await remove(frontend, entry_id)
    await instance.stop()
    assert not memory(instance, entry_id).exists()
    assert not history(instance, entry_id).exists()
    the_token_went_its_way_only(await simulator.requests())
    assert files_with(instance, simulator.token) == set()
    assert files_with(instance, WRONG_TOKEN) == set()
    # The outage is told once, and the action that failed once more, by who had asked for it.
    assert sorted(line.split(":")[0] for line in complaints(instance.log)) == [
        f"ERROR custom_components.{DOMAIN}",
        "ERROR homeassistant.components.websocket_api.http.connection",
    ]


@pytest.mark.timeout(300)
async def test_tasks_are_started_and_stopped_by_action(
    instance: Instance, simulator: SimulatorProcess
) -> None:
    """Start and stop one task, and all of them."""
    async with one_life(instance, simulator) as frontend:
        await start_and_stop_by_action(frontend, simulator)
        await start_and_stop_all(frontend, simulator)


async def find_the_entities(frontend: Frontend) -> None:
    """Find one device with a switch, a button and a sensor for each task that the server lists."""
    [device] = await frontend.devices(DOMAIN)
    assert (device["name"], device["manufacturer"]) == ("Attic", "Plex")
    tasks = (await frontend.ask(f"{DOMAIN}.get_tasks"))["tasks"]
    assert len(tasks) == 22
    entities = await frontend.entities(DOMAIN)
    categories = {
        ACTIVITY: None,
        CALENDAR: None,
        CURRENT: None,
        LAST: None,
        MAINTENANCE: None,
        RUNNING: None,
        SERVER: "diagnostic",
        STARTS: "config",
        ENDS: "config",
        WATCHED: None,
        START_ALL: None,
        STOP_ALL: None,
    }
    texts = await frontend.translations(DOMAIN, "entity")
    for task in tasks:
        name = texts[f"component.{DOMAIN}.entity.switch.{task['task']}.name"]
        object_id = name.lower().replace(" ", "_")
        categories[f"switch.attic_{object_id}"] = "config"
        categories[f"button.attic_{object_id}_run"] = "config"
        categories[f"sensor.attic_{object_id}_last_run"] = "diagnostic"
        if task["scheduled"] is not None:
            categories[f"switch.attic_{object_id}_scheduled"] = "config"
        if task["behavior"] is not None:
            categories[f"select.attic_{object_id}_when"] = "config"
    assert {name: item["entity_category"] for name, item in entities.items()} == categories

    disabled = {name for name, item in entities.items() if item["disabled_by"]}
    assert disabled == {
        ACTIVITY,
        RUNNING,
        "switch.attic_automatic_updates",
        *(name for name in entities if name.endswith(("_last_run", "_scheduled", "_when", "_run"))),
    }
    states = {name: frontend.states[name] for name in entities if name not in disabled}
    assert not [name for name, state in states.items() if state["state"] == "unavailable"]
    assert {name: states[name]["state"] for name in SHOWN} == {
        BACKUP: "off",
        CALENDAR: states[CALENDAR]["state"],
        CURRENT: "nothing",
        LAST: "unknown",
        MAINTENANCE: "off",
        SERVER: "on",
        WATCHED: "off",
    }
    shown = states[BACKUP]["attributes"]
    assert shown["friendly_name"] == "Attic Backup database"
    assert shown["schedule_enabled"] is True


async def start_by_switch_and_see_it_end(frontend: Frontend, simulator: SimulatorProcess) -> None:
    """Start a task, see it running at once and soon observed, and see its end."""
    switch, maintenance = frontend.watch(CREDITS), frontend.watch(MAINTENANCE)
    current = frontend.watch(CURRENT)
    await frontend.call("switch.turn_on", CREDITS)
    on = await switch.becomes("on")
    shown = await current.becomes("generate_credits_markers")
    assert shown["attributes"]["tasks"] == ["generate_credits_markers"]
    await maintenance.becomes("on")
    # Whether the first frame or the answer to our start arrives first is nobody's promise.
    if on["attributes"].get("assumed_state"):
        on = await switch.becomes("on", within=2)
    assert "assumed_state" not in on["attributes"]
    await simulator.advance(ALL_OF_IT)
    await switch.becomes("off", within=AT_REST)
    await current.becomes("nothing")
    await maintenance.becomes("off")
    # The news follow what the entities show.
    await frontend.wait_for(lambda: told(frontend).get("event_type") == "finished" or None)
    ended = told(frontend)
    assert (ended["task"], ended["known_by"]) == ("generate_credits_markers", "observed")
    assert ended["duration"] > 0


def told(frontend: Frontend) -> Json:
    """Return what the event entity has told last."""
    attributes: Json = frontend.states[ACTIVITY]["attributes"]
    return attributes


async def see_somebody_watch(frontend: Frontend, simulator: SimulatorProcess) -> None:
    """See that a film begins, is paused and ends, and nothing of whose or which it is."""
    watched = frontend.watch(WATCHED)
    for state, shown, sessions in (
        ("playing", "on", 1),
        ("paused", "off", 0),
        ("playing", "on", 1),
        ("stopped", "off", 0),
    ):
        await simulator.control("POST", "/users/play", {"state": state})
        attributes = (await watched.becomes(shown))["attributes"]
        assert attributes["sessions"] == sessions
        assert attributes.keys() == {"friendly_name", "sessions"}


async def start_by_button_and_stop(frontend: Frontend, simulator: SimulatorProcess) -> None:
    """Start a task by its button, and stop it by its switch."""
    switch = frontend.watch(INTROS)
    await frontend.call("button.press", RUN_INTROS)
    await switch.becomes("on")
    assert await running_on(simulator) == ["ButlerTaskGenerateIntroMarkers"]
    await frontend.call("switch.turn_off", INTROS)
    await switch.becomes("off")
    assert await running_on(simulator) == []
    await rest(frontend, simulator)


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
    await rest(frontend, simulator)
    assert await running_on(simulator) == []


async def start_and_stop_all(frontend: Frontend, simulator: SimulatorProcess) -> None:
    """Let the server start what is due, and stop it again."""
    maintenance, current = frontend.watch(MAINTENANCE), frontend.watch(CURRENT)
    assert await frontend.ask(f"{DOMAIN}.start_all") == {"result": "accepted"}
    await maintenance.becomes("on")
    await frontend.call("button.press", STOP_ALL)
    await current.becomes("nothing", within=AT_REST)
    await maintenance.becomes("off", within=AT_REST)
    assert await running_on(simulator) == []
    await frontend.call("button.press", START_ALL)
    await maintenance.becomes("on")
    assert await frontend.ask(f"{DOMAIN}.stop_all") == {"result": "accepted"}
    await maintenance.becomes("off", within=AT_REST)


async def lose_the_server(frontend: Frontend, simulator: SimulatorProcess) -> None:
    """See what an outage looks like."""
    server, switch = frontend.watch(SERVER), frontend.watch(BACKUP)
    await simulator.control("POST", "/stop-listening")
    with pytest.raises(FrontendError, match='"Attic" cannot be reached'):
        await frontend.ask(f"{DOMAIN}.start_task", task="backup_database")
    await frontend.call("homeassistant.update_entity", SERVER)
    await server.becomes("off")
    await switch.becomes("unavailable")
    assert told(frontend)["event_type"] == "stopped"


async def find_the_server_again(frontend: Frontend, simulator: SimulatorProcess) -> None:
    """See the server come back that was still off when Home Assistant had started."""
    entry = await frontend.entry_in("setup_retry", DOMAIN)
    assert entry["reason"].startswith('"Attic" cannot be reached')
    server, switch = frontend.watch(SERVER), frontend.watch(BACKUP)
    await simulator.control("POST", "/listen")
    await server.becomes("on")
    await switch.becomes("off")
    await frontend.entry_in("loaded", DOMAIN)


async def rest(frontend: Frontend, simulator: SimulatorProcess) -> None:
    """Let the last items end, and wait until Butler's row is idle as well."""
    await simulator.advance(ALL_OF_IT)
    await frontend.wait_for(
        lambda: frontend.states[MAINTENANCE]["state"] == "off" or None, within=AT_REST
    )


async def running_on(simulator: SimulatorProcess) -> list[str]:
    """Ask the simulator what really runs."""
    running: list[str] = (await simulator.state())["running"]
    return running


async def remove(frontend: Frontend, entry_id: str) -> None:
    """Download the diagnostics, remove the server, and find nothing left."""
    assert (await frontend.diagnostics(entry_id))["data"]
    await frontend.remove_entry(entry_id)
    await frontend.wait_for(lambda: not any("attic" in name for name in frontend.states) or None)
    assert await everything(frontend) == {}
    assert await frontend.issues(DOMAIN) == []
    assert await frontend.flows(DOMAIN) == []
