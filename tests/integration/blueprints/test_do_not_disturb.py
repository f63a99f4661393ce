"""Do not disturb viewers: what is stopped, and what is started again."""

from typing import Any

from homeassistant.core import Event, EventStateChangedData, callback
from homeassistant.helpers.event import async_track_state_change_event
import pytest
from pytest_homeassistant_custom_component.common import (
    async_capture_events,
)

from custom_components.plex_butler.const import DOMAIN
from tests.conftest import entry_for
from tests.integration.blueprints.automations import (
    LONG,
    PHONE,
    TABLET,
    TV,
    WATCHED,
    commands,
    errors,
    last_trace,
    runs,
    use,
)
from tests.integration.patient_house import House
from tests.simulator import SimulatedPlex
from tests.task_names import BACKUP, DEEP, INTROS, LOUDNESS


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


@pytest.mark.usefixtures("loaded")
async def test_untouched_each_of_two_servers_gives_way_to_its_own_viewers(
    house: House, server: SimulatedPlex
) -> None:
    async with SimulatedPlex(machine_identifier="f" * 40, friendly_name="Attic") as attic:
        attic.butler.profiles = server.butler.profiles
        await use(house, "do_not_disturb")
        # One that is added later is found.
        await house.set_up(entry_for(attic), attic)
        await house.passes(60)
        for each in (server, attic):
            each.butler.start(INTROS)
        await house.passes(60)
        attic.users.play(player=TABLET, seconds=LONG)
        await house.passes(60)
        assert commands(server) == []
        assert commands(attic) == ["DELETE /butler"]
        await turns(house, TV, "playing")
        await house.passes(60)
        assert commands(server) == ["DELETE /butler"]
        attic.users.play("stopped", TABLET)
        await house.passes(40 * 60, step=60)
        # It is quiet when nobody plays anything from any of them.
        assert commands(server) == commands(attic) == []
        await turns(house, TV, "stopped")
        await attic.stop_listening()
        await house.passes(40 * 60, step=60)
        assert commands(server) == [f"POST /butler/{INTROS}"]
        await attic.listen()
        await house.passes(35 * 60, step=60)
        assert commands(attic) == [f"POST /butler/{INTROS}"]
        assert runs(house) == 0
