"""What crosses on the wire: answers, frames, polls and commands that overtake one another."""

import asyncio
from datetime import timedelta
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.plex_butler.const import DOMAIN
from custom_components.plex_butler.plex import ButlerTask, PlexClient
from tests.conftest import House
from tests.integration.automations import EVERYTHING, automate, told
from tests.integration.run_task import begun, response, run_task
from tests.integration.shown import polls, running
from tests.simulator import Profile, SimulatedPlex
from tests.task_names import DEEP, INTROS


@pytest.fixture(autouse=True)
def _long_tasks(server: SimulatedPlex) -> None:
    server.butler.profiles |= {
        DEEP: Profile(duration=600),
        INTROS: Profile(activity="media.generate.intros", items=1, item_seconds=1000),
    }


async def a_while(house: House) -> None:
    for _ in range(10):
        await house.sent()


def preference(server: SimulatedPlex) -> None:
    server.notifications.publish("preference", "Setting", [{"id": "x"}])


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("action", "data"), [("stop_task", {"task": DEEP}), ("stop_all", {})], ids=["one", "all"]
)
async def test_stop_whose_frames_come_before_its_answer_is_a_stop(
    hass: HomeAssistant, house: House, server: SimulatedPlex, action: str, data: dict[str, Any]
) -> None:
    waiting = await begun(house, server, DEEP)
    await house.passes(20)
    server.faults.late_answers = "DELETE"
    stopping = asyncio.create_task(hass.services.async_call(DOMAIN, action, data, blocking=True))
    await a_while(house)
    assert not server.butler.running
    server.faults.late_answers = ""
    await stopping
    await house.settled()
    assert (await response(waiting))["result"] == "stopped"


@pytest.mark.usefixtures("loaded", "without_stream")
async def test_stop_that_polls_overtake_is_a_stop(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    waiting = await begun(house, server, DEEP)
    await house.passes(20)
    server.faults.late_answers = "DELETE"
    stopping = asyncio.create_task(
        hass.services.async_call(DOMAIN, "stop_task", {"task": DEEP}, blocking=True)
    )
    await a_while(house)
    await house.passes(6, step=3)
    server.faults.late_answers = ""
    await stopping
    await house.settled()
    assert (await response(waiting))["result"] == "stopped"


@pytest.mark.usefixtures("loaded")
async def test_stop_that_gets_no_answer_leaves_the_end_to_what_is_seen(
    house: House, server: SimulatedPlex
) -> None:
    waiting = await begun(house, server, DEEP)
    await house.passes(20)
    server.faults.drop_reply = True
    with pytest.raises(HomeAssistantError):
        await house.act(DOMAIN, "stop_task", task=DEEP)
    server.faults.drop_reply = False
    await house.passes(10)
    assert (await response(waiting))["result"] == "finished"


@pytest.mark.usefixtures("loaded")
async def test_two_starts_of_one_task_at_once_are_one_run(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    calls = await automate(hass, *EVERYTHING)
    server.faults.late_answers = "POST"
    waiting = [run_task(house, DEEP), run_task(house, DEEP)]
    await a_while(house)
    server.faults.late_answers = ""
    await a_while(house)
    await house.settled()
    assert told(calls) == [("maintenance_started",), ("task_started", "deep_media_analysis")]
    assert not [task for task in waiting if task.done()]
    await house.act(DOMAIN, "stop_task", task=DEEP)
    assert {(await response(task))["result"] for task in waiting} == {"stopped"}


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("at_once", [False, True])
async def test_update_of_the_server_fires_nothing(
    hass: HomeAssistant, house: House, server: SimulatedPlex, *, at_once: bool
) -> None:
    await house.passes(60)
    calls = await automate(hass, *EVERYTHING)
    await house.act(DOMAIN, "start_task", task=INTROS)
    await house.passes(10)
    told(calls)
    server.version = "1.99.0.1-abc"
    if not at_once:
        await server.stop_listening()
        await house.settled()
    await server.restart()
    await house.settled()
    await house.passes(360, step=5)
    assert told(calls) == []
    answer = await house.act(DOMAIN, "get_tasks", True)
    [last_run] = [task["last_run"] for task in answer["tasks"] if task["last_run"]]
    assert last_run["outcome"] == "end_not_seen"


@pytest.mark.usefixtures("loaded")
async def test_frame_that_crosses_the_poll_that_finds_an_update_tells_no_end(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await house.passes(60)
    calls = await automate(hass, *EVERYTHING)
    await house.act(DOMAIN, "start_task", task=INTROS)
    await house.passes(10)
    assert told(calls)
    answered = asyncio.Event()
    read_tasks = PlexClient.tasks

    async def tasks(client: PlexClient) -> tuple[ButlerTask, ...]:
        await answered.wait()
        return await read_tasks(client)

    monkeypatch.setattr(PlexClient, "tasks", tasks)
    server.version = "1.99.0.1-abc"
    preference(server)
    await a_while(house)
    server.activities.begin("media.download", "")
    await a_while(house)
    answered.set()
    await house.passes(10)
    assert not {name for name, *_ in told(calls)} & {"task_ended", "maintenance_over"}


@pytest.mark.usefixtures("loaded")
async def test_poll_that_a_frame_asks_for_is_not_forgotten_over_the_next_frame(
    house: House, server: SimulatedPlex
) -> None:
    rows = [
        {"event": "started", "uuid": f"{number}", "Activity": {"uuid": f"{number}", "type": "x"}}
        for number in range(1500)
    ]
    await house.passes(60)
    server.activities.work(40)
    await house.settled()
    server.notifications.publish("activity", "ActivityNotification", rows)
    await house.settled()
    server.requests.clear()
    # A moment after the poll for the first one this one has to wait.
    server.notifications.publish("activity", "ActivityNotification", rows)
    await house.sent()
    server.activities.work(None)
    await house.sent()
    await house.passes(1)
    assert polls(server) == 0
    await house.passes(10)
    assert polls(server) > 0


@pytest.mark.usefixtures("loaded")
async def test_stream_that_does_not_come_back_is_made_up_for_by_polls(
    house: House, server: SimulatedPlex
) -> None:
    await house.passes(600, step=30)
    server.faults.no_websocket = True
    await server.notifications.hang_up()
    await house.settled()
    server.requests.clear()
    await house.passes(270, step=5)
    assert polls(server) >= 8


@pytest.mark.usefixtures("loaded")
async def test_older_answer_to_a_poll_does_not_bring_a_run_back(
    hass: HomeAssistant, house: House, server: SimulatedPlex, freezer: FrozenDateTimeFactory
) -> None:
    calls = await automate(hass, *EVERYTHING)
    server.butler.start(INTROS)
    await house.passes(20)
    server.faults.late_answers = "GET"
    freezer.tick(timedelta(seconds=6))
    async_fire_time_changed(hass)
    await a_while(house)
    server.butler.stop_all()  # as the schedule's window would close
    await server.advance(5)
    await a_while(house)
    starting = asyncio.create_task(
        hass.services.async_call(DOMAIN, "start_task", {"task": "CleanOldBundles"}, blocking=True)
    )
    await a_while(house)
    server.faults.late_answers = ""
    await starting
    await house.settled()
    await house.passes(400)
    assert [what for what in told(calls) if "generate_intro_markers" in what] == [
        ("task_started", "generate_intro_markers"),
        ("task_ended", "generate_intro_markers", "finished"),
    ]


@pytest.mark.usefixtures("loaded", "without_stream")
@pytest.mark.parametrize(
    ("action", "data"), [("stop_task", {"task": INTROS}), ("stop_all", {})], ids=["one", "all"]
)
async def test_older_answer_to_a_poll_does_not_undo_a_stop(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    freezer: FrozenDateTimeFactory,
    action: str,
    data: dict[str, Any],
) -> None:
    calls = await automate(hass, *EVERYTHING)
    await house.act(DOMAIN, "start_task", task=INTROS)
    await house.passes(20)
    assert running(house, server) == ["generate_intro_markers"]
    told(calls)
    server.requests.clear()
    server.faults.late_answers = "GET"
    freezer.tick(timedelta(seconds=6))
    async_fire_time_changed(hass)
    await a_while(house)
    assert server.requests[-1].status is None
    await hass.services.async_call(DOMAIN, action, data, blocking=True)
    server.faults.late_answers = ""
    await house.settled()
    assert running(house, server) == []
    assert told(calls) == [("task_ended", "generate_intro_markers", "stopped")]
    await house.row_settles()
    assert running(house, server) == []
    assert told(calls) == [("maintenance_over",)]


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("during_the_read", [False, True])
async def test_second_change_of_preferences_is_not_missed(
    house: House, server: SimulatedPlex, *, during_the_read: bool
) -> None:
    await house.passes(60)
    if during_the_read:
        server.faults.late_answers = "GET"
    preference(server)
    await a_while(house)
    server.butler.add_task("BrewCoffee")
    preference(server)
    await a_while(house)
    server.faults.late_answers = ""
    await house.passes(15)
    answer = await house.act(DOMAIN, "get_tasks", True)
    assert "BrewCoffee" in {task["name"] for task in answer["tasks"]}


@pytest.mark.usefixtures("loaded", "without_stream")
@pytest.mark.parametrize("action", ["start_all", "stop_all"])
async def test_command_without_an_answer_is_looked_after(
    house: House, server: SimulatedPlex, action: str
) -> None:
    await house.passes(60)
    server.faults.drop_reply = True
    with pytest.raises(HomeAssistantError):
        await house.act(DOMAIN, action)
    server.faults.drop_reply = False
    server.requests.clear()
    await house.passes(20)
    assert polls(server) >= 3


@pytest.mark.usefixtures("loaded", "without_stream")
async def test_command_that_is_cancelled_is_looked_after(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    await house.passes(60)
    server.faults.late_answers = "POST"
    call = hass.services.async_call(DOMAIN, "start_all", blocking=True)
    starting = asyncio.create_task(call)
    await a_while(house)
    starting.cancel()
    await asyncio.wait([starting])
    server.faults.late_answers = ""
    server.requests.clear()
    await house.passes(20)
    assert polls(server) >= 3


@pytest.mark.usefixtures("loaded", "without_stream")
async def test_command_that_is_refused_is_not_looked_after(
    house: House, server: SimulatedPlex
) -> None:
    await house.passes(60)
    server.faults.still_starting_up = True
    with pytest.raises(HomeAssistantError):
        await house.act(DOMAIN, "start_all")
    server.requests.clear()
    await house.passes(20)
    assert polls(server) <= 1


async def test_run_that_was_no_news_is_remembered_as_well(
    house: House, server: SimulatedPlex, entry: MockConfigEntry, hass_storage: dict[str, Any]
) -> None:
    await house.set_up(entry, server)
    server.butler.start(DEEP)
    await house.act(DOMAIN, "start_task", task=DEEP)
    await house.passes(15)
    assert list(hass_storage[f"{DOMAIN}.{entry.entry_id}"]["data"]["runs"]) == [DEEP]


@pytest.mark.usefixtures("loaded")
async def test_run_is_shown_again_after_a_poll_that_failed(
    house: House, server: SimulatedPlex
) -> None:
    server.butler.start(INTROS)
    await house.passes(10)
    server.faults.bad_gateway = True
    await house.passes(5)
    server.faults.bad_gateway = False
    await house.passes(35)
    assert running(house, server) == ["generate_intro_markers"]
