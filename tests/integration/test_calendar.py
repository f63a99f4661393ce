"""The calendar: what has run, what runs, and the window of each night."""

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.automation import DOMAIN as AUTOMATION
from homeassistant.components.calendar import DOMAIN as CALENDAR
from homeassistant.const import (
    EVENT_STATE_CHANGED,
    EVENT_STATE_REPORTED,
    STATE_OFF,
    STATE_ON,
    STATE_UNAVAILABLE,
)
from homeassistant.core import Event, HomeAssistant, State, callback
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_mock_service
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.plex_butler.const import DOMAIN
from tests.conftest import House
from tests.simulator import Profile, SimulatedPlex
from tests.task_names import BACKUP, DEEP, INTROS, THUMBS

NIGHT: Final = datetime.fromisoformat("2026-11-24T00:30:00-08:00")
"""Before the window, which is open from 2 to 5, in the harness's time zone."""
WINDOW: Final = "Maintenance window"
HOURS: Final = (
    "Plex runs its scheduled tasks between 2:00 and 5:00 by the clock of the server. These are the "
    "current settings. They are shown as if the server had the same clock as Home Assistant."
)


@pytest.fixture(autouse=True)
def night(freezer: FrozenDateTimeFactory) -> None:
    """Begin before the window of a night."""
    freezer.move_to(NIGHT)


@pytest.fixture
async def entry(hass: HomeAssistant, entry: MockConfigEntry, night: None) -> MockConfigEntry:
    """The entry of the server."""
    await hass.config.async_set_time_zone("America/Los_Angeles")
    return entry


def shown(state: State) -> tuple[Any, ...]:
    """Return what the calendar's state shows."""
    keys = ("message", "start_time", "end_time")
    return (state.state, *(state.attributes.get(key) for key in keys))


def calendar(house: House, server: SimulatedPlex) -> State:
    return house.state(server, CALENDAR, "maintenance")


async def events(
    house: House, server: SimulatedPlex, begin: datetime, end: datetime
) -> list[dict[str, str]]:
    """Return the events of a period, with their times as the clock on the wall shows them."""
    entity_id = house.entity_id(server, CALENDAR, "maintenance")
    data = {"start_date_time": begin.isoformat(), "end_date_time": end.isoformat()}
    answer = await house.act(CALENDAR, "get_events", True, entity_id=entity_id, **data)
    found: list[dict[str, str]] = answer[entity_id]["events"]
    return [
        each
        | {
            key: f"{datetime.fromisoformat(each[key]).astimezone(NIGHT.tzinfo):%m-%d %H:%M:%S}"
            for key in ("start", "end")
        }
        for each in found
    ]


async def told(
    house: House, server: SimulatedPlex, begin: datetime = NIGHT, days: float = 1
) -> list[tuple[str, str, str]]:
    """Return the beginning, the end and the title of the events of some days."""
    found = await events(house, server, begin, begin + timedelta(days=days))
    return [(each["start"], each["end"], each["summary"]) for each in found]


@pytest.mark.usefixtures("loaded")
async def test_windows_of_the_nights_ahead(house: House, server: SimulatedPlex) -> None:
    assert await told(house, server, days=2) == [
        ("11-24 02:00:00", "11-24 05:00:00", WINDOW),
        ("11-25 02:00:00", "11-25 05:00:00", WINDOW),
    ]
    [window, _] = await events(house, server, NIGHT, NIGHT + timedelta(days=2))
    assert window["description"] == HOURS
    assert shown(calendar(house, server)) == (
        STATE_OFF,
        WINDOW,
        "2026-11-24 02:00:00",
        "2026-11-24 05:00:00",
    )


@pytest.mark.usefixtures("loaded")
async def test_window_opens_and_closes_by_itself(house: House, server: SimulatedPlex) -> None:
    await house.passes(90 * 60, step=300)
    assert shown(calendar(house, server))[:3] == (STATE_ON, WINDOW, "2026-11-24 02:00:00")
    await house.passes(3 * 3600, step=300)
    assert shown(calendar(house, server))[:3] == (STATE_OFF, WINDOW, "2026-11-25 02:00:00")
    # Nothing ran in it.
    assert await told(house, server, NIGHT, 0.5) == []


async def test_window_that_is_moved_or_closed_is_shown_so(
    house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    server.change_preferences({"ButlerStartHour": "23"})
    await house.set_up(entry, server)
    assert shown(calendar(house, server))[:3] == (STATE_ON, WINDOW, "2026-11-23 23:00:00")
    server.change_preferences({"ButlerEndHour": "23"})
    await house.passes(5)
    assert shown(calendar(house, server))[:2] == (STATE_OFF, None)
    assert await told(house, server, days=10) == []


async def test_server_that_does_not_say_its_hours_has_no_window(
    house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    server.faults.prefs_status = 403
    await house.set_up(entry, server)
    assert shown(calendar(house, server))[:2] == (STATE_OFF, None)
    assert await told(house, server, days=10) == []


@pytest.mark.usefixtures("loaded")
async def test_run_is_shown_from_its_start_to_its_end(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    automation = {
        "alias": "Every night",
        "triggers": [{"trigger": "event", "event_type": "night"}],
        "actions": [{"action": f"{DOMAIN}.start_task", "data": {"task": THUMBS}}],
    }
    assert await async_setup_component(hass, AUTOMATION, {AUTOMATION: automation})
    await house.settled()
    await house.passes(2 * 3600, step=300)
    hass.bus.async_fire("night")
    await house.settled()
    state = calendar(house, server)
    assert shown(state) == (
        STATE_ON,
        "Generate chapter thumbnails",
        "2026-11-24 02:30:00",
        "2026-11-24 04:00:00",
    )
    assert state.attributes["description"] == (
        "Still running. When it will end is not known, and the end shown here is only a placeholder. "
        "Observed. Started by Every night."
    )
    assert await told(house, server) == [
        ("11-24 02:00:00", "11-24 05:00:00", WINDOW),
        ("11-24 02:30:00", "11-24 04:00:00", "Generate chapter thumbnails"),
    ]
    await house.passes(60)
    [_, run] = await events(house, server, NIGHT, NIGHT + timedelta(days=1))
    assert run == {
        "start": "11-24 02:30:00",
        "end": "11-24 02:30:10",
        "summary": "Generate chapter thumbnails",
        "description": "Finished after 10 s. Observed. Started by Every night.",
    }
    assert shown(calendar(house, server))[:3] == (STATE_ON, WINDOW, "2026-11-24 02:00:00")
    # Something ran in it.
    await house.passes(12 * 3600, step=600)
    assert len(await told(house, server, NIGHT, 0.5)) == 2


@pytest.mark.usefixtures("loaded", "without_stream")
async def test_what_is_not_known_is_said(
    hass: HomeAssistant, house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    await house.act(DOMAIN, "start_task", task=BACKUP)
    await house.passes(60)
    server.butler.start(INTROS)
    server.activities.work(40)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await house.passes(60)
    await house.act(DOMAIN, "stop_task", task=INTROS)
    server.butler.start(DEEP)
    await house.act(DOMAIN, "start_task", task=DEEP)
    found = await events(house, server, NIGHT, NIGHT + timedelta(hours=1))
    assert {each["summary"]: each["description"] for each in found} == {
        "Backup database": (
            "The end was not seen. The time shown is when the task was last known to be running. "
            "This is assumed, not observed. Started by Home Assistant."
        ),
        "Generate intro markers": (
            "Stopped. The start was not seen. The time shown is when the task was first seen. "
            "Observed. Not started by Home Assistant."
        ),
        "Deep media analysis": (
            "Still running. When it will end is not known, and the end shown here is only a placeholder. "
            "The start was not seen. The time shown is when the task was first seen. "
            "This is assumed, not observed."
        ),
    }


@pytest.mark.usefixtures("loaded")
async def test_automation_that_is_not_there_any_more_is_named_by_its_id_and_a_user_not_at_all(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    entry: MockConfigEntry,
    hass_storage: dict[str, Any],
) -> None:
    await house.act(DOMAIN, "start_task", task=THUMBS)
    await house.passes(60)
    assert await hass.config_entries.async_unload(entry.entry_id)
    for file, rows in (("", "last_runs"), (".history", "runs")):
        [row] = hass_storage[f"{DOMAIN}.{entry.entry_id}{file}"]["data"][rows]
        row["started_by"] |= {"entity_id": "automation.gone"}
        row["stopped_by"] = row["started_by"] | {"entity_id": None, "user_id": "0123456789"}
    await house.set_up(entry, server)
    [run] = await events(house, server, NIGHT, NIGHT + timedelta(hours=1))
    assert run["description"].endswith("Started by automation.gone. Stopped by a user.")


@pytest.mark.usefixtures("loaded")
async def test_tasks_that_run_side_by_side_are_all_in_the_state(
    house: House, server: SimulatedPlex
) -> None:
    await house.act(DOMAIN, "start_task", task=INTROS)
    await house.passes(30)
    await house.act(DOMAIN, "start_task", task=DEEP)
    state = calendar(house, server)
    assert shown(state) == (
        STATE_ON,
        "Generate intro markers, Deep media analysis",
        "2026-11-24 00:30:00",
        "2026-11-24 02:00:00",
    )
    for task in ("Generate intro markers", "Deep media analysis"):
        assert f"{task}: Still running" in state.attributes["description"]
    assert len(await told(house, server, days=1 / 24)) == 2


async def test_task_that_is_not_known_has_the_servers_title(
    house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    server.butler.add_task("BrewCoffee", title="Brew Coffee")
    server.butler.profiles["BrewCoffee"] = Profile(duration=20)
    await house.set_up(entry, server)
    await house.act(DOMAIN, "start_task", task="BrewCoffee")
    await house.passes(60)
    assert [title for *_, title in await told(house, server, days=1 / 24)] == ["Brew Coffee"]
    server.butler.remove_task("BrewCoffee")
    await house.passes(3700, step=300)
    assert [title for *_, title in await told(house, server, days=1 / 24)] == ["BrewCoffee"]


@pytest.mark.usefixtures("loaded")
async def test_outage_hides_what_runs_and_nothing_else(house: House, server: SimulatedPlex) -> None:
    await house.act(DOMAIN, "start_task", task=THUMBS)
    await house.passes(60)
    await house.act(DOMAIN, "start_task", task=INTROS)
    await server.stop_listening()
    await house.passes(6, step=6)
    assert house.state(server, "switch", f"task_{INTROS}").state == STATE_UNAVAILABLE
    assert shown(calendar(house, server))[:2] == (STATE_OFF, WINDOW)
    titles = [title for *_, title in await told(house, server)]
    assert titles == ["Generate chapter thumbnails", WINDOW]


@pytest.mark.usefixtures("loaded")
async def test_end_that_is_not_known_is_always_far_enough_ahead_for_no_trigger_to_take_it(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    entity_id = house.entity_id(server, CALENDAR, "maintenance")
    calls = async_mock_service(hass, "test", "told")
    automation = {
        "triggers": [
            {"trigger": "calendar", "entity_id": entity_id, "event": event}
            for event in ("start", "end")
        ],
        "actions": [
            {
                "action": "test.told",
                "data": {
                    "told": "{{ trigger.event }} {{ trigger.calendar_event.summary }}",
                },
            }
        ],
        "mode": "parallel",
    }
    server.butler.profiles[DEEP] = Profile(duration=5 * 3600)
    server.change_preferences({"ButlerStartHour": "20"})
    assert await async_setup_component(hass, AUTOMATION, {AUTOMATION: automation})
    await house.passes(60)
    await house.act(DOMAIN, "start_task", task=DEEP)
    ends = set[str]()
    for _ in range(60):
        await house.passes(300, step=300)
        state = calendar(house, server)
        if state.attributes["message"] != "Deep media analysis":
            continue
        end = dt_util.parse_datetime(state.attributes["end_time"])
        assert end
        left = end.replace(tzinfo=dt_util.now().tzinfo) - dt_util.now()
        assert left > timedelta()
        ends.add(state.attributes["end_time"])
    # One state an hour.
    assert 4 <= len(ends) <= 6
    assert {call.data["told"] for call in calls} == {f"end {WINDOW}"}
    await house.act(AUTOMATION, "turn_off", entity_id="all")


@pytest.mark.usefixtures("loaded")
async def test_idle_calendar_writes_nothing_until_the_window_opens(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    written: list[str] = []
    entity_id = house.entity_id(server, CALENDAR, "maintenance")

    @callback
    def keep(event: Event[Any]) -> None:
        if event.data["entity_id"] == entity_id:
            written.append(f"{dt_util.now():%H:%M}")

    hass.bus.async_listen(EVENT_STATE_CHANGED, keep)
    hass.bus.async_listen(EVENT_STATE_REPORTED, keep, event_filter=callback(lambda _: True))
    await house.passes(24 * 3600, step=300)
    assert written == ["02:00", "05:00"]


@pytest.mark.usefixtures("loaded")
async def test_absurd_periods_are_answered_at_once(
    hass_client: ClientSessionGenerator, house: House, server: SimulatedPlex
) -> None:
    await house.act(DOMAIN, "start_task", task=THUMBS)
    await house.passes(60)
    client = await hass_client()
    entity_id = house.entity_id(server, CALENDAR, "maintenance")
    for start, end, count in (
        ("0002-01-01T00:00:00Z", "9998-12-31T00:00:00Z", 1 + 366),
        ("9000-01-01T00:00:00Z", "9998-12-31T00:00:00Z", 0),
        ("0002-01-01T00:00:00Z", "2000-12-31T00:00:00Z", 0),
    ):
        answer = await client.get(
            f"/api/calendars/{entity_id}", params={"start": start, "end": end}
        )
        assert answer.status == HTTPStatus.OK
        assert abs(len(await answer.json()) - count) <= 1
