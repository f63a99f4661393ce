"""Who did it: the context of a call travels to every state and event that follows from it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.automation import DOMAIN as AUTOMATION
from homeassistant.components.button import DOMAIN as BUTTON, SERVICE_PRESS
from homeassistant.components.event import DOMAIN as EVENT
from homeassistant.components.script import DOMAIN as SCRIPT
from homeassistant.components.switch import DOMAIN as SWITCH
from homeassistant.const import (
    EVENT_STATE_CHANGED,
    MATCH_ALL,
    SERVICE_TURN_OFF,
    SERVICE_TURN_ON,
    STATE_OFF,
    STATE_ON,
)
from homeassistant.core import Context, Event, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    MockUser,
    async_capture_events,
    async_fire_time_changed,
)

from custom_components.plex_butler.const import DOMAIN
from custom_components.plex_butler.origins import KEPT_AT_MOST
from custom_components.plex_butler.run_log import EVENT_RUN_ENDED
from tests.conftest import House, entry_for
from tests.integration.enabled import enable
from tests.simulator import SimulatedPlex
from tests.task_names import BACKUP, INTROS, THUMBS

KEY: Final = f"task_{INTROS}"
START_INTROS: Final = {"action": f"{DOMAIN}.start_task", "data": {"task": INTROS}}
SERVER_WIDE: Final = (
    ("binary_sensor", "maintenance"),
    ("calendar", "maintenance"),
    ("sensor", "current_task"),
)


@pytest.fixture
def entry(hass: HomeAssistant, server: SimulatedPlex) -> MockConfigEntry:
    """The entry of the server, with the event entity and a sensor of a last run enabled."""
    entry = entry_for(server)
    enable(hass, entry, server, EVENT, "task_activity")
    enable(hass, entry, server, "sensor", KEY)
    enable(hass, entry, server, BUTTON, KEY)
    return entry


@pytest.fixture(autouse=True)
def user(hass_admin_user: MockUser) -> None:
    """Let there be a user."""


@pytest.fixture
def ended(hass: HomeAssistant) -> list[Event[Any]]:
    """Return the events of runs that have ended."""
    return async_capture_events(hass, EVENT_RUN_ENDED)


class Authors:
    """The contexts of all states of ours that were written since the last look."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Begin to collect."""
        self._found: list[tuple[str, Context]] = []
        hass.bus.async_listen(EVENT_STATE_CHANGED, self._note)

    @callback
    def _note(self, event: Event[Any]) -> None:
        if "cellar" in event.data["entity_id"]:
            self._found.append((event.data["entity_id"], event.context))

    def take(self) -> dict[str, Context]:
        """Return the last context of each entity, and forget them."""
        found, self._found = self._found, []
        return dict(found)


def ids(authors: Mapping[str, Context]) -> set[str]:
    return {context.id for context in authors.values()}


async def by_user(house: House, domain: str, action: str, **data: Any) -> Context:
    """Call an action as a user of the frontend does; return the context."""
    context = Context(user_id=(await house.hass.auth.async_get_users())[0].id)
    await house.hass.services.async_call(domain, action, data, blocking=True, context=context)
    await house.settled()
    return context


async def automate(hass: HomeAssistant, *actions: Any, **more: Any) -> None:
    """Set up an automation that an event triggers."""
    automation = {
        "alias": "Night",
        "triggers": [{"trigger": "event", "event_type": "night"}],
        "actions": list(actions),
    }
    assert await async_setup_component(hass, AUTOMATION, {AUTOMATION: automation | more})
    await hass.async_block_till_done()


async def scripted(hass: HomeAssistant, **scripts: Any) -> None:
    """Set up scripts."""
    assert await async_setup_component(hass, SCRIPT, {SCRIPT: scripts})


async def started_by(house: House, task: str = "generate_intro_markers") -> str | None:
    """Return who started a task, as get_tasks says."""
    answer = await house.act(DOMAIN, "get_tasks", True)
    [run] = [each["run"] for each in answer["tasks"] if each["task"] == task]
    author: str | None = run["started_by"]
    return author


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("way", ["switch", "button", "action"])
async def test_every_state_that_follows_from_a_call_has_its_context(
    hass: HomeAssistant, house: House, server: SimulatedPlex, ended: list[Event[Any]], way: str
) -> None:
    authors = Authors(hass)
    if way == "action":
        context = await by_user(house, DOMAIN, "start_task", task=INTROS)
    else:
        platform, action = (SWITCH, SERVICE_TURN_ON) if way == "switch" else (BUTTON, SERVICE_PRESS)
        entity_id = house.entity_id(server, platform, KEY)
        context = await by_user(house, platform, action, entity_id=entity_id)
    await house.passes(20)
    began = authors.take()
    shown = {house.entity_id(server, *each) for each in SERVER_WIDE}
    shown |= {house.entity_id(server, SWITCH, KEY), house.entity_id(server, EVENT, "task_activity")}
    pressed = {house.entity_id(server, BUTTON, KEY)} if way == "button" else set()
    assert began.keys() == shown | pressed
    assert ids(began) == {context.id}
    # Long after Home Assistant itself would have forgotten it.
    await house.passes(600, step=30)
    over = authors.take()
    shown |= {house.entity_id(server, "sensor", "last_task")}
    assert over.keys() == shown | {house.entity_id(server, "sensor", KEY)}
    assert ids(over) == {context.id}
    assert {each.user_id for each in over.values()} == {context.user_id}
    assert [event.context.id for event in ended] == [context.id]


@pytest.mark.usefixtures("loaded")
async def test_stop_has_the_context_of_whoever_stops(
    hass: HomeAssistant, house: House, server: SimulatedPlex, ended: list[Event[Any]]
) -> None:
    await by_user(house, DOMAIN, "start_task", task=INTROS)
    await house.passes(20)
    authors = Authors(hass)
    context = await by_user(
        house, SWITCH, SERVICE_TURN_OFF, entity_id=house.entity_id(server, SWITCH, KEY)
    )
    stopped = authors.take()
    assert house.entity_id(server, SWITCH, KEY) in stopped
    assert ids(stopped) == {context.id}
    assert [event.context.id for event in ended] == [context.id]
    # Maintenance goes on until the row has turned idle.
    await house.passes(30)
    assert house.state(server, "binary_sensor", "maintenance").state == STATE_OFF
    assert {each: c.id for each, c in authors.take().items()} == {
        house.entity_id(server, "binary_sensor", "maintenance"): context.id,
        house.entity_id(server, "sensor", "current_task"): context.id,
    }


@pytest.mark.usefixtures("loaded")
async def test_button_that_stops_everything_did_it_and_the_one_that_starts_it_starts_no_task(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    await by_user(house, DOMAIN, "start_task", task=INTROS)
    await house.passes(5)
    authors = Authors(hass)
    for key in ("start_all", "stop_all"):
        button = house.entity_id(server, BUTTON, key)
        context = await by_user(house, BUTTON, SERVICE_PRESS, entity_id=button)
        await house.passes(5)
    assert authors.take()[house.entity_id(server, SWITCH, KEY)].id == context.id
    runs = (await house.act(DOMAIN, "get_runs", True))["runs"]
    assert len(runs) > 1
    assert {run["name"] for run in runs if run["started_by"]} == {INTROS}
    assert {(run["outcome"], run["stopped_by"]) for run in runs} == {("stopped", "user")}


@pytest.mark.usefixtures("loaded")
async def test_what_plex_does_by_itself_is_nobodys_doing(
    hass: HomeAssistant, house: House, server: SimulatedPlex, ended: list[Event[Any]]
) -> None:
    authors = Authors(hass)
    context = await by_user(house, DOMAIN, "start_task", task=THUMBS)
    # At the same time, in the seconds in which Home Assistant remembers the context of a call.
    server.butler.start(INTROS)
    await house.passes(4)
    of_intros = authors.take()[house.entity_id(server, SWITCH, KEY)]
    assert of_intros.id != context.id
    assert (of_intros.parent_id, of_intros.user_id) == (None, None)
    await house.passes(900, step=30)
    assert {event.data["name"]: event.context.id == context.id for event in ended} == {
        THUMBS: True,
        INTROS: False,
    }
    [of_intros] = [
        run for run in (await house.act(DOMAIN, "get_runs", True))["runs"] if run["name"] == INTROS
    ]
    assert (of_intros["ours"], of_intros["started_by"]) == (False, None)


@pytest.mark.usefixtures("loaded")
async def test_maintenance_without_a_known_task_is_nobodys_doing(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    context = await by_user(house, DOMAIN, "start_task", task=THUMBS)
    await house.passes(120)
    authors = Authors(hass)
    for value in (40, None):
        server.activities.work(value)
        await house.passes(20)
        written = authors.take()
        assert house.entity_id(server, "binary_sensor", "maintenance") in written
        assert context.id not in ids(written)


@pytest.mark.usefixtures("loaded")
async def test_task_that_was_running_already_is_shown_in_the_context_of_the_call(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    server.butler.start("DeepMediaAnalysis")
    await house.passes(5)
    authors = Authors(hass)
    context = await by_user(house, DOMAIN, "start_task", task="DeepMediaAnalysis")
    written = authors.take()
    assert written[house.entity_id(server, SWITCH, "task_DeepMediaAnalysis")].id == context.id
    # But nobody says that it was started by that.
    assert await started_by(house, "deep_media_analysis") is None


@pytest.mark.usefixtures("loaded")
async def test_outage_is_nobodys_doing(
    hass: HomeAssistant, house: House, server: SimulatedPlex, ended: list[Event[Any]]
) -> None:
    context = await by_user(house, DOMAIN, "start_task", task=INTROS)
    await house.passes(10)
    authors = Authors(hass)
    await server.stop_listening()
    await house.passes(90, step=30)
    await server.listen()
    await house.passes(60, step=30)
    assert context.id not in ids(authors.take())
    assert ended == []
    [run] = (await house.act(DOMAIN, "get_runs", True))["runs"]
    assert (run["outcome"], run["started_by"]) == ("end_not_seen", "user")


async def test_context_outlives_a_restart(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
    ended: list[Event[Any]],
) -> None:
    await automate(hass, START_INTROS)
    hass.bus.async_fire("night")
    await house.passes(30)
    began = house.state(server, SWITCH, KEY).context
    assert await hass.config_entries.async_reload(loaded.entry_id)
    await house.settled()
    assert await started_by(house) == "automation.night"
    await house.passes(600, step=30)
    over = house.state(server, SWITCH, KEY)
    assert over.state == STATE_OFF
    assert over.context is not began
    assert over.context == began
    assert over.context.parent_id == began.parent_id
    assert [event.context for event in ended] == [began]


# Automations and scripts


@pytest.mark.usefixtures("loaded")
async def test_automation_is_known_after_an_hour_of_waiting(
    hass: HomeAssistant, house: House, server: SimulatedPlex, freezer: FrozenDateTimeFactory
) -> None:
    await automate(hass, {"delay": {"hours": 1}}, START_INTROS)
    hass.bus.async_fire("night")
    await house.sent()
    triggered = hass.states.get("automation.night")
    assert triggered
    # Meanwhile many others are triggered.
    for _ in range(KEPT_AT_MOST + 1):
        hass.bus.async_fire("automation_triggered", {"entity_id": "automation.other"})
    freezer.tick(timedelta(hours=1, seconds=1))
    async_fire_time_changed(hass)
    await house.settled()
    assert await started_by(house) == "automation.night"
    assert house.state(server, SWITCH, KEY).context == triggered.context


@pytest.mark.usefixtures("loaded")
async def test_parallel_runs_of_an_automation_have_a_context_each(
    hass: HomeAssistant, house: House, server: SimulatedPlex, freezer: FrozenDateTimeFactory
) -> None:
    start = {"action": f"{DOMAIN}.start_task", "data": {"task": "{{ trigger.event.data.task }}"}}
    await automate(hass, {"delay": 60}, start, mode="parallel")
    fired = []
    for task in (THUMBS, INTROS):
        context = Context()
        hass.bus.async_fire("night", {"task": task}, context=context)
        fired.append(context.id)
        await house.sent()
    freezer.tick(timedelta(seconds=61))
    async_fire_time_changed(hass)
    await house.settled()
    switches = [house.state(server, SWITCH, f"task_{task}") for task in (THUMBS, INTROS)]
    assert [state.state for state in switches] == [STATE_ON, STATE_ON]
    assert [state.context.parent_id for state in switches] == fired
    assert switches[0].context != switches[1].context
    assert await started_by(house) == "automation.night"
    assert await started_by(house, "generate_chapter_thumbs") == "automation.night"


@pytest.mark.usefixtures("loaded")
async def test_script_that_an_automation_calls_is_the_automations_doing(
    hass: HomeAssistant, house: House, freezer: FrozenDateTimeFactory
) -> None:
    await scripted(hass, maintain={"sequence": [{"delay": 1}, START_INTROS]})
    await automate(hass, {"action": "script.maintain"})
    hass.bus.async_fire("night")
    await house.sent()
    freezer.tick(timedelta(seconds=2))
    async_fire_time_changed(hass)
    await house.settled()
    # As the logbook says it.
    assert await started_by(house) == "automation.night"


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize(
    ("domain", "action", "data"),
    [
        (SCRIPT, "maintain", {}),
        (SCRIPT, "maintain", {"entity_id": "light.hall"}),
        (SCRIPT, "turn_on", {"entity_id": "script.at_night"}),
        (SCRIPT, "turn_on", {"entity_id": ["script.at_night"]}),
        ("homeassistant", "turn_on", {"entity_id": "script.at_night"}),
    ],
)
async def test_script_that_a_user_runs_is_known_by_the_name_it_has_now(
    hass: HomeAssistant,
    house: House,
    domain: str,
    action: str,
    data: dict[str, Any],
    *,
    recorded: bool,
) -> None:
    if recorded:
        # Somebody listens to the calls of actions, too: then these come first.
        async_capture_events(hass, MATCH_ALL)
    assert await async_setup_component(hass, "homeassistant", {})
    await scripted(hass, maintain={"sequence": [START_INTROS]})
    er.async_get(hass).async_update_entity("script.maintain", new_entity_id="script.at_night")
    await hass.async_block_till_done()
    await by_user(house, domain, action, **data)
    assert await started_by(house) == "script.at_night"


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("entity_id", [["script.one", "script.two"], "switch.cellar_backup", None])
async def test_call_that_names_something_else_is_the_users_doing(
    hass: HomeAssistant, house: House, server: SimulatedPlex, entity_id: Any
) -> None:
    async_capture_events(hass, "call_service")
    context = Context(user_id="0123456789abcdef")
    data = {"domain": "x", "service": "y", "service_data": {"entity_id": entity_id}}
    hass.bus.async_fire("call_service", data, context=context)
    await hass.services.async_call(
        DOMAIN, "start_task", {"task": INTROS}, blocking=True, context=context
    )
    assert await started_by(house) == "user"


@pytest.mark.usefixtures("loaded")
async def test_call_of_nobody_has_no_author(house: House) -> None:
    await house.act(DOMAIN, "start_task", task=INTROS)
    assert await started_by(house) is None


@pytest.mark.usefixtures("loaded")
async def test_only_so_many_contexts_are_kept(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    context = await by_user(house, DOMAIN, "start_task", task=INTROS)
    for _ in range(KEPT_AT_MOST):
        await hass.services.async_call(DOMAIN, "stop_task", {"task": BACKUP}, blocking=True)
    await house.passes(600, step=30)
    over = house.state(server, SWITCH, KEY).context
    assert over is not context
    assert (over.id, over.user_id) == (context.id, context.user_id)


# The event


@pytest.mark.usefixtures("loaded")
async def test_event_names_device_and_switch(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    entry: MockConfigEntry,
    ended: list[Event[Any]],
) -> None:
    await house.act(DOMAIN, "start_task", task=THUMBS)
    await house.passes(60)
    device = dr.async_get(hass).async_get_device_by_identifier(
        (DOMAIN, server.machine_identifier), entry.entry_id
    )
    assert device
    assert [event.data for event in ended] == [
        {
            "device_id": device.id,
            "entity_id": house.entity_id(server, SWITCH, f"task_{THUMBS}"),
            "title": server.butler.tasks[THUMBS].title,
            "task": "generate_chapter_thumbs",
            "name": THUMBS,
            "outcome": "finished",
            "duration": 10,
            "known_by": "observed",
        }
    ]


@pytest.mark.usefixtures("loaded")
async def test_event_comes_without_what_the_registries_do_not_have(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    entry: MockConfigEntry,
    ended: list[Event[Any]],
) -> None:
    registry = dr.async_get(hass)
    [device] = dr.async_entries_for_config_entry(registry, entry.entry_id)
    await house.act(DOMAIN, "start_task", task=THUMBS)
    registry.async_remove_device(device.id)
    await house.passes(60)
    assert [(event.data["device_id"], event.data["entity_id"]) for event in ended] == [(None, None)]
