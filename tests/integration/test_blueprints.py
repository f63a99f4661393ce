"""The blueprints: each is well-formed, and does what it says, run against the simulator."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
import shutil
from typing import Any, Final, override
from urllib.parse import quote

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.automation import DOMAIN as AUTOMATION
from homeassistant.components.automation.helpers import async_get_blueprints
from homeassistant.components.blueprint.models import Blueprint
from homeassistant.components.trace.util import async_get_trace, async_list_traces
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, ServiceCall, callback
from homeassistant.helpers.event import async_track_state_change_event
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
    async_mock_service,
)

from custom_components.plex_butler.const import DOMAIN
from custom_components.plex_butler.runs.tasks import KNOWN_TASKS
from tests import conftest
from tests.conftest import entry_for
from tests.integration.plex_log import set_up_with_log
from tests.repository import ROOT, load
from tests.simulator import Profile, SimulatedPlex
from tests.task_names import BACKUP, DEEP, INTROS, LOUDNESS

FOLDER: Final = ROOT / "blueprints"
FILES: Final = ("backup_then", "do_not_disturb", "morning_report", "not_run_for_days")
SEEN: Final = {task.key for task in KNOWN_TASKS if task.activity_type}

LONG: Final = 24 * 3600
TABLET, TV, PHONE = "Tablet", "Television", "Telephone"
WATCHED: Final = "binary_sensor.cellar_being_watched"


class House(conftest.House):
    """A House that has settled when all that is left is an automation that waits."""

    @override
    async def settled(self) -> None:
        asked = -1
        while True:
            silent = await self._until_time_limit()
            await self.sent()
            tasks = self.hass._tasks | self.hass._background_tasks
            if working := [task for task in tasks if not _may_wait(task)]:
                if not silent:
                    await asyncio.wait(working)
                continue
            requests = [request for server in self.servers for request in server.requests]
            answered = silent or all(r.status or "websocket" in r.path for r in requests)
            if answered and len(requests) == asked:
                return
            asked = len(requests)


def _may_wait(task: asyncio.Future[Any]) -> bool:
    """Tell whether a task is a stream, an automation, or an action that one waits for."""
    if not isinstance(task, asyncio.Task):
        return False
    what = getattr(task.get_coro(), "__qualname__", "")
    return conftest._is_stream(task) or what in (
        "AutomationEntity._async_trigger_if_enabled",
        "Script.async_run",
        "ServiceRegistry.async_call",
    )


@pytest.fixture
def _imported(hass: HomeAssistant, tmp_path: Path) -> None:
    """Have the blueprints in the folder where Home Assistant keeps imported ones."""
    shutil.copytree(FOLDER, tmp_path / "blueprints")
    hass.config.config_dir = str(tmp_path)


@pytest.fixture
async def house(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, _imported: None
) -> AsyncGenerator[House]:
    """A Home Assistant with the blueprints, whose automations are turned off in the end."""
    yield House(hass, freezer)
    if hass.states.async_entity_ids(AUTOMATION):
        await hass.services.async_call(AUTOMATION, "turn_off", {"entity_id": "all"}, blocking=True)


@pytest.fixture(autouse=True)
def _quiet(server: SimulatedPlex) -> None:
    """Let nothing end by itself while a test looks elsewhere."""
    server.butler.profiles |= {
        BACKUP: Profile(duration=LONG),
        DEEP: Profile(duration=LONG),
        INTROS: Profile(activity="media.generate.intros", items=1, item_seconds=LONG),
        LOUDNESS: Profile(activity="media.generate.loudness", items=1, item_seconds=LONG),
    }


def commands(server: SimulatedPlex) -> list[str]:
    """Return what was sent since the last time, reading aside."""
    sent = [f"{request.method} {request.path}" for request in server.requests]
    server.requests.clear()
    return [command for command in sent if not command.startswith("GET")]


async def use(house: House, file: str, **inputs: Any) -> None:
    """Set up an automation from a blueprint, as the automation editor does."""
    path = f"{DOMAIN}/{file}.yaml"
    config = {"id": "one", "alias": "One", "use_blueprint": {"path": path, "input": inputs}}
    assert await async_setup_component(house.hass, AUTOMATION, {AUTOMATION: config})
    await house.settled()
    state = house.hass.states.get("automation.one")
    assert state
    assert state.state == "on"


def runs(house: House) -> int:
    """Return how many runs of the automation go on."""
    state = house.hass.states.get("automation.one")
    assert state
    return int(state.attributes["current"])


def soon() -> str:
    """Return a time of day within the next minute, as a time selector does; no poll is due then."""
    return (dt_util.now() + timedelta(seconds=58)).strftime("%H:%M:%S")


async def last_trace(house: House) -> dict[str, Any]:
    """Return what the trace of the last run shows."""
    key = f"{AUTOMATION}.one"
    traces = await async_list_traces(house.hass, AUTOMATION, key)
    return await async_get_trace(house.hass, key, traces[-1]["run_id"])


def errors(trace: dict[str, Any]) -> list[str]:
    """Return the steps that a trace marks as failed."""
    return [path for path, steps in trace["trace"].items() if any("error" in s for s in steps)]


# Their form


@pytest.fixture
async def blueprints(hass: HomeAssistant, house: House) -> dict[str, Blueprint]:
    """The blueprints, as Home Assistant has loaded them: schema and selectors are valid."""
    assert await async_setup_component(hass, AUTOMATION, {AUTOMATION: []})
    loaded = await async_get_blueprints(hass).async_get_blueprints()
    assert sorted(loaded) == [f"{DOMAIN}/{file}.yaml" for file in FILES]
    found = {}
    for file in FILES:
        blueprint = loaded[f"{DOMAIN}/{file}.yaml"]
        assert isinstance(blueprint, Blueprint), blueprint
        found[file] = blueprint
    return found


def test_no_other_files() -> None:
    assert sorted(path.name for path in (FOLDER / AUTOMATION / DOMAIN).iterdir()) == [
        f"{file}.yaml" for file in FILES
    ]


@pytest.mark.parametrize("file", FILES)
def test_says_where_it_comes_from_and_what_it_needs(
    blueprints: dict[str, Blueprint], file: str
) -> None:
    blueprint = blueprints[file]
    assert blueprint.validate() is None
    assert blueprint.metadata["author"] == "Plex Butler"
    assert blueprint.metadata["homeassistant"] == {"min_version": "2026.10.0"}
    assert blueprint.metadata["source_url"] == (
        f"{load('manifest.json')['documentation']}/blob/main/"
        f"blueprints/automation/plex_butler/{file}.yaml"
    )


@pytest.mark.parametrize("file", FILES)
def test_can_be_imported_from_the_readme(blueprints: dict[str, Blueprint], file: str) -> None:
    address = quote(blueprints[file].metadata["source_url"], safe="")
    link = f"https://my.home-assistant.io/redirect/blueprint_import/?blueprint_url={address}"
    assert f"({link})" in (FOLDER.parent / "README.md").read_text()


@pytest.mark.parametrize("file", FILES)
def test_each_input_explains_itself_and_none_is_a_token(
    blueprints: dict[str, Blueprint], file: str
) -> None:
    blueprint = blueprints[file]
    for field in blueprint.inputs.values():
        assert field["name"]
        assert field["description"]
        assert field["selector"]
    if file == "do_not_disturb":
        # The entity says which server it is.
        assert "server" not in blueprint.inputs
        assert [*blueprint.inputs["watched"]["selector"]] == ["entity"]
    else:
        assert blueprint.inputs["server"]["default"] == ""
        assert blueprint.inputs["server"]["selector"] == {"config_entry": {"integration": DOMAIN}}
    assert "token" not in str(blueprint.data).lower()


def test_tasks_to_choose_from_are_those_of_the_table(blueprints: dict[str, Blueprint]) -> None:
    options = blueprints["not_run_for_days"].inputs["tasks"]["selector"]["select"]["options"]
    labels = {option["value"]: option["label"] for option in options}
    assert set(labels) == {task.key for task in KNOWN_TASKS}
    # What a task may do when it is started is of no matter here.
    translated = load("translations/en.json")["selector"]["task"]["options"]
    assert labels == {key: label.partition(" (")[0] for key, label in translated.items()}


def test_what_is_said_of_tasks_that_are_seen_is_true(blueprints: dict[str, Blueprint]) -> None:
    description = blueprints["not_run_for_days"].metadata["description"]
    translated = load("translations/en.json")["selector"]["task"]["options"]
    seen, _, started = description.partition("all others, ")
    assert {key for key, label in translated.items() if label in seen} == SEEN
    assert {key for key, label in translated.items() if label in started} == {"backup_database"}


# Backup, then …


@pytest.fixture
def then(hass: HomeAssistant) -> list[ServiceCall]:
    """What was done after a backup."""
    return async_mock_service(hass, "test", "then")


@pytest.fixture
def otherwise(hass: HomeAssistant) -> list[ServiceCall]:
    """What was done without one."""
    return async_mock_service(hass, "test", "otherwise")


async def back_up(house: House, **inputs: Any) -> None:
    """Set the automation up, and let its time come."""
    told = {"data": {"result": "{{ result }}"}}
    actions = {
        "then_actions": [{"action": "test.then"} | told],
        "otherwise_actions": [{"action": "test.otherwise"} | told],
    }
    await use(house, "backup_then", time=soon(), **actions | inputs)
    await house.passes(58)


def results(calls: list[ServiceCall]) -> list[str]:
    """Return the results with which actions were called."""
    return [call.data["result"] for call in calls]


@pytest.mark.usefixtures("loaded")
async def test_backup_whose_end_is_seen_is_followed_at_once(
    house: House, server: SimulatedPlex, then: list[ServiceCall], otherwise: list[ServiceCall]
) -> None:
    server.butler.profiles[BACKUP] = Profile(duration=300)
    await back_up(house)
    assert commands(server) == ["POST /butler/BackupDatabase"]
    await house.passes(290)
    assert results(then) == []
    await house.passes(20)
    assert results(then) == ["finished"]
    await house.passes(3600, step=60)
    assert results(then) == ["finished"]
    assert results(otherwise) == []
    assert commands(server) == []


@pytest.mark.usefixtures("loaded", "without_stream")
async def test_quick_backup_is_given_the_minutes_that_the_user_chose(
    house: House, server: SimulatedPlex, then: list[ServiceCall], otherwise: list[ServiceCall]
) -> None:
    server.butler.profiles[BACKUP] = Profile(duration=0.1)
    await back_up(house, wait_minutes=5)
    await house.passes(5 * 60)
    assert results(then) == []
    await house.passes(60)
    assert results(then) == ["end_not_seen"]
    assert results(otherwise) == []
    assert commands(server) == ["POST /butler/BackupDatabase"]


@pytest.mark.parametrize(("code", "result"), [(0, "succeeded"), (11, "failed")])
async def test_what_plexs_log_says_of_the_backup_decides(
    house: House,
    server: SimulatedPlex,
    then: list[ServiceCall],
    otherwise: list[ServiceCall],
    code: int,
    result: str,
) -> None:
    server.butler.profiles[BACKUP] = Profile(duration=0.1)
    server.faults.backup_code = code
    await set_up_with_log(house, server)
    await back_up(house)
    await house.passes(60)
    assert results(otherwise if code else then) == [result]
    assert results(then if code else otherwise) == []


@pytest.mark.usefixtures("loaded")
async def test_server_that_is_gone_after_the_wait_has_made_no_backup(
    house: House, server: SimulatedPlex, then: list[ServiceCall], otherwise: list[ServiceCall]
) -> None:
    await back_up(house)
    await server.stop_listening()
    await house.passes(14 * 60)
    assert results(then) == results(otherwise) == []
    await house.passes(3 * 60)
    assert results(then) == []
    assert results(otherwise) == ["failed"]


@pytest.mark.usefixtures("loaded")
async def test_backup_that_somebody_stops_is_not_followed(
    house: House,
    server: SimulatedPlex,
    then: list[ServiceCall],
    otherwise: list[ServiceCall],
) -> None:
    await back_up(house)
    await house.passes(60)
    await house.act(DOMAIN, "stop_task", task="backup_database")
    await house.passes(3600, step=60)
    assert results(then) == []
    assert results(otherwise) == ["stopped"]
    trace = await last_trace(house)
    assert trace["script_execution"] == "aborted"


@pytest.mark.usefixtures("loaded")
async def test_backup_that_takes_too_long_is_not_followed(
    house: House, server: SimulatedPlex, then: list[ServiceCall], otherwise: list[ServiceCall]
) -> None:
    await back_up(house, longest_run={"hours": 0, "minutes": 10, "seconds": 0})
    await house.passes(590)
    assert results(otherwise) == []
    await house.passes(20)
    assert results(otherwise) == ["timeout"]
    assert server.butler.running == {BACKUP}
    await house.passes(3600, step=60)
    assert results(then) == []


@pytest.mark.usefixtures("loaded")
async def test_backup_that_cannot_be_started_is_not_followed(
    house: House,
    server: SimulatedPlex,
    then: list[ServiceCall],
    otherwise: list[ServiceCall],
) -> None:
    await server.stop_listening()
    await back_up(house)
    await house.passes(3600, step=60)
    assert results(then) == []
    assert results(otherwise) == ["failed"]
    trace = await last_trace(house)
    assert trace["script_execution"] == "aborted"
    assert "action/0" in errors(trace)
    assert "cannot be reached" in trace["trace"]["action/0"][0]["error"]


@pytest.mark.usefixtures("loaded")
async def test_without_a_backup_nothing_is_done_if_the_user_wants_nothing(
    house: House, server: SimulatedPlex, then: list[ServiceCall]
) -> None:
    await server.stop_listening()
    await back_up(house, otherwise_actions=[])
    await house.passes(3600, step=60)
    assert results(then) == []
    assert runs(house) == 0


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("named", [True, False])
async def test_backup_of_one_of_two_servers(
    house: House,
    server: SimulatedPlex,
    entry: MockConfigEntry,
    then: list[ServiceCall],
    otherwise: list[ServiceCall],
    named: bool,
) -> None:
    async with SimulatedPlex(machine_identifier="f" * 40, friendly_name="Attic") as attic:
        await house.set_up(entry_for(attic), attic)
        await back_up(house, server=entry.entry_id if named else "", wait_minutes=0)
        assert commands(server) == ["POST /butler/BackupDatabase"] * named
        await house.act(DOMAIN, "stop_all", config_entry_id=entry.entry_id)
        assert results(otherwise) == ["stopped" if named else "failed"]
        assert results(then) == []
        assert commands(attic) == []


# Do not disturb viewers


async def disturb_nobody(house: House, **inputs: Any) -> None:
    """Set the automation up, while nobody plays anything."""
    await use(house, "do_not_disturb", watched=WATCHED, **inputs)
    await house.passes(10)


async def turns(house: House, player: str, state: str) -> None:
    """Let a player change its state, and that be shown."""
    house.servers[0].users.play(state, player, seconds=LONG)
    await house.passes(5)


@pytest.mark.usefixtures("loaded")
async def test_what_was_stopped_is_started_again_after_the_quiet_time(
    house: House, server: SimulatedPlex
) -> None:
    await disturb_nobody(house)
    await house.act(DOMAIN, "start_task", task="backup_database")
    server.butler.start(INTROS)
    await house.passes(60)
    assert commands(server) == ["POST /butler/BackupDatabase"]
    await turns(house, TV, "playing")
    assert commands(server) == ["DELETE /butler"]
    assert server.butler.running == set()
    await house.passes(2 * 3600, step=60)
    await turns(house, TV, "paused")
    await house.passes(10 * 60, step=60)
    await turns(house, TV, "stopped")
    await house.passes(19 * 60, step=60)
    assert commands(server) == []
    await house.passes(60)
    assert commands(server) == [f"POST /butler/{BACKUP}", f"POST /butler/{INTROS}"]
    assert server.butler.running == {BACKUP, INTROS}
    assert runs(house) == 0
    await house.passes(2 * 3600, step=60)
    assert commands(server) == []


@pytest.mark.usefixtures("loaded")
async def test_second_and_third_viewer_inside_the_waiting_time_belong_to_one_run(
    house: House, server: SimulatedPlex
) -> None:
    triggered = async_capture_events(house.hass, "automation_triggered")
    await disturb_nobody(house, quiet_time={"hours": 0, "minutes": 10, "seconds": 0})
    server.butler.start(INTROS)
    await house.passes(10)
    await turns(house, TV, "playing")
    assert commands(server) == ["DELETE /butler"]
    await house.passes(60)
    await turns(house, TABLET, "playing")
    await turns(house, TV, "stopped")
    await house.passes(20 * 60, step=60)
    await turns(house, TABLET, "stopped")
    await house.passes(9 * 60, step=60)
    await turns(house, PHONE, "playing")
    await house.passes(5 * 60, step=60)
    await turns(house, PHONE, "stopped")
    await house.passes(9 * 60, step=60)
    assert commands(server) == []
    assert runs(house) == 1
    await house.passes(65)
    assert commands(server) == [f"POST /butler/{INTROS}"]
    assert runs(house) == 0
    assert len(triggered) == 1


@pytest.mark.usefixtures("loaded")
async def test_what_begins_while_they_watch_is_stopped_and_started_again_too(
    house: House, server: SimulatedPlex
) -> None:
    await disturb_nobody(house)
    server.butler.start(INTROS)
    await house.passes(10)
    await turns(house, TV, "playing")
    await house.passes(3600, step=60)
    assert commands(server) == ["DELETE /butler"]
    for name in (LOUDNESS, INTROS):
        server.butler.start(name)
        await house.passes(10)
        assert commands(server) == ["DELETE /butler"]
        assert server.butler.running == set()
        await house.passes(600, step=60)
    await turns(house, TV, "stopped")
    await house.passes(30 * 60, step=60)
    assert commands(server) == [f"POST /butler/{INTROS}", f"POST /butler/{LOUDNESS}"]


@pytest.mark.usefixtures("loaded")
async def test_what_begins_is_given_a_moment_to_show_which_task_it_is(
    house: House, server: SimulatedPlex
) -> None:
    await disturb_nobody(house)
    await turns(house, TV, "playing")
    server.butler.start(DEEP)
    await house.passes(3, step=1)
    server.butler.start(LOUDNESS)
    await house.passes(10, step=1)
    assert commands(server) == ["DELETE /butler"]
    await turns(house, TV, "stopped")
    await house.passes(30 * 60, step=60)
    assert commands(server) == [f"POST /butler/{LOUDNESS}"]


@pytest.mark.usefixtures("loaded")
async def test_what_begins_while_nobody_plays_is_left_alone_until_somebody_does(
    house: House, server: SimulatedPlex
) -> None:
    await disturb_nobody(house)
    await turns(house, TV, "playing")
    await turns(house, TV, "stopped")
    server.butler.start(INTROS)
    await house.passes(20 * 60, step=60)
    assert commands(server) == []
    await turns(house, TV, "playing")
    assert commands(server) == ["DELETE /butler"]


@pytest.mark.usefixtures("loaded")
async def test_nothing_is_sent_when_nothing_runs(house: House, server: SimulatedPlex) -> None:
    await disturb_nobody(house)
    await turns(house, TV, "playing")
    await house.passes(3600, step=60)
    await turns(house, TV, "stopped")
    await house.passes(3600, step=60)
    assert commands(server) == []
    assert runs(house) == 0


@pytest.mark.usefixtures("loaded")
async def test_maintenance_of_which_plex_does_not_say_what_it_is_can_only_be_stopped(
    house: House, server: SimulatedPlex
) -> None:
    await disturb_nobody(house, start_again="likely")
    server.butler.start(DEEP)
    await house.passes(60)
    await turns(house, TV, "playing")
    assert commands(server) == ["DELETE /butler"]
    await turns(house, TV, "stopped")
    await house.passes(3600, step=60)
    assert commands(server) == []


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("start_again", "started"),
    [("known", [BACKUP]), ("likely", [BACKUP, LOUDNESS]), ("nothing", [])],
)
async def test_user_chooses_what_is_started_again(
    house: House, server: SimulatedPlex, start_again: str, started: list[str]
) -> None:
    server.faults.no_row = True
    await disturb_nobody(house, start_again=start_again)
    server.butler.start(LOUDNESS)
    await house.passes(300)
    await house.act(DOMAIN, "start_task", task="backup_database")
    server.requests.clear()
    await turns(house, TV, "playing")
    assert commands(server) == ["DELETE /butler"]
    await turns(house, TV, "stopped")
    await house.passes(30 * 60, step=60)
    assert sorted(commands(server)) == [f"POST /butler/{name}" for name in started]


@pytest.mark.usefixtures("loaded")
async def test_start_that_fails_keeps_no_other_task_from_starting(
    house: House, server: SimulatedPlex
) -> None:
    await disturb_nobody(house)
    server.butler.start(INTROS)
    await house.passes(60)
    await house.act(DOMAIN, "start_task", task="loudness_analysis")
    await turns(house, TV, "playing")
    await turns(house, TV, "stopped")
    server.butler.remove_task(INTROS)
    server.requests.clear()
    await house.passes(30 * 60, step=60)
    assert f"POST /butler/{LOUDNESS}" in commands(server)
    assert server.butler.running == {LOUDNESS}
    assert errors(await last_trace(house))


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("stopped", [[INTROS], [INTROS, LOUDNESS]])
async def test_viewer_who_comes_while_tasks_are_started_again_is_not_disturbed(
    house: House, server: SimulatedPlex, stopped: list[str]
) -> None:
    await disturb_nobody(house)
    for name in stopped:
        server.butler.start(name)
    await house.passes(60)
    await turns(house, TV, "playing")
    await turns(house, TV, "stopped")
    assert commands(server) == ["DELETE /butler"]

    @callback
    def press_play(event: Event[EventStateChangedData]) -> None:
        unsubscribe()
        server.users.play(player=TV, seconds=LONG)
        # Nothing is faster, so that this is the moment when it matters.
        house.hass.states.async_set(WATCHED, "on")

    switch = house.entity_id(server, "switch", f"task_{INTROS}")
    unsubscribe = async_track_state_change_event(house.hass, switch, press_play)
    await house.passes(30 * 60, step=60)
    assert commands(server) == [f"POST /butler/{INTROS}", "DELETE /butler"]
    assert runs(house) == 1
    await turns(house, TV, "stopped")
    await house.passes(30 * 60, step=60)
    assert sorted(commands(server)) == [f"POST /butler/{name}" for name in stopped]
    assert runs(house) == 0


@pytest.mark.usefixtures("loaded")
async def test_quiet_time_starts_anew_however_short_somebody_played(
    house: House, server: SimulatedPlex
) -> None:
    await disturb_nobody(house)
    server.butler.start(INTROS)
    await house.passes(60)
    await turns(house, TV, "playing")
    await turns(house, TV, "stopped")
    assert commands(server) == ["DELETE /butler"]
    await house.passes(20 * 60, step=60)
    await turns(house, TABLET, "playing")
    await turns(house, TABLET, "stopped")
    await house.passes(29 * 60, step=60)
    assert commands(server) == []
    await house.passes(60)
    assert commands(server) == [f"POST /butler/{INTROS}"]


@pytest.mark.usefixtures("loaded")
async def test_stop_that_fails_is_tried_again_while_they_watch(
    house: House, server: SimulatedPlex
) -> None:
    await disturb_nobody(house)
    server.butler.start(INTROS)
    await house.passes(60)
    server.faults.still_starting_up = True
    await turns(house, TV, "playing")
    assert commands(server) == ["DELETE /butler"]
    assert server.butler.running == {INTROS}
    server.faults.still_starting_up = False
    await house.passes(295)
    assert commands(server) == []
    await house.passes(10)
    assert commands(server) == ["DELETE /butler"]
    assert server.butler.running == set()


@pytest.mark.usefixtures("loaded")
async def test_only_what_could_be_stopped_is_started_again(
    house: House, server: SimulatedPlex
) -> None:
    await disturb_nobody(house)
    server.butler.start(INTROS)
    await house.passes(60)
    await turns(house, TV, "playing")
    await house.passes(180, step=60)
    server.faults.still_starting_up = True
    server.butler.start(LOUDNESS)
    await house.passes(60)
    await turns(house, TV, "stopped")
    server.faults.still_starting_up = False
    assert commands(server) == ["DELETE /butler"] * 2
    await house.passes(30 * 60, step=60)
    assert commands(server) == [f"POST /butler/{INTROS}"]


@pytest.mark.usefixtures("loaded")
async def test_server_that_comes_back_while_they_watch_is_kept_quiet(
    house: House, server: SimulatedPlex, caplog: pytest.LogCaptureFixture
) -> None:
    await disturb_nobody(house)
    await turns(house, TV, "playing")
    await server.stop_listening()
    await house.passes(3600, step=60)
    assert runs(house) == 0
    logged = [r for r in caplog.records if "cannot be reached" in r.message and "one" in r.name]
    assert len(logged) < 5
    await server.listen()
    server.butler.start(INTROS)
    await house.passes(31 * 60, step=60)
    assert commands(server) == ["DELETE /butler"]


@pytest.mark.usefixtures("loaded")
async def test_what_was_stopped_waits_for_a_server_that_is_away(
    house: House, server: SimulatedPlex
) -> None:
    await disturb_nobody(house)
    server.butler.start(INTROS)
    await house.passes(10)
    await turns(house, TV, "playing")
    await turns(house, TV, "stopped")
    assert commands(server) == ["DELETE /butler"]
    await server.stop_listening()
    await house.passes(3600, step=60)
    assert runs(house) == 1
    await server.listen()
    await house.passes(60)
    assert commands(server) == [f"POST /butler/{INTROS}"]
    assert runs(house) == 0


@pytest.mark.usefixtures("loaded")
async def test_only_the_server_that_is_watched_gives_way(
    house: House, server: SimulatedPlex
) -> None:
    async with SimulatedPlex(machine_identifier="f" * 40, friendly_name="Attic") as attic:
        attic.butler.profiles = server.butler.profiles
        await house.set_up(entry_for(attic), attic)
        await disturb_nobody(house)
        await turns(house, TV, "playing")
        attic.butler.start(INTROS)
        await house.passes(60)
        server.butler.start(INTROS)
        await house.passes(60)
        assert commands(server) == ["DELETE /butler"]
        await turns(house, TV, "stopped")
        await house.passes(30 * 60, step=60)
        assert commands(server) == [f"POST /butler/{INTROS}"]
        assert commands(attic) == []


# Tell me if a task has not run


@pytest.fixture
def told(hass: HomeAssistant) -> list[ServiceCall]:
    """What the user was told."""
    return async_mock_service(hass, "test", "tell")


async def look_daily(house: House, *tasks: str, **inputs: Any) -> None:
    """Set the automation up, and let a minute pass less than until its time."""
    tell = {
        "action": "test.tell",
        "data": {"overdue": "{{ overdue }}", "message": "{{ message }}"},
    }
    chosen = {"tasks": list(tasks), "days": 2, "time": soon(), "actions": [tell]}
    await use(house, "not_run_for_days", **chosen | inputs)


DAY: Final = 24 * 3600


async def days_pass(house: House, days: int) -> None:
    """Let days pass, a little more than an hour at a time."""
    await house.passes(days * DAY, step=4000)


@pytest.mark.usefixtures("loaded")
async def test_task_that_was_never_seen_counts_from_the_day_the_server_was_added(
    house: House, told: list[ServiceCall]
) -> None:
    added = dt_util.now().strftime("%Y-%m-%d")
    await look_daily(house, "backup_database", "refresh_libraries")
    await days_pass(house, 2)
    assert told == []
    await house.passes(120)
    [call] = told
    assert call.data["overdue"] == ["backup_database", "refresh_libraries"]
    begin = "Home Assistant began to watch the server on"
    assert call.data["message"] == (
        f"Backup Database has not been seen to run since {begin} {added}.\n"
        f"Refresh Libraries has not been seen to run since {begin} {added}."
    )
    await days_pass(house, 1)
    assert len(told) == 2


@pytest.mark.usefixtures("loaded")
async def test_only_what_has_not_run_for_so_long_is_told(
    house: House, server: SimulatedPlex, told: list[ServiceCall]
) -> None:
    server.butler.profiles[INTROS].item_seconds = 60
    await house.act(DOMAIN, "start_task", task="backup_database")
    await house.passes(60)
    await house.act(DOMAIN, "stop_task", task="backup_database")
    stopped = dt_util.now().strftime("%Y-%m-%d")
    await look_daily(house, "backup_database", "generate_intro_markers", "loudness_analysis")
    await days_pass(house, 1)
    await house.act(DOMAIN, "start_task", task="generate_intro_markers")
    await house.passes(1200)
    server.butler.start(LOUDNESS)
    await days_pass(house, 1)
    [call] = told
    assert call.data["overdue"] == ["backup_database"]
    assert call.data["message"] == f"Backup Database has not been seen to run since {stopped}."


@pytest.mark.usefixtures("loaded")
async def test_task_that_runs_now_is_not_told_of(
    house: House, server: SimulatedPlex, told: list[ServiceCall]
) -> None:
    server.butler.profiles[LOUDNESS].item_seconds = 10 * DAY
    await look_daily(house, "loudness_analysis")
    server.butler.start(LOUDNESS)
    await days_pass(house, 4)
    assert told == []


@pytest.mark.usefixtures("loaded")
async def test_task_may_be_given_by_its_own_name(house: House, told: list[ServiceCall]) -> None:
    await look_daily(house, "BackupDatabase")
    await days_pass(house, 3)
    assert [call.data["overdue"] for call in told] == [["backup_database"]]


@pytest.mark.usefixtures("loaded")
async def test_task_that_the_server_does_not_list_is_not_told_of(
    house: House, server: SimulatedPlex, told: list[ServiceCall]
) -> None:
    server.faults.unknown_task = True
    await look_daily(house, "build_gracenote_collections", "ButlerTaskPolishSilverware")
    await days_pass(house, 3)
    assert [call.data["overdue"] for call in told] == [["ButlerTaskPolishSilverware"]]


@pytest.mark.usefixtures("loaded")
async def test_nothing_is_told_while_the_server_does_not_answer(
    house: House,
    server: SimulatedPlex,
    told: list[ServiceCall],
) -> None:
    await look_daily(house, "backup_database")
    await server.stop_listening()
    await days_pass(house, 4)
    assert told == []
    trace = await last_trace(house)
    assert trace["script_execution"] == "error"
    assert errors(trace) == ["action/0"]
    await server.listen()
    await house.passes(40)
    await days_pass(house, 1)
    assert len(told) == 1


@pytest.mark.usefixtures("loaded")
async def test_one_of_two_servers_is_looked_at(
    house: House, server: SimulatedPlex, entry: MockConfigEntry, told: list[ServiceCall]
) -> None:
    async with SimulatedPlex(machine_identifier="f" * 40, friendly_name="Attic") as attic:
        attic.butler.remove_task(BACKUP)
        await house.set_up(entry_for(attic), attic)
        await look_daily(house, "backup_database", server=entry.entry_id)
        await days_pass(house, 3)
        assert len(told) == 1


# Morning report


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("known_server", [False, True])
async def test_morning_report_tells_what_ran_and_first_what_did_not_end_well(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
    *,
    known_server: bool,
) -> None:
    told = async_mock_service(hass, "persistent_notification", "create")
    server.butler.profiles[BACKUP] = Profile(duration=1)
    server.faults.row_always_100 = True
    await house.act(DOMAIN, "start_task", task=INTROS)
    await house.passes(20)
    await house.act(DOMAIN, "stop_task", task=INTROS)
    await house.act(DOMAIN, "start_task", task=BACKUP)
    await house.passes(60)
    begun = dt_util.now() - timedelta(minutes=5)
    inputs = {"server": loaded.entry_id} if known_server else {}
    await use(house, "morning_report", time=soon(), since=begun.strftime("%H:%M:%S"), **inputs)
    await house.passes(60)
    (call,) = told
    assert not errors(await last_trace(house))
    backup, intros = call.data["message"].split("\n")
    assert backup.endswith("Backup database: end not seen")
    assert intros.endswith("Generate intro markers: stopped after 0:00:20")
    assert call.data["title"] == "What Plex did last night"


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("quiet_nights", [False, True])
async def test_morning_report_of_a_quiet_night(
    hass: HomeAssistant, house: House, *, quiet_nights: bool
) -> None:
    told = async_mock_service(hass, "persistent_notification", "create")
    # Saved as it comes, but for the time.
    inputs = {"quiet_nights": True} if quiet_nights else {}
    await use(house, "morning_report", time=soon(), **inputs)
    await house.passes(60)
    assert [call.data["message"] for call in told] == (
        ["Nothing was seen to run."] if quiet_nights else []
    )
