"""When the disks are awake: what is run and stopped, and when not."""

from collections.abc import Generator
from typing import Any, Final

from homeassistant.components.automation import DOMAIN as AUTOMATION
from homeassistant.const import EVENT_HOMEASSISTANT_STARTED, STATE_UNAVAILABLE
from homeassistant.core import CoreState, HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
)

from custom_components.plex_butler.const import DOMAIN
from tests.conftest import entry_for
from tests.integration.blueprints.automations import (
    LONG,
    TV,
    commands,
    errors,
    last_trace,
    logged_errors,
    runs,
    use,
)
from tests.integration.patient_house import House
from tests.simulator import Profile, SimulatedPlex
from tests.task_names import BACKUP, INTROS, LOUDNESS, THUMBS

DISKS: Final = "binary_sensor.disks"
HOUR: Final = 3600
TASKS: Final = ("generate_intro_markers", "loudness_analysis")


@pytest.fixture(autouse=True)
def _calm(server: SimulatedPlex) -> None:
    """Each task takes ten minutes."""
    server.butler.profiles |= {
        INTROS: Profile(activity="media.generate.intros", items=1, item_seconds=600),
        LOUDNESS: Profile(activity="media.generate.loudness", items=1, item_seconds=600),
    }


@pytest.fixture
def _no_errors(caplog: pytest.LogCaptureFixture) -> Generator[None]:
    """Nothing is logged as an error."""
    yield
    assert not logged_errors(caplog)


def sleep(house: House, state: str = "off") -> None:
    """Let the disks fall asleep, or get another state."""
    house.hass.states.async_set(DISKS, state)


async def while_awake(house: House, *tasks: str, **inputs: Any) -> None:
    """Set the automation up, while the disks are awake."""
    if not house.hass.states.get(DISKS):
        house.hass.states.async_set(DISKS, "on")
    chosen = {"awake": [DISKS], "tasks": list(tasks or TASKS)}
    await use(house, "when_the_disks_are_awake", **chosen | inputs)


async def turns(house: House, state: str, server: SimulatedPlex) -> None:
    """Let somebody begin to play or stop, and that be shown."""
    server.users.play(state, TV, seconds=LONG)
    await house.passes(5)


@pytest.mark.usefixtures("loaded", "_no_errors")
async def test_tasks_run_one_after_the_other_and_not_again_for_hours(
    house: House, server: SimulatedPlex
) -> None:
    triggered = async_capture_events(house.hass, "automation_triggered")
    await while_awake(house, hours=6)
    await house.passes(9 * 60)
    assert commands(server) == []
    await house.passes(120)
    assert commands(server) == [f"POST /butler/{INTROS}"]
    await house.passes(9 * 60)
    assert commands(server) == []
    await house.passes(3 * 60)
    assert commands(server) == [f"POST /butler/{LOUDNESS}"]
    await house.passes(5.5 * HOUR, step=60)
    assert commands(server) == []
    await house.passes(1.5 * HOUR, step=60)
    assert commands(server) == [f"POST /butler/{INTROS}", f"POST /butler/{LOUDNESS}"]
    # What waits leaves no trace in the logbook.
    assert len(triggered) == 1
    assert runs(house) == 1


@pytest.mark.usefixtures("loaded", "_no_errors")
async def test_what_plex_has_run_by_itself_counts(house: House, server: SimulatedPlex) -> None:
    server.butler.start(INTROS)
    await house.passes(HOUR, step=60)
    await while_awake(house, hours=2)
    server.butler.start(LOUDNESS)
    await house.passes(30 * 60, step=60)
    assert commands(server) == []
    await house.passes(HOUR, step=60)
    assert commands(server) == [f"POST /butler/{INTROS}"]


@pytest.mark.usefixtures("loaded", "_no_errors")
@pytest.mark.parametrize("state", ["off", "unavailable", "unknown"])
async def test_nothing_is_run_while_the_disks_may_be_asleep(
    house: House, server: SimulatedPlex, state: str
) -> None:
    sleep(house, state)
    await while_awake(house)
    await house.passes(HOUR, step=60)
    assert commands(server) == []
    assert runs(house) == 0
    sleep(house, "on")
    await house.passes(9 * 60)
    assert commands(server) == []
    await house.passes(120)
    assert commands(server) == [f"POST /butler/{INTROS}"]


@pytest.mark.usefixtures("loaded", "_no_errors")
async def test_all_that_is_chosen_has_to_be_on(house: House, server: SimulatedPlex) -> None:
    house.hass.states.async_set("schedule.night", "off")
    await while_awake(house, awake=[DISKS, "schedule.night"])
    await house.passes(HOUR, step=60)
    assert commands(server) == []


@pytest.mark.usefixtures("loaded", "_no_errors")
async def test_what_was_started_is_stopped_for_a_viewer_and_started_again(
    house: House, server: SimulatedPlex
) -> None:
    """What runs because Plex or a user wants it is left alone."""
    await while_awake(house)
    await house.passes(11 * 60)
    server.butler.start(THUMBS)
    await house.act(DOMAIN, "start_task", task="backup_database")
    assert commands(server) == [f"POST /butler/{INTROS}", f"POST /butler/{BACKUP}"]
    await turns(house, "playing", server)
    assert commands(server) == [f"DELETE /butler/{INTROS}"]
    await house.passes(2 * HOUR, step=60)
    assert commands(server) == []
    assert runs(house) == 0
    await turns(house, "stopped", server)
    await house.passes(9 * 60)
    assert commands(server) == []
    await house.passes(120)
    assert commands(server) == [f"POST /butler/{INTROS}"]
    await house.passes(HOUR, step=60)
    assert commands(server) == [f"POST /butler/{LOUDNESS}"]


@pytest.mark.usefixtures("loaded", "_no_errors")
async def test_disks_that_are_to_sleep_stop_a_task(house: House, server: SimulatedPlex) -> None:
    await while_awake(house)
    await house.passes(11 * 60)
    sleep(house, STATE_UNAVAILABLE)
    await house.passes(120)
    # Nobody knows.
    assert commands(server) == [f"POST /butler/{INTROS}"]
    sleep(house, "off")
    await house.passes(60)
    assert commands(server) == [f"DELETE /butler/{INTROS}"]
    await house.passes(HOUR, step=60)
    assert commands(server) == []
    assert runs(house) == 0


@pytest.mark.usefixtures("loaded", "_no_errors")
async def test_task_that_goes_on_is_not_followed_while_the_disks_may_be_asleep(
    house: House, server: SimulatedPlex
) -> None:
    await while_awake(house)
    await house.passes(11 * 60)
    sleep(house, STATE_UNAVAILABLE)
    await house.passes(HOUR, step=60)
    assert commands(server) == [f"POST /butler/{INTROS}"]
    assert runs(house) == 0


@pytest.mark.usefixtures("loaded", "_no_errors")
async def test_task_that_takes_too_long_is_stopped_and_counts(
    house: House, server: SimulatedPlex
) -> None:
    server.butler.profiles[INTROS].item_seconds = LONG
    await while_awake(house, longest_run={"hours": 1})
    await house.passes(60 * 60, step=60)
    assert commands(server) == [f"POST /butler/{INTROS}"]
    await house.passes(15 * 60, step=60)
    assert commands(server) == [f"DELETE /butler/{INTROS}", f"POST /butler/{LOUDNESS}"]
    await house.passes(12 * HOUR, step=300)
    assert commands(server) == []


@pytest.mark.usefixtures("loaded", "_no_errors")
async def test_what_a_user_has_stopped_is_not_started_again(
    house: House, server: SimulatedPlex
) -> None:
    await while_awake(house, TASKS[0])
    await house.passes(11 * 60)
    await house.act(DOMAIN, "stop_task", task=TASKS[0])
    server.requests.clear()
    await house.passes(5 * HOUR, step=60)
    assert commands(server) == []


@pytest.mark.usefixtures("loaded", "_no_errors")
async def test_what_is_not_listed_or_never_done_is_left_out(
    house: House, server: SimulatedPlex
) -> None:
    await house.act(DOMAIN, "set_schedule", never="generate_intro_markers")
    server.requests.clear()
    await while_awake(house, "PolishSilverware", "generate_intro_markers", LOUDNESS)
    await house.passes(HOUR, step=60)
    assert commands(server) == [f"POST /butler/{LOUDNESS}"]


@pytest.mark.usefixtures("loaded")
async def test_start_that_fails_is_tried_again_later_and_keeps_no_other_from_starting(
    house: House, server: SimulatedPlex
) -> None:
    await while_awake(house)
    server.butler.remove_task(INTROS)
    await house.passes(12 * 60, step=60)
    assert f"POST /butler/{LOUDNESS}" in commands(server)
    assert server.butler.running == {LOUDNESS}


@pytest.mark.usefixtures("loaded", "_no_errors")
async def test_server_that_is_off_is_left_alone(house: House, server: SimulatedPlex) -> None:
    await while_awake(house)
    await house.passes(11 * 60)
    await server.stop_listening()
    await house.passes(3 * HOUR, step=60)
    assert runs(house) == 0
    await server.listen()
    server.requests.clear()
    await house.passes(8 * 60, step=60)
    assert commands(server) == []
    await house.passes(5 * 60, step=60)
    assert commands(server) == [f"POST /butler/{LOUDNESS}"]
    assert not errors(await last_trace(house))


@pytest.mark.usefixtures("loaded")
async def test_stop_that_fails_is_tried_again(house: House, server: SimulatedPlex) -> None:
    await while_awake(house)
    await house.passes(11 * 60)
    server.faults.still_starting_up = True
    await turns(house, "playing", server)
    server.faults.still_starting_up = False
    await house.passes(90)
    assert server.butler.running == set()
    assert runs(house) == 0


@pytest.mark.usefixtures("_no_errors")
async def test_server_that_is_added_later_is_found(
    house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    await while_awake(house)
    await house.set_up(entry, server)
    await house.passes(12 * 60)
    assert commands(server) == [f"POST /butler/{INTROS}"]


@pytest.mark.usefixtures("_no_errors")
@pytest.mark.parametrize("plays", [False, True])
async def test_restart_of_home_assistant_in_the_middle_of_a_task(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
    *,
    plays: bool,
) -> None:
    """The task goes on, and is stopped if somebody began to play meanwhile."""
    server.butler.profiles[INTROS].item_seconds = 1800
    await while_awake(house)
    await house.passes(11 * 60)
    assert commands(server) == [f"POST /butler/{INTROS}"]
    # The run is lost with the restart, of which only these parts are left in a test.
    await hass.services.async_call(AUTOMATION, "turn_off", {"entity_id": "all"}, blocking=True)
    if plays:
        server.users.play("playing", TV, seconds=LONG)
    assert await hass.config_entries.async_reload(loaded.entry_id)
    hass.set_state(CoreState.starting)
    await hass.services.async_call(AUTOMATION, "turn_on", {"entity_id": "all"}, blocking=True)
    hass.bus.async_fire(EVENT_HOMEASSISTANT_STARTED)
    hass.set_state(CoreState.running)
    await house.settled()
    await house.passes(60)
    assert server.butler.running == (set() if plays else {INTROS})
    assert commands(server) == ([f"DELETE /butler/{INTROS}"] if plays else [])
    await house.passes(HOUR, step=60)
    assert commands(server) == ([] if plays else [f"POST /butler/{LOUDNESS}"])


@pytest.mark.usefixtures("loaded", "_no_errors")
async def test_it_begins_at_once_when_it_is_saved_in_a_quiet_hour(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    """Nothing has to change first. Home Assistant fires the event after it has loaded what was saved."""
    sleep(house, "on")
    await house.passes(20 * 60, step=60)
    await while_awake(house)
    assert commands(server) == []
    hass.bus.async_fire("automation_reloaded")
    await house.passes(10)
    assert commands(server) == [f"POST /butler/{INTROS}"]


@pytest.mark.usefixtures("loaded", "_no_errors")
async def test_it_is_found_out_some_hours_later_that_nothing_was_triggered(
    house: House, server: SimulatedPlex
) -> None:
    sleep(house, "on")
    await house.passes(20 * 60, step=60)
    await while_awake(house)
    await house.passes(7 * HOUR, step=60)
    assert commands(server)[0] == f"POST /butler/{INTROS}"


@pytest.mark.usefixtures("loaded", "_no_errors")
@pytest.mark.parametrize("chosen", [False, True])
async def test_two_servers_or_one_of_them(
    house: House, server: SimulatedPlex, *, chosen: bool
) -> None:
    async with SimulatedPlex(machine_identifier="f" * 40, friendly_name="Attic") as attic:
        attic.butler.profiles = server.butler.profiles
        await house.set_up(entry_for(attic), attic)
        watched = ["binary_sensor.attic_being_watched"] if chosen else []
        await while_awake(house, TASKS[0], watched=watched)
        await house.passes(11 * 60)
        if not chosen:
            # One after the other.
            assert sorted(commands(server) + commands(attic)) == [f"POST /butler/{INTROS}"]
            await house.passes(11 * 60)
        # Either may be the first one, unless it is chosen.
        assert attic.butler.running <= {INTROS}
        assert server.butler.running | attic.butler.running == {INTROS}
        assert commands(server) + commands(attic) == [f"POST /butler/{INTROS}"]
        await turns(house, "playing", server)
        await house.passes(60)
        stopped = [] if chosen else [f"DELETE /butler/{INTROS}"]
        assert commands(server) + commands(attic) == stopped
        assert runs(house) == (1 if chosen else 0)


@pytest.mark.usefixtures("loaded", "_no_errors")
async def test_somebody_who_plays_while_nothing_runs_leaves_no_trace(
    house: House, server: SimulatedPlex
) -> None:
    sleep(house)
    triggered = async_capture_events(house.hass, "automation_triggered")
    await while_awake(house)
    await turns(house, "playing", server)
    await turns(house, "stopped", server)
    await house.passes(13 * HOUR, step=300)
    assert not triggered
