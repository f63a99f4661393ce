"""Whether somebody plays something: shown at once, asked for rarely, and nothing else is known."""

import json
from typing import Any, Final

from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNAVAILABLE, STATE_UNKNOWN
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.plex_butler.butler.viewers import RECOUNTS
from custom_components.plex_butler.const import DOMAIN
from tests.conftest import House
from tests.integration.shown import maintenance
from tests.simulator import SimulatedPlex

SESSIONS: Final = "/status/sessions"
WATCHED: Final = "binary_sensor.cellar_being_watched"


def asked(server: SimulatedPlex) -> int:
    """Return how often the sessions were asked for since the last time."""
    count = sum(request.path == SESSIONS for request in server.requests)
    server.requests.clear()
    return count


def shown(hass: HomeAssistant) -> tuple[str, int | None]:
    """Return what is shown of the sessions."""
    state = hass.states.get(WATCHED)
    assert state
    return state.state, state.attributes.get("sessions")


@pytest.mark.usefixtures("loaded")
async def test_player_is_shown_at_once_and_its_reports_cost_nothing(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    # Once before the first state, and once when the stream was open.
    await house.passes(60)
    assert asked(server) == 2
    assert shown(hass) == (STATE_OFF, 0)
    server.users.play()
    await house.settled()
    assert shown(hass) == (STATE_ON, 1)
    assert asked(server) == 1
    await house.passes(300, step=30)
    assert asked(server) == 0
    server.users.play(player="Bedroom")
    await house.passes(5)
    assert shown(hass) == (STATE_ON, 2)
    server.users.play("paused")
    await house.passes(5)
    assert shown(hass) == (STATE_ON, 1)
    server.users.play("paused", "Bedroom")
    await house.passes(5)
    assert shown(hass) == (STATE_OFF, 0)
    assert asked(server) == 3
    await house.passes(300, step=30)
    server.users.play("stopped")
    await house.passes(30)
    assert asked(server) == 0
    server.users.play("buffering", "Bedroom")
    await house.passes(5)
    assert shown(hass) == (STATE_ON, 1)
    server.users.play("playing", "Bedroom")
    await house.passes(5)
    assert asked(server) == 1
    server.users.play("stopped", "Bedroom")
    await house.passes(5)
    assert shown(hass) == (STATE_OFF, 0)
    assert asked(server) == 1


async def test_film_that_plays_already_is_found_before_the_first_state(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    entry: MockConfigEntry,
    states: list[str],
) -> None:
    server.users.play()
    await house.set_up(entry, server)
    assert shown(hass) == (STATE_ON, 1)
    await house.passes(60)
    assert states == [STATE_ON]
    # Its first report is the first that is heard of it.
    assert asked(server) == 3
    await house.passes(300, step=30)
    assert asked(server) == 0


@pytest.mark.usefixtures("without_stream")
async def test_number_that_is_lost_right_after_the_first_state_is_unknown(
    hass: HomeAssistant, house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    server.users.play()
    await house.set_up(entry, server)
    assert shown(hass) == (STATE_ON, 1)
    server.faults.sessions_refused = True
    await house.passes(35)
    assert shown(hass) == (STATE_UNKNOWN, None)


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("late", [1, RECOUNTS])
async def test_list_that_is_late_is_read_again(
    hass: HomeAssistant, house: House, server: SimulatedPlex, late: int
) -> None:
    await house.passes(60)
    asked(server)
    server.faults.late_sessions = late
    for state, expected in (
        ("playing", (STATE_ON, 1)),
        ("paused", (STATE_OFF, 0)),
        ("playing", (STATE_ON, 1)),
        ("stopped", (STATE_OFF, 0)),
    ):
        server.users.play(state)
        await house.settled()
        await house.passes(5 * late)
        assert shown(hass) == expected
        assert asked(server) == 1 + late
        await house.passes(60)
        assert asked(server) == 0


@pytest.mark.usefixtures("loaded")
async def test_list_that_stays_another_is_not_read_for_ever(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    await house.passes(60)
    asked(server)
    server.faults.late_sessions = 1000
    server.users.play()
    await house.passes(300)
    assert shown(hass) == (STATE_OFF, 0)
    assert asked(server) == 1 + RECOUNTS


@pytest.mark.usefixtures("loaded")
async def test_end_under_another_key(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    server.users.play()
    await house.passes(30)
    server.faults.stops_under_another_key = True
    asked(server)
    server.users.play("stopped")
    await house.passes(60)
    assert shown(hass) == (STATE_OFF, 0)
    assert asked(server) == 1


@pytest.mark.usefixtures("loaded")
async def test_end_that_nobody_tells_is_found_by_a_poll(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    server.users.play()
    await house.passes(30)
    server.users.lose_player()
    asked(server)
    await house.passes(700, step=60)
    assert shown(hass) == (STATE_OFF, 0)
    assert asked(server) <= 2
    await house.passes(3600, step=60)
    assert asked(server) == 0


@pytest.mark.usefixtures("loaded", "without_stream")
async def test_without_a_stream_polls_ask_but_no_more_often_than_idle_ones(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    assert asked(server) == 1
    assert shown(hass) == (STATE_OFF, 0)
    await house.passes(300)
    assert 9 <= asked(server) <= 11
    server.users.play()
    await house.passes(30)
    assert shown(hass) == (STATE_ON, 1)
    await house.act(DOMAIN, "start_task", task="deep_media_analysis")
    asked(server)
    await house.passes(150)
    assert 5 <= asked(server) <= 7
    server.users.play("stopped")
    await house.passes(30)
    assert shown(hass) == (STATE_OFF, 0)


@pytest.mark.usefixtures("loaded")
async def test_while_something_runs_a_watched_server_is_not_asked_with_every_poll(
    house: House, server: SimulatedPlex
) -> None:
    server.users.play(seconds=86400)
    await house.act(DOMAIN, "start_task", task="deep_media_analysis")
    await house.passes(20)
    asked(server)
    await house.passes(150)
    assert 4 <= asked(server) <= 6


@pytest.mark.parametrize("fault", ["no_sessions", "sessions_refused"])
async def test_server_without_a_list_of_sessions(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    house: House,
    server: SimulatedPlex,
    entry: MockConfigEntry,
    fault: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    setattr(server.faults, fault, True)
    await house.set_up(entry, server)
    assert shown(hass) == (STATE_UNKNOWN, None)
    assert asked(server) == 2
    await house.passes(1500, step=30)
    assert asked(server) == 0
    server.butler.start("DeepMediaAnalysis")
    await house.settled()
    assert maintenance(house, server) == STATE_ON
    assert not [
        record
        for record in caplog.records
        if record.name.startswith("custom_components") and record.levelname != "DEBUG"
    ]
    assert not hass.config_entries.flow.async_progress()
    diagnostics: Any = await get_diagnostics_for_config_entry(hass, hass_client, entry)
    answers = diagnostics["statistics"]["answers"]
    key = "no_list" if fault == "no_sessions" else "not_owner"
    assert answers[f"sessions: {key}"] == 2
    setattr(server.faults, fault, False)
    server.users.play()
    await house.passes(700, step=30)
    assert shown(hass) == (STATE_ON, 1)


@pytest.mark.parametrize("fault", ["", "no_sessions", "sessions_refused", "watched"])
async def test_idle_hour_beside_a_stream_asks_little_whatever_the_list_of_sessions(
    house: House, server: SimulatedPlex, entry: MockConfigEntry, fault: str
) -> None:
    if fault == "watched":
        server.users.play(seconds=86400)
    elif fault:
        setattr(server.faults, fault, True)
    await house.set_up(entry, server)
    await house.passes(700, step=60)
    server.requests.clear()
    await house.passes(3600, step=60)
    assert len(server.requests) <= 16


async def test_nothing_is_asked_for_an_entity_that_is_disabled(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    registry = er.async_get(hass)
    registry.async_update_entity(WATCHED, disabled_by=er.RegistryEntryDisabler.USER)
    await hass.async_block_till_done()
    asked(server)
    server.users.play()
    await house.passes(600, step=30)
    assert asked(server) == 0
    assert await hass.config_entries.async_reload(loaded.entry_id)
    await house.passes(600, step=30)
    assert asked(server) == 0
    assert hass.states.get(WATCHED) is None
    registry.async_update_entity(WATCHED, disabled_by=None)
    await house.passes(120)
    assert shown(hass) == (STATE_ON, 1)


@pytest.fixture
def states(hass: HomeAssistant) -> list[str]:
    """The states that are written from now on."""
    written: list[str] = []

    @callback
    def note(event: Event[EventStateChangedData]) -> None:
        if event.data["entity_id"] == WATCHED and event.data["new_state"]:
            written.append(event.data["new_state"].state)

    hass.bus.async_listen("state_changed", note)
    return written


@pytest.mark.usefixtures("loaded")
async def test_after_a_restart_the_sessions_are_counted_anew(
    hass: HomeAssistant, house: House, server: SimulatedPlex, states: list[str]
) -> None:
    server.users.play()
    await house.passes(30)
    await server.stop_listening()
    await house.passes(60, step=30)
    assert shown(hass) == (STATE_UNAVAILABLE, None)
    await server.restart()
    await house.passes(60)
    assert states == [STATE_ON, STATE_UNAVAILABLE, STATE_OFF]
    # Under the same key as before.
    server.users.play()
    await house.passes(5)
    assert shown(hass) == (STATE_ON, 1)


@pytest.mark.usefixtures("loaded")
async def test_what_began_during_an_outage_is_in_the_first_state_after_it(
    house: House, server: SimulatedPlex, states: list[str]
) -> None:
    server.faults.maintenance = True
    await house.passes(700, step=60)
    server.users.play()
    server.users.lose_player()
    server.faults.maintenance = False
    await house.passes(60)
    assert states == [STATE_UNAVAILABLE, STATE_ON]


@pytest.mark.usefixtures("loaded")
async def test_server_that_was_busy_is_asked_again(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    server.users.play()
    await house.passes(30)
    await house.act(DOMAIN, "start_task", task="optimize_database")
    await house.passes(120, step=30)
    assert house.state(server, "binary_sensor", "server").attributes["busy"] is True
    assert shown(hass) == (STATE_ON, 1)
    server.players.reset()
    await house.passes(1800, step=60)
    assert house.state(server, "binary_sensor", "server").attributes["busy"] is False
    assert shown(hass) == (STATE_OFF, 0)


@pytest.mark.usefixtures("loaded")
async def test_what_changes_while_it_is_asked_is_asked_again(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    await house.passes(60)
    server.faults.late_answers = SESSIONS
    server.users.play()
    asked(server)
    while not any(request.path == SESSIONS for request in server.requests):
        await house.sent()
    # One is counted already when the other begins.
    server.users.play(player="Bedroom")
    await house.sent()
    server.faults.late_answers = ""
    await house.passes(10)
    assert asked(server) == 2
    assert shown(hass) == (STATE_ON, 2)


@pytest.mark.usefixtures("loaded")
async def test_film_of_two_hours_is_two_states(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    await house.passes(60)
    written: list[str] = []

    @callback
    def note(event: Event[EventStateChangedData]) -> None:
        # The window of a night may begin or end meanwhile.
        if not event.data["entity_id"].startswith("calendar."):
            written.append(event.data["entity_id"])

    hass.bus.async_listen("state_changed", note)
    server.users.play(seconds=7200)
    await house.passes(7300, step=60)
    assert written == [WATCHED, WATCHED]
    assert shown(hass) == (STATE_OFF, 0)


async def test_nothing_is_told_of_who_watches_what(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
    whole_log: pytest.LogCaptureFixture,
) -> None:
    server.users.play()
    server.users.play("paused", "Bedroom")
    await house.passes(120)
    told: list[Any] = [
        [state.as_dict() for state in hass.states.async_all()],
        await get_diagnostics_for_config_entry(hass, hass_client, loaded),
    ]
    everything = json.dumps(told, default=str) + whole_log.text
    private = ("Private", "owner@example", "Living room", "Bedroom", "192.168.1.77", "188653")
    assert [name for name in private if name in everything] == []
    frames = told[1]["statistics"]["frames"]
    assert frames["sessions"] > 20
