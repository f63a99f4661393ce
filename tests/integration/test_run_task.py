"""The action that starts a task, waits until it is over, and tells how it ended."""

import asyncio
from datetime import timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.script import DOMAIN as SCRIPT
from homeassistant.const import SERVICE_TURN_OFF, STATE_OFF, STATE_ON
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
    async_mock_service,
)
import voluptuous as vol

from custom_components.plex_butler.const import DOMAIN
from tests.conftest import House, entry_for
from tests.integration.run_task import begun, response, run_task, sent, starts
from tests.simulator import Profile, SimulatedPlex
from tests.task_names import BACKUP, DEEP, INTROS, OPTIMIZE, THUMBS


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("task", ["generate_chapter_thumbs", THUMBS])
async def test_end_is_told_once_the_row_stays_idle_as_of_its_turn(
    house: House, server: SimulatedPlex, task: str
) -> None:
    began = dt_util.utcnow().isoformat()
    waiting = await begun(house, server, task)
    await house.passes(9, step=3)
    assert not waiting.done()
    await house.passes(1)
    ended = dt_util.utcnow().isoformat()
    await house.passes(9, step=3)
    assert not waiting.done()
    await house.passes(5)
    assert await response(waiting) == {
        "result": "finished",
        "task": "generate_chapter_thumbs",
        "name": THUMBS,
        "started": began,
        "ended": ended,
        "duration": 10,
        "last_known": ended,
        "known_by": "observed",
        "ours": True,
        "started_by": None,
        "plex_log": False,
        "stopped_by": None,
    }
    assert starts(server) == [(f"/butler/{THUMBS}", 200)]


@pytest.mark.usefixtures("loaded", "without_stream")
async def test_polling_is_enough(house: House, server: SimulatedPlex) -> None:
    server.butler.profiles[THUMBS].items = 12
    began = dt_util.utcnow()
    waiting = await begun(house, server, THUMBS)
    await house.passes(55)
    assert not waiting.done()
    last_seen = dt_util.utcnow()
    await house.passes(5)
    assert not waiting.done()
    await house.row_settles()
    answer = await response(waiting)
    assert (answer["result"], answer["known_by"]) == ("finished", "observed")
    assert (answer["started"], answer["ended"], answer["duration"]) == (
        began.isoformat(),
        last_seen.isoformat(),
        (last_seen - began).total_seconds(),
    )


@pytest.mark.usefixtures("loaded")
async def test_instant_task_is_seen_by_its_row_and_the_stream(
    house: House, server: SimulatedPlex
) -> None:
    waiting = await begun(house, server, "backup_database")
    assert not waiting.done()
    await house.passes(0.1)
    assert not waiting.done()
    await house.row_settles()
    answer = await response(waiting)
    assert (answer["result"], answer["duration"], answer["known_by"]) == (
        "finished",
        0.1,
        "assumed",
    )


@pytest.mark.usefixtures("loaded", "without_stream")
async def test_instant_task_that_no_poll_sees(house: House, server: SimulatedPlex) -> None:
    began = dt_util.utcnow().isoformat()
    waiting = await begun(house, server, "backup_database")
    await house.passes(29)
    assert not waiting.done()
    await house.passes(6)
    assert await response(waiting) == {
        "result": "end_not_seen",
        "task": "backup_database",
        "name": BACKUP,
        "started": began,
        "ended": None,
        "duration": None,
        "last_known": began,
        "known_by": "assumed",
        "ours": True,
        "started_by": None,
        "plex_log": False,
        "stopped_by": None,
    }


@pytest.mark.usefixtures("loaded")
async def test_run_that_goes_on_is_joined(house: House, server: SimulatedPlex) -> None:
    server.butler.start(INTROS)
    await house.settled()
    began = dt_util.utcnow().isoformat()
    await house.passes(100)
    waiting = await begun(house, server, INTROS)
    assert starts(server) == [(f"/butler/{INTROS}", 202)]
    await house.passes(120)
    assert not waiting.done()
    await house.row_settles()
    answer = await response(waiting)
    assert (answer["result"], answer["started"], answer["duration"]) == ("finished", began, 220)


async def test_run_that_only_the_server_knows_of_is_joined(
    house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    server.faults.row_always_100 = True
    server.butler.profiles[DEEP].duration = 7200
    await house.set_up(entry, server)
    server.butler.start(DEEP)
    waiting = await begun(house, server, DEEP)
    await house.passes(590)
    assert not waiting.done()
    await house.passes(15)
    answer = await response(waiting)
    assert (answer["result"], answer["started"], answer["duration"]) == ("end_not_seen", None, None)


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(("action", "data"), [("stop_task", {"task": INTROS}), ("stop_all", {})])
async def test_stopped_meanwhile(
    house: House, server: SimulatedPlex, action: str, data: dict[str, Any]
) -> None:
    waiting = await begun(house, server, INTROS)
    await house.passes(40)
    assert not waiting.done()
    await house.act(DOMAIN, action, **data)
    answer = await response(waiting)
    assert (answer["result"], answer["duration"]) == ("stopped", 40)
    assert answer["ended"] == dt_util.utcnow().isoformat()


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("at_most", [20, "00:00:20", {"seconds": 20}])
async def test_timeout_ends_the_waiting_and_not_the_task(
    house: House, server: SimulatedPlex, at_most: Any
) -> None:
    waiting = await begun(house, server, INTROS, timeout=at_most)
    await house.passes(19)
    assert not waiting.done()
    await house.passes(1)
    assert await response(waiting) == {
        "result": "timeout",
        "task": "generate_intro_markers",
        "name": INTROS,
    }
    assert server.butler.running == {INTROS}
    assert house.state(server, "switch", f"task_{INTROS}").state == STATE_ON
    assert not [request for request in server.requests if request.method == "DELETE"]


@pytest.mark.usefixtures("loaded")
async def test_an_hour_is_waited_at_most(house: House, server: SimulatedPlex) -> None:
    server.butler.profiles[DEEP].duration = 7200
    waiting = await begun(house, server, DEEP)
    await house.passes(3590, step=30)
    assert not waiting.done()
    await house.passes(10)
    assert (await response(waiting))["result"] == "timeout"


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("at_most", [-1, "soon", None])
async def test_timeout_that_makes_no_sense(
    house: House, server: SimulatedPlex, at_most: Any
) -> None:
    with pytest.raises(vol.Invalid):
        await run_task(house, THUMBS, timeout=at_most)
    assert not starts(server)


@pytest.mark.usefixtures("loaded")
async def test_two_wait_for_one_run(house: House, server: SimulatedPlex) -> None:
    first = run_task(house, THUMBS)
    second = await begun(house, server, THUMBS)
    while len([status for _, status in starts(server) if status]) < 2:
        await asyncio.sleep(0)
    assert sorted(starts(server)) == [(f"/butler/{THUMBS}", 200), (f"/butler/{THUMBS}", 202)]
    await house.passes(5)
    assert not first.done()
    assert not second.done()
    await house.passes(5)
    await house.row_settles()
    answer = await response(first)
    assert answer["result"] == "finished"
    assert await response(second) == answer


@pytest.mark.usefixtures("loaded")
async def test_each_waits_for_its_own_task(house: House, server: SimulatedPlex) -> None:
    thumbs = await begun(house, server, THUMBS)
    intros = await begun(house, server, INTROS)
    await house.act(DOMAIN, "stop_task", task=THUMBS)
    assert (await response(thumbs))["name"] == THUMBS
    assert not intros.done()
    await house.act(DOMAIN, "stop_task", task=INTROS)
    assert (await response(intros))["name"] == INTROS


@pytest.mark.usefixtures("without_stream")
async def test_each_waits_for_its_own_server(
    house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    async with SimulatedPlex(machine_identifier="f" * 40, friendly_name="Attic") as attic:
        attic_entry = await house.set_up(entry_for(attic), attic)
        with pytest.raises(ServiceValidationError) as refused:
            await run_task(house, INTROS)
        assert refused.value.translation_key == "service_found_multiple_config_entry_for_domain"
        cellar = await begun(house, server, INTROS, config_entry_id=loaded.entry_id)
        in_attic = await begun(house, attic, INTROS, config_entry_id=attic_entry.entry_id)
        await house.act(DOMAIN, "stop_task", config_entry_id=loaded.entry_id, task=INTROS)
        assert (await response(cellar))["result"] == "stopped"
        assert not in_attic.done()
        await house.act(DOMAIN, "stop_all", config_entry_id=attic_entry.entry_id)
        assert (await response(in_attic))["result"] == "stopped"


@pytest.mark.usefixtures("loaded")
async def test_without_a_response_it_waits_as_well(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    waiting = asyncio.create_task(
        hass.services.async_call(DOMAIN, "run_task", {"task": THUMBS}, blocking=True)
    )
    await sent(server, waiting)
    await house.passes(10)
    assert not waiting.done()
    await house.row_settles()
    assert await response(waiting) == {}


@pytest.mark.usefixtures("loaded")
async def test_script_does_the_next_thing_when_the_task_is_over(
    hass: HomeAssistant, house: House, server: SimulatedPlex, freezer: FrozenDateTimeFactory
) -> None:
    calls = async_mock_service(hass, "nas", "snapshot")
    data = {"task": "backup_database"}
    run = {"action": f"{DOMAIN}.run_task", "data": data, "response_variable": "ended"}
    snapshot = {"action": "nas.snapshot", "data": {"after": "{{ ended.result }}"}}
    script = {"nightly": {"sequence": [run, snapshot]}}
    assert await async_setup_component(hass, SCRIPT, {SCRIPT: script})
    server.butler.profiles[BACKUP].duration = 30
    nightly = asyncio.create_task(hass.services.async_call(SCRIPT, "nightly", blocking=True))
    await sent(server, nightly)
    # The harness would wait for the script, which waits for the time to pass.
    for _ in (10, 20, 30):
        await server.advance(10)
        freezer.tick(timedelta(seconds=10))
        async_fire_time_changed(hass)
        await house.sent()
        assert not calls
    # The task is over, and its row has yet to stay idle.
    while not nightly.done():
        freezer.tick(timedelta(seconds=1))
        async_fire_time_changed(hass)
        for _ in range(5):
            await house.sent()
    assert [call.data["after"] for call in calls] == ["finished"]


@pytest.mark.usefixtures("loaded")
async def test_script_that_is_stopped_stops_waiting_and_not_the_task(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    calls = async_mock_service(hass, "nas", "snapshot")
    run = {"action": f"{DOMAIN}.run_task", "data": {"task": INTROS}}
    script = {"nightly": {"sequence": [run, {"action": "nas.snapshot"}]}}
    assert await async_setup_component(hass, SCRIPT, {SCRIPT: script})
    nightly = asyncio.create_task(hass.services.async_call(SCRIPT, "nightly", blocking=True))
    await sent(server, nightly)
    await house.sent()
    assert not nightly.done()
    await house.act(SCRIPT, SERVICE_TURN_OFF, entity_id="script.nightly")
    assert nightly.done()
    assert server.butler.running == {INTROS}
    assert house.state(server, "switch", f"task_{INTROS}").state == STATE_ON
    await house.passes(600)
    assert house.state(server, "switch", f"task_{INTROS}").state == STATE_OFF
    assert not calls
    assert not [request for request in server.requests if request.method == "DELETE"]


@pytest.mark.usefixtures("loaded")
async def test_waiting_that_is_cancelled_before_the_start_is_answered(
    house: House, server: SimulatedPlex
) -> None:
    waiting = run_task(house, INTROS)
    await sent(server, waiting)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert server.butler.running == {INTROS}
    await house.passes(5)
    assert house.state(server, "switch", f"task_{INTROS}").state == STATE_ON
    await house.passes(600)
    assert house.state(server, "switch", f"task_{INTROS}").state == STATE_OFF
    assert len(starts(server)) == 1


@pytest.mark.parametrize("how", ["async_unload", "async_reload"])
async def test_entry_that_is_unloaded_ends_the_waiting(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry, how: str
) -> None:
    waiting = [await begun(house, server, task) for task in (INTROS, THUMBS)]
    assert await getattr(hass.config_entries, how)(loaded.entry_id)
    for one in waiting:
        with pytest.raises(HomeAssistantError) as stopped:
            await one
        assert stopped.value.translation_domain == DOMAIN
        assert stopped.value.translation_key == "stopped_waiting"
        assert stopped.value.translation_placeholders == {"server": server.friendly_name}
    assert server.butler.running == {INTROS, THUMBS}


@pytest.mark.usefixtures("loaded")
async def test_server_that_goes_away_is_not_waited_for(house: House, server: SimulatedPlex) -> None:
    began = dt_util.utcnow().isoformat()
    waiting = await begun(house, server, INTROS)
    await house.passes(10)
    seen = dt_util.utcnow().isoformat()
    await server.stop_listening()
    await house.settled()
    assert house.state(server, "binary_sensor", "server").state == STATE_OFF
    assert not waiting.done()
    await house.passes(31)
    assert await response(waiting) == {
        "result": "end_not_seen",
        "task": "generate_intro_markers",
        "name": INTROS,
        "started": began,
        "ended": None,
        "duration": None,
        "last_known": seen,
        "known_by": "observed",
        "ours": True,
        "started_by": None,
        "plex_log": False,
        "stopped_by": None,
    }


@pytest.mark.usefixtures("loaded")
async def test_task_that_an_update_of_the_server_drops_is_not_waited_for(
    house: House, server: SimulatedPlex
) -> None:
    server.butler.profiles[INTROS] = Profile(activity="media.generate.intros", items=60)
    waiting = await begun(house, server, INTROS)
    await house.passes(270, step=30)
    assert not waiting.done()
    del server.butler.tasks[INTROS]
    await server.notifications.hang_up()
    await house.passes(60, step=30)
    assert (await response(waiting))["result"] == "end_not_seen"


async def refusal(house: House, task: str = THUMBS) -> str | None:
    """Call the action, which does not even begin to wait, and return why."""
    with pytest.raises(HomeAssistantError) as refused:
        await house.act(DOMAIN, "run_task", True, task=task)
    assert refused.value.translation_domain == DOMAIN
    return refused.value.translation_key


@pytest.mark.usefixtures("loaded")
async def test_what_start_task_refuses_is_refused(house: House, server: SimulatedPlex) -> None:
    server.requests.clear()
    assert await refusal(house, "BrewCoffee") == "task_not_listed"
    assert not server.requests
    server.butler.remove_task(BACKUP)
    assert await refusal(house, BACKUP) == "task_not_found"
    server.faults.maintenance = True
    assert await refusal(house) == "starting_up"
    await house.passes(31)
    server.requests.clear()
    assert await refusal(house) == "starting_up"
    assert not server.requests
    server.faults.maintenance = False
    await house.passes(30)
    await server.stop_listening()
    await house.passes(90, step=30)
    assert await refusal(house) == "cannot_connect"
    assert not server.butler.running


@pytest.mark.usefixtures("loaded")
async def test_busy_server_is_not_asked(house: House, server: SimulatedPlex) -> None:
    await house.act(DOMAIN, "start_task", task=OPTIMIZE)
    await house.passes(60, step=30)
    server.requests.clear()
    assert await refusal(house) == "server_busy"
    assert not starts(server)


@pytest.mark.usefixtures("loaded")
async def test_start_without_an_answer_is_told_and_not_waited_for(
    house: House, server: SimulatedPlex
) -> None:
    server.faults.drop_reply = True
    assert await refusal(house) == "command_not_confirmed"
    server.faults.drop_reply = False
    await house.passes(60)
    assert starts(server) == [(f"/butler/{THUMBS}", None)]


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("seconds", "at_most", "result"), [(600, 3600, "finished"), (7200, 1800, "timeout")]
)
async def test_server_that_the_task_freezes_is_waited_for(
    house: House, server: SimulatedPlex, seconds: float, at_most: float, result: str
) -> None:
    server.butler.profiles[OPTIMIZE].duration = seconds
    waiting = await begun(house, server, OPTIMIZE, timeout=at_most)
    await house.passes(240, step=60)
    assert house.state(server, "binary_sensor", "server").attributes["busy"] is True
    assert not waiting.done()
    await house.passes(1800, step=60)
    assert (await response(waiting))["result"] == result


@pytest.mark.usefixtures("loaded", "without_stream")
async def test_freeze_alone_shows_no_end(house: House, server: SimulatedPlex) -> None:
    server.butler.profiles[OPTIMIZE].duration = 600
    waiting = await begun(house, server, OPTIMIZE)
    await house.passes(540, step=60)
    assert not waiting.done()
    await house.passes(600, step=30)
    assert house.state(server, "binary_sensor", "server").attributes["busy"] is False
    answer = await response(waiting)
    assert (answer["result"], answer["duration"]) == ("end_not_seen", None)


async def test_run_that_was_believed_in_before_is_not_ours(
    house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    server.faults.no_row = True
    await house.set_up(entry, server)
    server.users.add_episode(seconds=40)
    await house.passes(30)
    assert house.state(server, "switch", f"task_{INTROS}").state == STATE_ON
    began = dt_util.utcnow().isoformat()
    waiting = await begun(house, server, INTROS)
    assert starts(server) == [(f"/butler/{INTROS}", 200)]
    assert not waiting.done()
    await house.passes(220)
    assert not waiting.done()
    await house.passes(120)
    answer = await response(waiting)
    assert (answer["result"], answer["started"], answer["duration"]) == ("finished", began, 220)


@pytest.mark.usefixtures("loaded", "without_stream")
async def test_second_start_that_is_accepted_says_that_the_first_run_is_over(
    house: House, server: SimulatedPlex
) -> None:
    first = await begun(house, server, BACKUP)
    await house.passes(10)
    second = await begun(house, server, BACKUP)
    assert starts(server) == [(f"/butler/{BACKUP}", 200)] * 2
    assert (await response(first))["result"] == "end_not_seen"
    assert not second.done()
    began = dt_util.utcnow().isoformat()
    await house.passes(35)
    answer = await response(second)
    assert (answer["result"], answer["started"]) == ("end_not_seen", began)
