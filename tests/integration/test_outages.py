"""Outages, refusals and restarts: what the user sees, and that it mends itself.

All of it by polling alone: nothing here has a notification stream.
"""

from datetime import timedelta
import logging
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.switch import DOMAIN as SWITCH
from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntryDisabler, ConfigEntryState
from homeassistant.const import (
    ATTR_ASSUMED_STATE,
    CONF_TOKEN,
    EVENT_STATE_CHANGED,
    STATE_OFF,
    STATE_ON,
    STATE_UNAVAILABLE,
)
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import (
    device_registry as dr,
    entity_registry as er,
    issue_registry as ir,
)
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.plex_butler.butler.statistics import Statistics
from custom_components.plex_butler.const import DOMAIN
from custom_components.plex_butler.outages import UNCONNECTED_AT_MOST, Outages
from custom_components.plex_butler.plex import PlexTimeoutError
from tests.conftest import House, entry_for
from tests.simulator import SimulatedPlex

BACKUP = "task_BackupDatabase"
OPTIMIZE = "task_OptimizeDatabase"
INTROS = "task_ButlerTaskGenerateIntroMarkers"


pytestmark = pytest.mark.usefixtures("some_tasks", "without_stream")


def connected(house: House, server: SimulatedPlex) -> str:
    return house.state(server, "binary_sensor", "server").state


async def between_two_tries(house: House, server: SimulatedPlex) -> None:
    """Wait until no try to open a stream comes with the next poll: they get more and more rare."""
    await house.passes(900, step=30)
    server.requests.clear()
    while "/:/websockets/notifications" not in {request.path for request in server.requests}:
        await house.passes(30, step=30)
    await house.passes(30, step=30)


async def refusal(house: House, action: str = "start_all", **data: Any) -> str | None:
    """Call an action that fails and return why."""
    with pytest.raises(HomeAssistantError) as refused:
        await house.act(DOMAIN, action, action == "get_tasks", **data)
    assert refused.value.translation_domain == DOMAIN
    return refused.value.translation_key


def reauths(hass: HomeAssistant, entry: MockConfigEntry) -> int:
    return len(list(entry.async_get_active_flows(hass, {SOURCE_REAUTH})))


@pytest.mark.usefixtures("loaded")
async def test_server_that_is_off_and_comes_back(
    house: House, server: SimulatedPlex, caplog: pytest.LogCaptureFixture
) -> None:
    assert connected(house, server) == STATE_ON
    await server.stop_listening()
    caplog.clear()
    await house.passes(300, step=30)
    assert connected(house, server) == STATE_OFF
    assert house.state(server, SWITCH, BACKUP).state == STATE_UNAVAILABLE
    assert house.state(server, "binary_sensor", "maintenance").state == STATE_UNAVAILABLE
    assert [
        r.levelno for r in caplog.records if DOMAIN in r.name and r.levelno > logging.DEBUG
    ] == [logging.ERROR]
    assert await refusal(house) == "cannot_connect"
    assert await refusal(house, "get_tasks") == "cannot_connect_poll"
    caplog.clear()
    await server.listen()
    await house.passes(60, step=30)
    assert connected(house, server) == STATE_ON
    assert house.state(server, SWITCH, BACKUP).state == STATE_OFF
    await house.act(DOMAIN, "stop_all")
    assert [
        r.levelno for r in caplog.records if DOMAIN in r.name and r.levelno > logging.DEBUG
    ] == [logging.INFO]


@pytest.mark.usefixtures("loaded")
async def test_runs_end_with_an_outage(house: House, server: SimulatedPlex) -> None:
    await house.act(DOMAIN, "start_task", task="generate_intro_markers")
    await house.passes(10)
    await server.stop_listening()
    await house.passes(90, step=30)
    await server.restart()
    await house.passes(60, step=30)
    assert house.state(server, SWITCH, INTROS).state == STATE_OFF


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(("seconds", "state"), [(5, STATE_ON), (35, STATE_OFF)])
async def test_one_lost_poll_ends_no_run_but_a_second_does(
    house: House, server: SimulatedPlex, seconds: int, state: str
) -> None:
    server.butler.start("DeepMediaAnalysis")
    answer = await house.act(DOMAIN, "start_task", True, task="deep_media_analysis")
    assert answer["result"] == "already_running"
    await server.stop_listening()
    await house.passes(seconds)
    assert connected(house, server) == STATE_OFF
    await server.listen()
    await house.passes(35)
    assert house.state(server, SWITCH, "task_DeepMediaAnalysis").state == state


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(("retry_after", "seconds"), [(None, 30), (120, 120), (86400, 300)])
async def test_starting_server_is_left_alone_as_long_as_it_asks(
    house: House, server: SimulatedPlex, retry_after: int | None, seconds: int
) -> None:
    server.faults.maintenance = True
    server.faults.retry_after = retry_after
    await house.passes(35)
    assert connected(house, server) == STATE_OFF
    assert await refusal(house) == "starting_up"
    server.requests.clear()
    await house.passes(seconds - 10)
    assert not server.requests
    await house.passes(10)
    assert server.requests


async def test_server_that_is_off_at_start(
    hass: HomeAssistant, house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    await server.stop_listening()
    await house.set_up(entry, server, ConfigEntryState.SETUP_RETRY)
    assert entry.reason
    await server.listen()
    await house.passes(300, step=30)
    assert entry.state is ConfigEntryState.LOADED


async def test_starting_server_says_when_to_come_again(
    house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    server.faults.maintenance = True
    await house.set_up(entry, server, ConfigEntryState.SETUP_RETRY)
    assert entry.error_reason_translation_key == "starting_up_poll"
    server.faults.maintenance = False
    await house.passes(300, step=30)
    assert entry.state is ConfigEntryState.LOADED


async def test_refused_token_at_start_is_tried_again_and_asked_for_after_a_minute(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    entry = entry_for(server, **{CONF_TOKEN: "not-the-token"})
    began = dt_util.utcnow()
    await house.set_up(entry, server, ConfigEntryState.SETUP_RETRY)
    assert entry.error_reason_translation_key == "unauthorized_poll"
    assert reauths(hass, entry) == 0
    while not reauths(hass, entry):
        await house.passes(5)
    assert timedelta(minutes=1) <= dt_util.utcnow() - began <= timedelta(minutes=2)
    # It is tried on, and only one token is asked for.
    server.requests.clear()
    await house.passes(300)
    assert server.requests
    assert (entry.state, reauths(hass, entry)) == (ConfigEntryState.SETUP_RETRY, 1)


async def test_server_that_refuses_every_token_while_it_starts_loads_by_itself(
    hass: HomeAssistant, house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    server.faults.unauthorized = True
    await house.set_up(entry, server, ConfigEntryState.SETUP_RETRY)
    server.faults.unauthorized = False
    await house.passes(15)
    assert (entry.state, reauths(hass, entry)) == (ConfigEntryState.LOADED, 0)
    # What was refused then does not count later.
    await house.passes(60)
    server.faults.unauthorized = True
    await house.passes(35)
    assert reauths(hass, entry) == 0


@pytest.mark.parametrize("meanwhile", ["reloaded", "off"])
async def test_minute_of_refusals_begins_anew(
    hass: HomeAssistant, house: House, server: SimulatedPlex, entry: MockConfigEntry, meanwhile: str
) -> None:
    server.faults.unauthorized = True
    await house.set_up(entry, server, ConfigEntryState.SETUP_RETRY)
    await house.passes(50)
    if meanwhile == "reloaded":
        await hass.config_entries.async_reload(entry.entry_id)
    else:
        await server.stop_listening()
        await house.passes(40)
        await server.listen()
    refused = dt_util.utcnow()
    while not reauths(hass, entry):
        await house.passes(5)
    assert dt_util.utcnow() - refused >= timedelta(minutes=1)


async def test_token_that_is_taken_again_is_asked_for_no_more(
    hass: HomeAssistant, house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    server.faults.unauthorized = True
    await house.set_up(entry, server, ConfigEntryState.SETUP_RETRY)
    await house.passes(120)
    assert reauths(hass, entry) == 1
    server.faults.unauthorized = False
    await house.passes(90)
    assert (entry.state, reauths(hass, entry)) == (ConfigEntryState.LOADED, 0)


async def test_token_that_is_refused_for_a_minute_is_asked_for_and_heals(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    server.faults.unauthorized = True
    await house.passes(30, step=30)
    assert connected(house, server) == STATE_OFF
    assert reauths(hass, loaded) == 0
    assert await refusal(house) == "unauthorized"
    await house.passes(90, step=30)
    assert reauths(hass, loaded) == 1
    await house.passes(120, step=30)
    assert reauths(hass, loaded) == 1
    server.faults.unauthorized = False
    await house.passes(60, step=30)
    assert connected(house, server) == STATE_ON
    assert reauths(hass, loaded) == 0


async def test_single_401_asks_for_nothing(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    server.faults.unauthorized = True
    assert await refusal(house) == "unauthorized"
    server.faults.unauthorized = False
    await house.passes(120, step=30)
    server.faults.unauthorized = True
    assert await refusal(house) == "unauthorized"
    assert reauths(hass, loaded) == 0


@pytest.mark.parametrize("refused_later", [False, True])
async def test_command_that_is_refused_beside_a_stream_is_followed_by_polls(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    entry: MockConfigEntry,
    refused_later: bool,
) -> None:
    server.faults.no_websocket = False
    await house.set_up(entry, server)
    await house.passes(120, step=30)
    server.faults.unauthorized = True
    assert await refusal(house) == "unauthorized"
    server.faults.unauthorized = refused_later
    await house.passes(90)
    # Other polls are ten minutes apart.
    assert reauths(hass, entry) == refused_later
    server.faults.unauthorized = True
    assert await refusal(house) == "unauthorized"
    assert reauths(hass, entry) == refused_later


async def test_token_that_is_not_the_owners_is_a_repair_that_goes_away(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
    issue_registry: ir.IssueRegistry,
) -> None:
    issue_id = f"not_owner_{loaded.entry_id}"
    server.faults.forbidden = True
    await house.passes(60, step=30)
    issue = issue_registry.async_get_issue(DOMAIN, issue_id)
    assert issue
    assert issue.translation_placeholders == {
        "server": server.friendly_name,
        "name": server.friendly_name,
    }
    assert reauths(hass, loaded) == 0
    assert await refusal(house) == "not_owner"
    server.faults.forbidden = False
    await house.passes(60, step=30)
    assert not issue_registry.async_get_issue(DOMAIN, issue_id)
    assert connected(house, server) == STATE_ON


@pytest.mark.parametrize("how", ["removed", "disabled"])
async def test_repair_goes_with_its_entry(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    issue_registry: ir.IssueRegistry,
    how: str,
) -> None:
    entry = entry_for(server, **{CONF_TOKEN: server.shared_token})
    await house.set_up(entry, server, ConfigEntryState.SETUP_RETRY)
    assert issue_registry.async_get_issue(DOMAIN, f"not_owner_{entry.entry_id}")
    if how == "removed":
        await hass.config_entries.async_remove(entry.entry_id)
    else:
        await hass.config_entries.async_set_disabled_by(entry.entry_id, ConfigEntryDisabler.USER)
    assert not issue_registry.async_get_issue(DOMAIN, f"not_owner_{entry.entry_id}")


@pytest.mark.usefixtures("loaded")
async def test_other_server_at_the_address_gets_no_token(
    house: House, server: SimulatedPlex
) -> None:
    await server.stop_listening()
    await house.passes(30, step=30)
    server.faults.other_machine_identifier = True
    await server.listen()
    server.requests.clear()
    await house.passes(60, step=30)
    assert connected(house, server) == STATE_OFF
    assert await refusal(house) == "other_server"
    assert {request.path for request in server.requests} == {"/identity"}
    assert all("x-plex-token" not in request.headers for request in server.requests)


@pytest.mark.usefixtures("loaded")
async def test_tasks_come_and_go_without_a_reload(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    registry = er.async_get(hass)
    backup = house.entity_id(server, SWITCH, BACKUP)
    server.butler.add_task("BrewCoffee", title="Brew Coffee")
    server.butler.remove_task("BackupDatabase")
    await house.passes(330, step=30)
    assert house.state(server, SWITCH, "task_BrewCoffee").name.endswith(" Brew Coffee")
    button = registry.async_get(house.entity_id(server, "button", "task_BrewCoffee"))
    assert button
    assert (button.original_name, button.disabled) == ("Brew Coffee: run", True)
    assert not registry.async_get(backup)
    assert not hass.states.get(backup)
    server.butler.add_task("BackupDatabase")
    await house.passes(330, step=30)
    assert house.state(server, SWITCH, BACKUP).state == STATE_OFF


@pytest.mark.usefixtures("loaded")
async def test_task_that_vanished_while_home_assistant_was_off(
    hass: HomeAssistant, house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    backup = house.entity_id(server, SWITCH, BACKUP)
    assert await hass.config_entries.async_unload(entry.entry_id)
    server.butler.remove_task("BackupDatabase")
    await hass.config_entries.async_setup(entry.entry_id)
    await house.settled()
    assert not er.async_get(hass).async_get(backup)


@pytest.mark.usefixtures("loaded")
async def test_empty_list_forgets_nothing(house: House, server: SimulatedPlex) -> None:
    backup = house.entity_id(server, SWITCH, BACKUP)
    tasks = list(server.butler.tasks)
    for name in tasks:
        server.butler.remove_task(name)
    await house.passes(330, step=30)
    assert house.entity_id(server, SWITCH, BACKUP) == backup
    assert house.state(server, SWITCH, BACKUP).state == STATE_OFF
    await house.act(DOMAIN, "stop_task", task="backup_database")
    for name in tasks:
        server.butler.add_task(name)
    await house.passes(330, step=30)
    assert house.state(server, SWITCH, BACKUP).state == STATE_OFF


async def test_rename_and_update_of_the_server_are_followed(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    backup = house.entity_id(server, SWITCH, BACKUP)
    for name, version in (("Attic", server.version), ("Attic", "1.99.0.1-abc")):
        server.friendly_name, server.version = name, version
        await house.passes(330, step=30)
        device = dr.async_get(hass).async_get_device_by_identifier(
            (DOMAIN, server.machine_identifier), loaded.entry_id
        )
        assert device
        assert (device.name, device.sw_version) == (name, version)
    assert house.entity_id(server, SWITCH, BACKUP) == backup


async def test_update_that_takes_the_server_away_for_a_while_is_followed(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    await server.stop_listening()
    await house.passes(90, step=30)
    assert connected(house, server) == STATE_OFF
    server.version = "1.99.0.1-abc"
    await server.listen()
    await house.passes(30, step=30)
    assert connected(house, server) == STATE_ON
    device = dr.async_get(hass).async_get_device_by_identifier(
        (DOMAIN, server.machine_identifier), loaded.entry_id
    )
    assert device
    assert device.sw_version == "1.99.0.1-abc"


@pytest.mark.usefixtures("loaded")
async def test_command_without_an_answer_is_told_and_never_repeated(
    house: House, server: SimulatedPlex
) -> None:
    server.faults.drop_reply = True
    assert await refusal(house, "start_task", task="generate_intro_markers") == (
        "command_not_confirmed"
    )
    server.faults.drop_reply = False
    assert house.state(server, SWITCH, INTROS).state == STATE_OFF
    await house.passes(10)
    assert house.state(server, SWITCH, INTROS).state == STATE_ON
    assert [r.path for r in server.requests if r.method == "POST"] == [
        "/butler/ButlerTaskGenerateIntroMarkers"
    ]


async def test_server_that_its_own_maintenance_holds_is_busy_and_not_gone(
    house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    await house.set_up(entry, server)
    await house.act(DOMAIN, "start_task", task="optimize_database")
    assert server.butler.running == {"OptimizeDatabase"}
    await house.passes(60, step=30)
    state = house.state(server, "binary_sensor", "server")
    assert (state.state, state.attributes["busy"]) == (STATE_ON, True)
    assert house.state(server, SWITCH, OPTIMIZE).state == STATE_ON
    assert house.state(server, "binary_sensor", "maintenance").state == STATE_ON
    server.requests.clear()
    assert await refusal(house) == "server_busy"
    assert not server.requests
    assert (await house.act(DOMAIN, "get_tasks", True))["maintenance"] is True
    await house.passes(1800, step=60)
    state = house.state(server, "binary_sensor", "server")
    assert (state.state, state.attributes["busy"]) == (STATE_ON, False)


async def test_server_that_goes_away_while_it_is_busy_is_not_busy_any_more(
    house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    await house.set_up(entry, server)
    await house.act(DOMAIN, "start_task", task="optimize_database")
    await house.passes(60, step=30)
    assert house.state(server, "binary_sensor", "server").attributes["busy"] is True
    await server.stop_listening()
    await house.passes(30, step=30)
    state = house.state(server, "binary_sensor", "server")
    assert (state.state, state.attributes["busy"]) == (STATE_OFF, False)


async def test_start_that_freezes_the_server_before_it_answers(
    house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    await house.set_up(entry, server)
    server.faults.drop_reply = True
    assert await refusal(house, "start_task", task="optimize_database") == "command_not_confirmed"
    assert house.state(server, SWITCH, OPTIMIZE).state == STATE_OFF
    server.faults.drop_reply = False
    await house.passes(10, step=10)
    assert house.state(server, SWITCH, OPTIMIZE).state == STATE_ON
    assert house.state(server, "binary_sensor", "server").attributes["busy"] is True


async def test_start_on_a_silent_server_is_not_sent_at_all(
    house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    await house.set_up(entry, server)
    server.faults.hang = True
    starting = house.hass.async_create_task(refusal(house, "start_task", task="optimize_database"))
    await house.settled()
    assert await starting == "timed_out"
    assert not [request for request in server.requests if request.method == "POST"]
    server.faults.hang = False


async def test_command_that_crosses_a_failing_poll_hides_no_outage(
    hass: HomeAssistant, house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    await house.set_up(entry, server)
    server_id = house.entity_id(server, "binary_sensor", "server")
    states: list[str] = []

    @callback
    def note(event: Event[EventStateChangedData]) -> None:
        if event.data["entity_id"] == server_id and (state := event.data["new_state"]):
            states.append(state.state)

    hass.bus.async_listen(EVENT_STATE_CHANGED, note)
    server.faults.hang = True
    stopping = hass.async_create_task(refusal(house, "stop_task", task="backup_database"))
    await house.passes(30, step=15)
    assert await stopping in ("command_not_confirmed", "timed_out")
    await house.passes(30, step=15)
    assert states == [STATE_OFF]
    server.faults.hang = False


@pytest.mark.usefixtures("loaded")
async def test_poll_that_a_command_crossed_is_asked_again(
    hass: HomeAssistant, house: House, server: SimulatedPlex, freezer: FrozenDateTimeFactory
) -> None:
    await between_two_tries(house, server)
    server.faults.slow = 1
    freezer.tick(30)
    async_fire_time_changed(hass)
    await house.sent()
    server.faults.slow = 0
    await hass.services.async_call(DOMAIN, "stop_all", blocking=True)
    server.requests.clear()
    freezer.tick(2)
    await house.settled()
    # The list of tasks and the sessions may be due as well.
    due = ("/butler", "/status/sessions")
    asked = [request.path for request in server.requests if request.path not in due]
    assert asked == ["/activities"]


@pytest.mark.usefixtures("loaded")
async def test_command_that_arrives_after_a_failed_poll_hides_no_outage(
    hass: HomeAssistant, house: House, server: SimulatedPlex, freezer: FrozenDateTimeFactory
) -> None:
    await between_two_tries(house, server)
    server.faults.slow = 8
    stopping = hass.async_create_task(house.act(DOMAIN, "stop_all"))
    await house.sent()
    server.faults.slow = 0
    server.faults.maintenance = True
    freezer.tick(5)
    await hass.config_entries.async_entries(DOMAIN)[0].runtime_data.async_refresh()
    assert connected(house, server) == STATE_OFF
    server.faults.maintenance = False
    freezer.tick(4)
    await house.settled()
    assert stopping.done()
    assert connected(house, server) == STATE_OFF


@pytest.mark.usefixtures("loaded")
async def test_users_work_from_just_before_our_start_is_not_ours(
    house: House, server: SimulatedPlex
) -> None:
    await house.passes(20, step=20)
    server.users.add_episode(seconds=600)
    await house.act(DOMAIN, "start_task", task="generate_intro_markers")
    server.butler.stop("ButlerTaskGenerateIntroMarkers")
    await house.passes(10)
    assert house.state(server, SWITCH, INTROS).attributes[ATTR_ASSUMED_STATE] is True
    await house.passes(30)
    assert house.state(server, SWITCH, INTROS).state == STATE_OFF


async def test_single_drops_in_a_long_freeze_do_not_end_the_run(
    house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    await house.set_up(entry, server)
    await house.act(DOMAIN, "start_task", task="optimize_database")
    for _ in range(3):
        await house.passes(60, step=30)
        assert house.state(server, SWITCH, OPTIMIZE).state == STATE_ON
        await server.stop_listening()
        await house.passes(30, step=30)
        assert connected(house, server) == STATE_OFF
        await server.listen()
        await house.passes(30, step=30)
        assert house.state(server, SWITCH, OPTIMIZE).state == STATE_ON


@pytest.mark.usefixtures("loaded")
async def test_blindness_ends_runs_as_an_outage_does(house: House, server: SimulatedPlex) -> None:
    await house.act(DOMAIN, "start_task", task="generate_intro_markers")
    await house.passes(10)
    server.butler.stop("ButlerTaskGenerateIntroMarkers")
    server.faults.unauthorized = True
    await house.passes(330, step=30)
    server.faults.unauthorized = False
    await house.passes(30, step=30)
    assert house.state(server, SWITCH, INTROS).state == STATE_OFF


async def test_401_in_a_restart_after_another_one_asks_for_nothing(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    server.faults.unauthorized = True
    await house.passes(30, step=30)
    await server.stop_listening()
    await house.passes(600, step=30)
    await server.listen()
    await house.passes(30, step=30)
    assert reauths(hass, loaded) == 0
    server.faults.unauthorized = False
    await house.passes(30, step=30)
    assert connected(house, server) == STATE_ON


async def test_server_that_is_silent_without_maintenance_is_gone(
    house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    await house.set_up(entry, server)
    server.faults.hang = True
    await house.passes(30, step=30)
    assert connected(house, server) == STATE_OFF
    assert await refusal(house) == "timed_out"
    server.faults.hang = False
    await house.passes(30, step=30)
    assert connected(house, server) == STATE_ON


async def test_busy_is_believed_for_half_a_day_at_most(
    house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    server.butler.profiles["OptimizeDatabase"].duration = 86400
    await house.set_up(entry, server)
    await house.act(DOMAIN, "start_task", task="optimize_database")
    await house.passes(60, step=30)
    await house.passes(11.9 * 3600, step=3600)
    assert connected(house, server) == STATE_ON
    await house.passes(3600, step=1800)
    assert connected(house, server) == STATE_OFF


async def test_busy_server_that_accepts_no_connection_for_long_is_gone(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory
) -> None:
    """It was switched off behind a router, which answers nothing either."""
    outages = Outages(hass, MockConfigEntry(domain=DOMAIN), Statistics())
    silent = PlexTimeoutError("No answer", connected=True)
    unconnected = PlexTimeoutError("No connection")
    assert not outages.may_be_busy(unconnected)
    for _ in range(2):
        assert outages.may_be_busy(silent)
        assert outages.record_busy(silent, dt_util.utcnow())
        for _ in range(UNCONNECTED_AT_MOST):
            freezer.tick(timedelta(seconds=30))
            assert outages.may_be_busy(unconnected)
            assert outages.record_busy(unconnected, dt_util.utcnow())
            assert outages.server_busy
    assert not outages.may_be_busy(unconnected)
    outages.record_failure(unconnected)
    assert not outages.server_busy
