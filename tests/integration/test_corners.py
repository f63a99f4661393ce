"""Corners where runs, waiting, unloading and short outages meet."""

import asyncio
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import STATE_ON
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.plex_butler.const import DOMAIN
from tests.conftest import House
from tests.integration.automations import EVERYTHING, STARTED, automate, told, trigger
from tests.integration.enabled import enable
from tests.integration.run_task import begun, response, run_task, starts
from tests.simulator import Profile, SimulatedPlex
from tests.task_names import DEEP, INTROS, THUMBS


@pytest.mark.parametrize("first", ["automation", "entry"])
async def test_automation_finds_the_event_entity_up_to_date(
    hass: HomeAssistant, house: House, server: SimulatedPlex, entry: MockConfigEntry, first: str
) -> None:
    enable(hass, entry, server, "event", "task_activity")
    if first == "entry":
        await house.set_up(entry, server)
    calls = await automate(
        hass,
        trigger("task_ended"),
        event="{{ state_attr('event.cellar_task_activity', 'event_type') }}",
    )
    if first == "automation":
        await house.set_up(entry, server)
    await house.act(DOMAIN, "start_task", task=THUMBS)
    await house.passes(10)
    await house.row_settles()
    assert [call.data["event"] for call in calls] == ["finished"]


@pytest.mark.usefixtures("without_stream")
async def test_joined_run_is_not_the_one_that_was_believed_in_before(
    house: House, server: SimulatedPlex, entry: MockConfigEntry, freezer: FrozenDateTimeFactory
) -> None:
    server.faults.no_row = True
    await house.set_up(entry, server)
    await house.act(DOMAIN, "start_task", task=DEEP)
    await house.passes(29)
    freezer.tick(2)  # the grace is over; the poll that finds it is the one before our start
    waiting = await begun(house, server, DEEP)
    assert starts(server)[-1] == (f"/butler/{DEEP}", 202)
    assert server.butler.running == {DEEP}
    assert not waiting.done()
    waiting.cancel()


async def test_entry_unloaded_before_the_start_is_sent(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
) -> None:
    server.requests.clear()
    server.faults.late_answers = "GET"
    waiting = run_task(house, DEEP)
    await house.sent()
    assert await hass.config_entries.async_unload(loaded.entry_id)
    server.faults.late_answers = ""
    with pytest.raises(HomeAssistantError) as stopped:
        await waiting
    assert (stopped.value.translation_domain, stopped.value.translation_key) == (
        DOMAIN,
        "unloaded",
    )
    assert not starts(server)


@pytest.mark.parametrize("how", ["async_unload", "async_remove"])
async def test_start_that_is_answered_after_the_unload_is_no_news(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
    hass_storage: dict[str, Any],
    how: str,
) -> None:
    calls = await automate(hass, *EVERYTHING)
    server.requests.clear()
    starting = asyncio.create_task(
        hass.services.async_call(DOMAIN, "start_task", {"task": DEEP}, blocking=True)
    )
    while not server.requests:
        await asyncio.sleep(0)
    server.faults.slow = 1
    while not starts(server):
        await asyncio.sleep(0)
    await getattr(hass.config_entries, how)(loaded.entry_id)
    server.faults.slow = 0
    freezer.tick(2)
    await asyncio.wait([starting])
    await house.settled()
    freezer.tick(15)
    async_fire_time_changed(hass)
    await house.settled()
    assert told(calls) == []


async def test_poll_that_is_answered_after_the_unload_is_no_news(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    assert await async_setup_component(hass, "homeassistant", {})
    calls = await automate(hass, *EVERYTHING)
    await house.passes(20)  # the cooldown of the request to refresh is over
    maintenance = house.entity_id(server, "binary_sensor", "maintenance")
    server.faults.silent_websocket = True  # only the poll can tell of the run
    server.butler.start(INTROS)
    server.requests.clear()
    server.faults.late_answers = "GET"
    updating = asyncio.create_task(
        hass.services.async_call(
            "homeassistant", "update_entity", {"entity_id": maintenance}, blocking=True
        )
    )
    await house.sent()
    assert [(poll.path, poll.status) for poll in server.requests] == [("/", None)]
    assert await hass.config_entries.async_unload(loaded.entry_id)
    server.faults.late_answers = ""
    await updating
    await house.settled()
    assert [(poll.path, poll.status) for poll in server.requests] == [("/", None)]
    assert told(calls) == []


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("seconds", [5, 20])
async def test_outage_of_one_poll_fires_nothing(
    hass: HomeAssistant, house: House, server: SimulatedPlex, seconds: float
) -> None:
    calls = await automate(hass, *EVERYTHING)
    await house.act(DOMAIN, "start_task", task=INTROS)
    await house.passes(10)
    assert told(calls) == STARTED
    await server.stop_listening()
    await house.settled()
    assert house.state(server, "binary_sensor", "server").state != STATE_ON
    await house.passes(seconds)
    await server.restart()
    await house.passes(60)
    assert told(calls) == []


async def test_run_found_in_a_gap_has_no_start(
    hass: HomeAssistant, house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    server.butler.profiles[INTROS] = Profile(
        activity="media.generate.intros", items=3, item_seconds=20, gap_seconds=60
    )
    server.butler.start(INTROS)
    await server.advance(50)
    calls = await automate(hass, *EVERYTHING)
    await house.set_up(entry, server)
    assert house.state(server, "binary_sensor", "maintenance").state == STATE_ON
    await house.passes(60)
    assert told(calls) == []


@pytest.mark.usefixtures("loaded", "without_stream")
async def test_cancelled_start_is_looked_after(house: House, server: SimulatedPlex) -> None:
    waiting = run_task(house, INTROS)
    while not starts(server):
        await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert server.butler.running == {INTROS}
    await house.passes(10)
    assert house.state(server, "switch", f"task_{INTROS}").state == STATE_ON


@pytest.mark.usefixtures("loaded")
async def test_disabled_task_is_run_with_a_warning(house: House, server: SimulatedPlex) -> None:
    server.butler.profiles["RefreshLibraries"].items = 1
    waiting = await begun(house, server, "refresh_libraries")
    await house.passes(60)
    assert (await response(waiting)).get("warning") == "disabled_on_server"
