"""The examples of the documentation, run as they stand there."""

import ast
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.automation import DOMAIN as AUTOMATION
from homeassistant.components.script import DOMAIN as SCRIPT
from homeassistant.const import CONF_WEBHOOK_ID, STATE_OFF, STATE_ON
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_mock_service

from custom_components.plex_butler.const import CONF_WEBHOOK
from tests.integration.examples import EXAMPLES, example
from tests.integration.patient_house import House
from tests.simulator import Profile, SimulatedPlex
from tests.task_names import BACKUP, SCAN, THUMBS

MAINTENANCE: Final = "binary_sensor.nas_maintenance"


def test_every_example_is_run() -> None:
    """Each is asked for, by its name, in a test that stands beside this one."""
    run = {
        (name, *number) if number else (name, 0)
        for path in Path(__file__).parent.glob("test_examples*.py")
        for test in ast.parse(path.read_text()).body
        if getattr(test, "name", "").startswith("test_")
        for call in ast.walk(test)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "example"
        for name, *number in [[ast.literal_eval(argument) for argument in call.args]]
    }
    found = {(name, number) for name, blocks in EXAMPLES.items() for number in range(len(blocks))}
    assert run == found


@pytest.fixture
async def house(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> AsyncGenerator[House]:
    """A Home Assistant whose automations are turned off in the end."""
    yield House(hass, freezer)
    if hass.states.async_entity_ids(AUTOMATION):
        await hass.services.async_call(AUTOMATION, "turn_off", {"entity_id": "all"}, blocking=True)


@pytest.fixture(name="server")
def fixture_server(server: SimulatedPlex) -> SimulatedPlex:
    """The server has the name that it has in the examples."""
    server.friendly_name = "NAS"
    return server


async def automate(house: House, automation: dict[str, Any]) -> None:
    config: dict[str, Any] = {AUTOMATION: [automation]}
    assert await async_setup_component(house.hass, AUTOMATION, config)
    await house.settled()
    [state] = house.hass.states.async_all(AUTOMATION)
    assert state.state == STATE_ON


async def asked(house: House, *actions: dict[str, Any], response: str) -> list[ServiceCall]:
    """Run actions as an automation, which then tells what their response is."""
    calls = async_mock_service(house.hass, "test", "told")
    tells = {"action": "test.told", "data": {response: f"{{{{ {response} }}}}"}}
    trigger = {"trigger": "event", "event_type": "ask"}
    await automate(
        house, {"alias": "Snapshot", "triggers": [trigger], "actions": [*actions, tells]}
    )
    house.hass.bus.async_fire("ask")
    await house.settled()
    return calls


def commands(server: SimulatedPlex) -> list[str]:
    """Return what was sent since the last time, reading aside."""
    sent = [f"{request.method} {request.path}" for request in server.requests]
    server.requests.clear()
    return [command for command in sent if not command.startswith("GET")]


def window(server: SimulatedPlex) -> tuple[object, object]:
    values = server.preferences.values
    return values["ButlerStartHour"], values["ButlerEndHour"]


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=dt_util.get_default_time_zone())


def becomes(house: House, text: str, *, step: float = 60) -> Any:
    """Let the time pass until it is that of a text."""
    return house.passes((local(text) - dt_util.now()).total_seconds(), step=step)


# Automations


@pytest.mark.usefixtures("loaded")
async def test_maintenance_gives_way(house: House, server: SimulatedPlex) -> None:
    server.butler.profiles[THUMBS] = Profile(duration=86400)
    await automate(house, example("Plex maintenance gives way to viewers"))
    server.users.play()
    await house.passes(10)
    assert commands(server) == []
    server.users.play("stopped")
    await house.passes(10)
    server.butler.start(THUMBS)
    await house.passes(60)
    assert house.hass.states.is_state(MAINTENANCE, STATE_ON)
    server.users.play()
    await house.passes(60)
    assert commands(server) == ["DELETE /butler"]
    assert house.hass.states.is_state(MAINTENANCE, STATE_OFF)


@pytest.mark.usefixtures("loaded")
async def test_ends_are_told(hass: HomeAssistant, house: House, server: SimulatedPlex) -> None:
    calls = async_mock_service(hass, "notify", "send_message")
    server.butler.profiles[THUMBS] = Profile(activity="media.generate.chapter.thumbs", items=2)
    await automate(house, example("Tell which Plex tasks have ended"))
    await house.act("plex_butler", "start_task", task=THUMBS)
    await house.passes(300)
    [call] = calls
    assert call.data["entity_id"] == ["notify.phone"]
    assert call.data["message"] == f"{THUMBS} on NAS: finished after 2 minutes"


@pytest.mark.usefixtures("loaded")
async def test_wake_work_sleep(
    hass: HomeAssistant, house: House, server: SimulatedPlex, freezer: FrozenDateTimeFactory
) -> None:
    wakes = async_mock_service(hass, "button", "press")
    sleeps = async_mock_service(hass, SCRIPT, "nas_shut_down")
    freezer.move_to(local("2027-01-10T09:50:00"))
    await automate(house, example("Weekly maintenance of the Plex server"))
    await server.stop_listening()
    await becomes(house, "2027-01-10T10:01:00", step=30)
    assert [call.data["entity_id"] for call in wakes] == [["button.nas_wake_on_lan"]]
    await house.passes(120, step=30)
    assert commands(server) == []
    await server.listen()
    await house.passes(60, step=30)
    assert commands(server) == ["POST /butler"]
    assert hass.states.is_state(MAINTENANCE, STATE_ON)
    await house.passes(150, step=30)
    assert not sleeps
    for _ in range(1000):
        await house.passes(60, step=30)
        if hass.states.is_state(MAINTENANCE, STATE_OFF):
            break
        assert not sleeps
    await house.passes(30, step=30)
    assert len(sleeps) == 1


@pytest.mark.usefixtures("loaded")
async def test_window_waits_for_the_end_of_the_film(
    house: House, server: SimulatedPlex, freezer: FrozenDateTimeFactory
) -> None:
    freezer.move_to(local("2027-01-12T01:40:00"))
    await automate(house, example("Plex maintenance waits for the end of the film"))
    await house.passes(60)
    server.users.play(seconds=86400)
    await becomes(house, "2027-01-12T01:54:00")
    assert window(server) == (2, 5)
    await becomes(house, "2027-01-12T01:56:00")
    assert window(server) == (3, 6)
    await becomes(house, "2027-01-12T02:56:00")
    assert window(server) == (4, 7)
    server.users.play("stopped")
    await becomes(house, "2027-01-12T04:00:00")
    assert window(server) == (4, 7)
    freezer.move_to(local("2027-01-12T11:50:00"))
    await becomes(house, "2027-01-12T12:01:00")
    assert window(server) == (2, 5)


@pytest.mark.usefixtures("loaded")
async def test_window_opens_while_the_nas_is_awake(
    house: House, server: SimulatedPlex, freezer: FrozenDateTimeFactory
) -> None:
    freezer.move_to(local("2027-01-12T21:40:00"))
    await automate(house, example("Plex maintenance while the NAS is awake"))
    await house.passes(60)
    await server.stop_listening()
    await house.passes(60, step=30)
    await server.listen()
    await house.passes(90, step=30)
    assert window(server) == (2, 5)
    await house.passes(120, step=30)
    now = dt_util.now()
    assert now - local("2027-01-12T21:40:00") < timedelta(minutes=20)
    assert window(server) == (22, 1)


async def test_overdue_backup_is_told(
    hass: HomeAssistant, house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    options = {CONF_WEBHOOK: True, CONF_WEBHOOK_ID: "5ecre7" * 8}
    object.__setattr__(entry, "options", options)
    await house.set_up(entry, server)
    began = dt_util.now()
    calls = async_mock_service(hass, "notify", "send_message")
    await automate(house, example("Warn me if the Plex backup is overdue"))
    await house.passes(7 * 86400, step=21600)
    assert not calls
    await house.passes(600, step=300)
    [call] = calls
    assert call.data["message"] == f"Plex has reported no good backup since {began.date()}."
    # What was so before an outage is not told again.
    await server.stop_listening()
    await house.passes(120, step=30)
    assert hass.states.is_state("binary_sensor.nas_backup_overdue", "unavailable")
    await server.listen()
    await house.passes(120, step=30)
    assert hass.states.is_state("binary_sensor.nas_backup_overdue", STATE_ON)
    assert len(calls) == 1


# Actions


@pytest.mark.usefixtures("loaded")
async def test_run_task_returns_what_the_page_shows(house: House, server: SimulatedPlex) -> None:
    server.butler.profiles[BACKUP] = Profile(duration=5)
    action, response = example("actions: run_task"), example("actions: run_task", 1)
    calls = await asked(house, action, response=action["response_variable"])
    assert not calls
    await house.passes(60)
    [call] = calls
    returned = call.data[action["response_variable"]]
    assert [*returned] == [*response]
    for each in (returned, response):
        started, ended = (datetime.fromisoformat(each.pop(key)) for key in ("started", "ended"))
        assert started.utcoffset() == timedelta()
        assert each.pop("duration") == (ended - started).total_seconds()
        assert datetime.fromisoformat(each.pop("last_known")) == ended
    assert returned == response


@pytest.mark.usefixtures("loaded")
async def test_schedule_changes_for_a_day(house: House, server: SimulatedPlex) -> None:
    ids = ("ButlerStartHour", "ButlerEndHour", f"ButlerTask{SCAN}", "GenerateBIFBehavior")

    def values() -> list[object]:
        return [server.preferences.values[each] for each in ids]

    server.preferences.values |= {f"ButlerTask{SCAN}": True, "GenerateBIFBehavior": "scheduled"}
    await house.passes(3600, step=300)
    await asked(house, *example("actions: set_schedule")["sequence"], response="changed")
    assert values() == [4, 6, False, "never"]
    await house.passes(86400 - 600, step=300)
    assert values() == [4, 6, False, "never"]
    await house.passes(900, step=300)
    assert values() == [2, 5, True, "scheduled"]


@pytest.mark.usefixtures("loaded")
async def test_runs_of_the_night(
    house: House, server: SimulatedPlex, freezer: FrozenDateTimeFactory
) -> None:
    async def run() -> None:
        await house.act("plex_butler", "start_task", task=BACKUP)
        await house.passes(120, step=30)

    server.butler.profiles[BACKUP] = Profile(duration=0)
    freezer.move_to(local("2027-01-11T17:00:00"))
    await house.passes(60)
    await run()
    freezer.move_to(local("2027-01-11T23:00:00"))
    await run()
    freezer.move_to(local("2027-01-12T08:00:00"))
    action = example("actions: get_runs")
    [call] = await asked(house, action, response=action["response_variable"])
    [only] = call.data[action["response_variable"]]["runs"]
    assert dt_util.as_local(datetime.fromisoformat(only["started"])).hour == 23


@pytest.mark.usefixtures("loaded")
async def test_trigger_fires_for_the_task(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    calls = async_mock_service(hass, "test", "told")
    data = {"name": "{{ trigger.name }}", "outcome": "{{ trigger.outcome }}"}
    tells = {"alias": "One", "actions": [{"action": "test.told", "data": data}]}
    await automate(house, example("actions: Triggers") | tells)
    server.butler.profiles |= {BACKUP: Profile(duration=0), SCAN: Profile(duration=0)}
    for task in (SCAN, BACKUP):
        await house.act("plex_butler", "start_task", task=task)
        await house.passes(60)
    assert [dict(call.data) for call in calls] == [{"name": BACKUP, "outcome": "finished"}]
    server.butler.profiles[BACKUP] = Profile(duration=86400)
    await house.act("plex_butler", "start_task", task=BACKUP)
    await house.act("plex_butler", "stop_task", task=BACKUP)
    assert len(calls) == 1


@pytest.mark.usefixtures("loaded")
async def test_condition_is_met_while_one_of_the_tasks_runs(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    calls = async_mock_service(hass, "test", "met")
    server.butler.profiles |= {BACKUP: Profile(duration=86400), SCAN: Profile(duration=86400)}
    ask = {
        "alias": "One",
        "triggers": [{"trigger": "event", "event_type": "ask"}],
        "actions": [{"action": "test.met"}],
    }
    await automate(house, example("actions: Conditions") | ask)
    for task, met in ((SCAN, 0), (BACKUP, 1)):
        await house.act("plex_butler", "start_task", task=task)
        hass.bus.async_fire("ask")
        await house.settled()
        assert len(calls) == met
