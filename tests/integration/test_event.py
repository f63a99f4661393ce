"""The event entity: each thing that a task did is one change of its state."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from homeassistant.components.automation import DOMAIN as AUTOMATION
from homeassistant.components.event import ATTR_EVENT_TYPE, ATTR_EVENT_TYPES, DOMAIN as EVENT
from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, State, callback
from homeassistant.helpers.event import async_track_state_change_event
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_mock_service

from custom_components.plex_butler.const import DOMAIN
from custom_components.plex_butler.runs.rules import ROW_STAYS_IDLE
from tests.conftest import House, entry_for
from tests.integration.automations import EVERYTHING, automate, told
from tests.integration.enabled import enable
from tests.simulator import Profile, SimulatedPlex
from tests.task_names import BACKUP, INTROS, THUMBS

KEY = "task_activity"
SHOWN = ("task", "name", "duration", "known_by")


@pytest.fixture
def entry(hass: HomeAssistant, server: SimulatedPlex) -> MockConfigEntry:
    """The entry of the server, whose event entity is enabled."""
    entry = entry_for(server)
    enable(hass, entry, server, EVENT, KEY)
    return entry


def shown(state: State) -> tuple[Any, ...]:
    """Return what a state says: the event's type and what comes with it."""
    return (
        state.attributes[ATTR_EVENT_TYPE],
        *(state.attributes[key] for key in SHOWN if key in state.attributes),
    )


@contextmanager
def changes(house: House, server: SimulatedPlex) -> Iterator[list[State]]:
    """Collect every change of the entity's state, of whatever kind."""
    collected: list[State] = []

    @callback
    def collect(event: Event[EventStateChangedData]) -> None:
        state = event.data["new_state"]
        assert state
        collected.append(state)

    entity_id = house.entity_id(server, EVENT, KEY)
    stop = async_track_state_change_event(house.hass, entity_id, collect)
    yield collected
    stop()


@pytest.mark.usefixtures("loaded")
async def test_from_start_to_finish(house: House, server: SimulatedPlex) -> None:
    state = house.state(server, EVENT, KEY)
    assert state.state == STATE_UNKNOWN
    assert state.attributes[ATTR_EVENT_TYPES] == [
        "started",
        "finished",
        "stopped",
        "end_not_seen",
        "succeeded",
        "failed",
    ]
    with changes(house, server) as collected:
        began = dt_util.utcnow()
        await house.act(DOMAIN, "start_task", task="generate_chapter_thumbs")
        await house.passes(10)
        told = dt_util.utcnow() + ROW_STAYS_IDLE
        await house.passes(300)
    of_task = ("generate_chapter_thumbs", THUMBS)
    assert [shown(state) for state in collected] == [
        ("started", *of_task, "assumed"),
        ("finished", *of_task, 10, "observed"),
    ]
    assert [state.state for state in collected] == [
        time.isoformat(timespec="milliseconds") for time in (began, told)
    ]


@pytest.mark.usefixtures("loaded")
async def test_each_of_two_tasks_that_end_in_one_moment_is_shown(
    house: House, server: SimulatedPlex
) -> None:
    await house.act(DOMAIN, "start_task", task=THUMBS)
    await house.act(DOMAIN, "start_task", task=INTROS)
    with changes(house, server) as collected:
        await house.passes(4)
        await house.act(DOMAIN, "stop_all")
        await house.passes(60)
    assert sorted(shown(state) for state in collected) == [
        ("stopped", "generate_chapter_thumbs", THUMBS, 4, "observed"),
        ("stopped", "generate_intro_markers", INTROS, 4, "observed"),
    ]
    assert collected[0].state < collected[1].state


@pytest.mark.usefixtures("loaded", "without_stream")
async def test_end_that_was_not_seen(house: House, server: SimulatedPlex) -> None:
    with changes(house, server) as collected:
        await house.act(DOMAIN, "start_task", task=BACKUP)
        await house.passes(60)
    assert [shown(state) for state in collected] == [
        ("started", "backup_database", BACKUP, "assumed"),
        ("end_not_seen", "backup_database", BACKUP, None, "assumed"),
    ]


async def test_work_that_anybody_may_have_caused_is_assumed(
    house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    server.faults.no_row = True
    await house.set_up(entry, server)
    await house.passes(150, step=30)  # by then nothing can have been in a pause at first sight
    with changes(house, server) as collected:
        server.users.add_episode(seconds=60)
        await house.settled()
        await house.passes(300)
    assert [shown(state) for state in collected] == [
        ("started", "generate_intro_markers", INTROS, "assumed"),
        ("finished", "generate_intro_markers", INTROS, 60, "assumed"),
    ]
    assert all("Private" not in str(state.as_dict()) for state in collected)


async def test_task_that_nobody_has_heard_of_shows_its_name(
    house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    server.butler.add_task("BrewCoffee")
    server.butler.profiles["BrewCoffee"] = Profile(duration=20)
    await house.set_up(entry, server)
    with changes(house, server) as collected:
        await house.act(DOMAIN, "start_task", task="BrewCoffee")
        await house.passes(60)
    assert [shown(state) for state in collected] == [
        ("started", "BrewCoffee", "BrewCoffee", "assumed"),
        ("finished", "BrewCoffee", "BrewCoffee", 20, "assumed"),
    ]


async def test_what_ran_before_anybody_looked_has_an_end_only(
    house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    server.butler.start(THUMBS)
    await house.set_up(entry, server)
    assert house.state(server, EVENT, KEY).state == STATE_UNKNOWN
    with changes(house, server) as collected:
        await house.passes(60)
    assert [shown(state) for state in collected] == [
        ("finished", "generate_chapter_thumbs", THUMBS, None, "observed")
    ]


@pytest.mark.usefixtures("loaded")
async def test_outage_is_no_event_and_hides_none(house: House, server: SimulatedPlex) -> None:
    server.butler.profiles["OptimizeDatabase"].stalls = False
    ran = (BACKUP, INTROS, "OptimizeDatabase")
    for task in ran:
        await house.act(DOMAIN, "start_task", task=task)
    await house.passes(10)
    before = house.state(server, EVENT, KEY)
    assert before.attributes["name"] == "OptimizeDatabase"
    with changes(house, server) as collected:
        await server.stop_listening()
        await house.passes(90, step=30)
        assert house.state(server, "binary_sensor", "maintenance").state == STATE_UNAVAILABLE
        assert house.state(server, EVENT, KEY).state == before.state
        await server.restart()
        await house.passes(600, step=30)
        assert house.state(server, "binary_sensor", "maintenance").state == STATE_OFF
    assert collected == []
    answer = await house.act(DOMAIN, "get_tasks", respond=True)
    last_runs = {task["name"]: task["last_run"] for task in answer["tasks"] if task["last_run"]}
    assert last_runs.keys() == {*ran}
    assert {(run["outcome"], run["ended"]) for run in last_runs.values()} == {
        ("end_not_seen", None)
    }


async def test_last_event_outlives_a_reload(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    await house.act(DOMAIN, "start_task", task=THUMBS)
    await house.passes(60)
    await house.act(DOMAIN, "start_task", task=INTROS)
    await house.passes(10)
    before = house.state(server, EVENT, KEY)
    assert await hass.config_entries.async_unload(loaded.entry_id)
    assert house.state(server, EVENT, KEY).state == STATE_UNAVAILABLE
    await house.passes(10)
    assert await hass.config_entries.async_setup(loaded.entry_id)
    await house.passes(10)
    assert house.state(server, "binary_sensor", "maintenance").state == STATE_ON
    after = house.state(server, EVENT, KEY)
    assert (after.state, shown(after)) == (before.state, shown(before))


@pytest.mark.usefixtures("loaded")
async def test_events_of_two_servers_do_not_mix(house: House, server: SimulatedPlex) -> None:
    async with SimulatedPlex(machine_identifier="f" * 40, friendly_name="Attic") as attic:
        attic_entry = entry_for(attic)
        enable(house.hass, attic_entry, attic, EVENT, KEY)
        await house.set_up(attic_entry, attic)
        with changes(house, server) as of_cellar, changes(house, attic) as of_attic:
            await house.act(DOMAIN, "start_task", config_entry_id=attic_entry.entry_id, task=THUMBS)
            await house.passes(30)
            server.butler.start(INTROS)
            await house.settled()
        assert [shown(state)[:2] for state in of_attic] == [
            ("started", "generate_chapter_thumbs"),
            ("finished", "generate_chapter_thumbs"),
        ]
        assert [shown(state) for state in of_cellar] == [
            ("started", "generate_intro_markers", INTROS, "observed")
        ]


@pytest.mark.usefixtures("loaded")
async def test_home_assistants_own_trigger_receives_it(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    calls = async_mock_service(hass, "test", "told")
    entity_id = house.entity_id(server, EVENT, KEY)
    automation = {
        "triggers": [
            {
                "trigger": "event.received",
                "target": {"entity_id": entity_id},
                "options": {"event_type": ["finished", "stopped"]},
            }
        ],
        "actions": [
            {
                "action": "test.told",
                "data": {"task": f"{{{{ state_attr('{entity_id}', 'task') }}}}"},
            }
        ],
    }
    assert await async_setup_component(hass, AUTOMATION, {AUTOMATION: automation})
    await house.act(DOMAIN, "start_task", task=THUMBS)
    await house.passes(5)
    assert not calls
    await house.passes(5)
    assert not calls
    await house.row_settles()
    assert [call.data["task"] for call in calls] == ["generate_chapter_thumbs"]


async def test_listener_that_fails_keeps_nothing_from_the_others(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(event: object) -> None:
        raise ZeroDivisionError

    calls = await automate(hass, *EVERYTHING)
    heard: list[object] = []
    remove = loaded.runtime_data.run_events.async_listen(fail)
    loaded.runtime_data.run_events.async_listen(heard.append)
    server.butler.start("GenerateChapterThumbs")
    await house.sent()
    await house.passes(30)
    assert len(heard) == len(told(calls)) == 4
    assert caplog.text.count("Unexpected error in a listener of run events") == 4
    remove()
