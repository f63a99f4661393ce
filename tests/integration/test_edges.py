"""What neither begins nor ends: moments between tasks, last items after a stop, empty lists."""

import asyncio
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.script import DOMAIN as SCRIPT
from homeassistant.components.switch import DOMAIN as SWITCH
from homeassistant.const import SERVICE_TURN_OFF, STATE_OFF, STATE_ON
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_fire_time_changed

from custom_components.plex_butler.butler.schedule import ACTIVE_INTERVAL
from custom_components.plex_butler.const import DOMAIN
from custom_components.plex_butler.runs.rules import GRACE
from tests.conftest import House
from tests.integration.automations import EVERYTHING, STARTED, automate, told
from tests.integration.run_task import begun, response
from tests.integration.shown import maintenance, polls, running
from tests.simulator import Profile, SimulatedPlex
from tests.task_names import DEEP, INTROS, LOUDNESS, OPTIMIZE

OF_INTROS = "media.generate.intros"
KEY = "generate_intro_markers"


@pytest.mark.usefixtures("loaded")
async def test_row_that_rests_for_half_a_second_between_two_tasks_ends_nothing(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    calls = await automate(hass, *EVERYTHING)
    server.activities.work(40)
    item = server.activities.begin(OF_INTROS, "")
    await house.sent()
    await house.passes(60)
    assert told(calls) == STARTED
    server.activities.work(None)
    await house.sent()
    await house.passes(0.5)
    assert running(house, server) == [KEY]
    server.activities.work(0)
    await house.passes(60)
    assert (running(house, server), maintenance(house, server)) == ([KEY], STATE_ON)
    assert told(calls) == []
    server.activities.end(item)
    server.activities.work(None)
    await house.sent()
    turned = dt_util.utcnow().isoformat()
    await house.passes(5)
    assert (told(calls), maintenance(house, server)) == ([], STATE_ON)
    await house.passes(5)
    [ended] = [call.data["trigger"] for call in calls if "outcome" in call.data["trigger"]]
    assert (ended["ended"], ended["duration"]) == (turned, 120.5)
    assert told(calls) == [("task_ended", KEY, "finished"), ("maintenance_over",)]
    await house.passes(600, step=30)
    assert told(calls) == []


@pytest.mark.parametrize("earlier", [0, 300])
async def test_row_that_counts_the_tasks_is_at_100_between_them_and_near_it_after_weeks(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
    earlier: int,
) -> None:
    """Maintenance goes on from the first task to the last, and each run has its own end."""
    server.faults.row_counts_tasks = True
    for _ in range(earlier):
        server.butler.start("CleanOldBundles")
        server.butler.stop("CleanOldBundles")
    server.butler.profiles |= {
        DEEP: Profile(duration=400),
        INTROS: Profile(activity=OF_INTROS, items=4, item_seconds=50),
    }
    await house.passes(60)
    calls = await automate(hass, *EVERYTHING)
    for task in (INTROS, DEEP, INTROS):
        server.butler.start(task)
        await house.passes(100)
        assert maintenance(house, server) == STATE_ON
        while server.butler.running:
            await house.passes(1, step=1)
    await house.passes(15)
    assert maintenance(house, server) == STATE_OFF
    heard = told(calls)
    assert (heard[0], heard[-1]) == (("maintenance_started",), ("maintenance_over",))
    assert heard.count(("maintenance_over",)) == 1
    assert [event for event in heard if KEY in event] == [
        ("task_started", KEY),
        ("task_ended", KEY, "finished"),
    ] * 2


@pytest.mark.usefixtures("loaded", "without_stream")
async def test_row_that_one_poll_finds_at_rest_between_two_tasks_ends_nothing(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    server.butler.profiles[DEEP] = Profile(duration=1000)
    calls = await automate(hass, *EVERYTHING)
    waiting = await begun(house, server, DEEP)
    await house.passes(30)
    assert told(calls) == [("maintenance_started",), ("task_started", "deep_media_analysis")]
    server.activities.work(None)
    await house.passes(5)
    server.activities.work(0)
    await house.passes(300)
    assert running(house, server) == ["deep_media_analysis"]
    assert maintenance(house, server) == STATE_ON
    assert told(calls) == []
    assert not waiting.done()
    waiting.cancel()


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("action", "data"), [("stop_task", {"task": INTROS}), ("stop_all", {})], ids=["one", "all"]
)
async def test_item_that_outlives_a_stop_by_minutes_is_no_new_run_but_another_is_at_once(
    hass: HomeAssistant, house: House, server: SimulatedPlex, action: str, data: dict[str, Any]
) -> None:
    server.butler.lingering = 900
    server.butler.profiles[INTROS] = Profile(activity=OF_INTROS, items=1, item_seconds=1000)
    calls = await automate(hass, *EVERYTHING)
    await house.act(DOMAIN, "start_task", task=INTROS)
    await house.passes(30)
    assert told(calls) == STARTED
    await house.act(DOMAIN, action, **data)
    # Butler goes on with something else: beside a busy row an item counts.
    server.activities.work(10)
    await house.passes(800, step=20)
    assert house.state(server, SWITCH, f"task_{INTROS}").state == STATE_OFF
    assert told(calls) == [("task_ended", KEY, "stopped")]
    server.activities.begin(OF_INTROS, "")
    await house.sent()
    assert house.state(server, SWITCH, f"task_{INTROS}").state == STATE_ON
    assert told(calls) == [("task_started", KEY)]


@pytest.mark.usefixtures("loaded", "without_stream")
@pytest.mark.parametrize(
    ("action", "data"), [("stop_task", {"task": INTROS}), ("stop_all", {})], ids=["one", "all"]
)
@pytest.mark.parametrize("stopped_elsewhere", [False, True])
async def test_item_that_was_not_polled_before_the_stop_is_no_new_run_either(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    action: str,
    data: dict[str, Any],
    *,
    stopped_elsewhere: bool,
) -> None:
    server.butler.lingering = 900
    server.butler.profiles[INTROS] = Profile(activity=OF_INTROS, items=50, item_seconds=32)
    calls = await automate(hass, *EVERYTHING)
    await house.act(DOMAIN, "start_task", task=INTROS)
    await house.passes(30)
    assert told(calls) == STARTED
    await server.advance(4)  # The next item has begun since the last poll.
    if stopped_elsewhere:
        server.butler.stop(INTROS)
    await house.act(DOMAIN, action, **data)
    server.activities.work(10)
    await house.passes(60)
    assert running(house, server) == []
    assert "task_started" not in str(told(calls))
    server.activities.begin(OF_INTROS, "")
    await house.passes(30, step=30)
    assert running(house, server) == [KEY]


@pytest.mark.usefixtures("loaded", "without_stream")
async def test_what_plex_ran_by_itself_is_no_new_run_after_a_stop_of_all(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    server.activities.work(40)
    await house.passes(30)
    server.activities.work(None)
    await house.passes(60)
    server.butler.lingering = 900
    server.butler.profiles[INTROS] = Profile(activity=OF_INTROS, items=1, item_seconds=1000)
    server.butler.start(INTROS)
    await house.act(DOMAIN, "stop_all")
    server.activities.work(10)
    await house.passes(60)
    assert running(house, server) == []


@pytest.mark.usefixtures("loaded", "without_stream")
async def test_activities_are_read_before_a_start_of_all(
    house: House, server: SimulatedPlex
) -> None:
    await house.passes(60)
    server.requests.clear()
    await house.act(DOMAIN, "start_all")
    asked = [(request.method, request.path) for request in server.requests]
    assert ("GET", "/activities") in asked[: asked.index(("POST", "/butler"))]


@pytest.mark.usefixtures("loaded")
async def test_frame_that_overtakes_the_answer_of_a_start_of_all_after_a_stop_counts(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    server.butler.profiles[INTROS] = Profile(activity=OF_INTROS, items=1, item_seconds=1000)
    await house.act(DOMAIN, "start_task", task=INTROS)
    await house.passes(10)
    await house.act(DOMAIN, "stop_all")
    await house.passes(15)
    assert running(house, server) == []
    server.faults.late_answers = "POST"
    starting = asyncio.create_task(hass.services.async_call(DOMAIN, "start_all", blocking=True))
    while INTROS not in server.butler.running:
        await house.sent()
    await house.sent()
    assert KEY in running(house, server)
    assert not starting.done()
    server.faults.late_answers = ""
    await starting
    await house.settled()
    # Longer than a run goes on without an activity.
    await house.passes(400)
    assert INTROS in server.butler.running
    assert KEY in running(house, server)


@pytest.mark.usefixtures("loaded", "without_stream")
async def test_empty_list_of_tasks_ends_nothing(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    server.butler.profiles[DEEP] = Profile(duration=3000)
    calls = await automate(hass, *EVERYTHING)
    waiting = await begun(house, server, DEEP)
    await house.passes(30)
    told(calls)
    tasks, server.butler.tasks = server.butler.tasks, {}
    server.requests.clear()
    await house.passes(700, step=20)
    assert "/butler" in {request.path for request in server.requests}
    assert (running(house, server), maintenance(house, server)) == (
        ["deep_media_analysis"],
        STATE_ON,
    )
    server.butler.tasks = tasks
    await house.passes(700, step=20)
    assert not waiting.done()
    assert told(calls) == []
    # A short list ends what is really gone.
    del server.butler.tasks[DEEP]
    await house.passes(700, step=20)
    assert (await response(waiting))["result"] == "end_not_seen"


@pytest.mark.usefixtures("loaded", "without_stream")
@pytest.mark.parametrize(
    ("method", "action", "data"),
    [
        ("DELETE", "stop_task", {"task": LOUDNESS}),
        ("DELETE", "stop_all", {}),
        ("POST", "start_all", {}),
    ],
)
async def test_command_of_a_script_that_is_stopped_meanwhile_is_looked_after(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    method: str,
    action: str,
    data: dict[str, Any],
) -> None:
    await house.passes(60)
    assert maintenance(house, server) == STATE_OFF
    script = {"sequence": [{"action": f"{DOMAIN}.{action}", "data": data}]}
    assert await async_setup_component(hass, SCRIPT, {SCRIPT: {"evening": script}})
    server.requests.clear()
    server.faults.late_answers = method
    evening = asyncio.create_task(hass.services.async_call(SCRIPT, "evening", blocking=True))
    while method not in {request.method for request in server.requests}:
        assert not evening.done()
        await house.sent()
    await hass.services.async_call(
        SCRIPT, SERVICE_TURN_OFF, {"entity_id": "script.evening"}, blocking=True
    )
    server.faults.late_answers = ""
    await asyncio.wait([evening])
    await house.settled()
    server.requests.clear()
    await house.passes(GRACE.total_seconds() - 5)
    assert polls(server) >= 4
    await house.passes(60)
    server.butler.stop_all()
    await house.passes(300)
    server.requests.clear()
    await house.passes(60)
    assert polls(server) <= 3


@pytest.mark.usefixtures("loaded")
async def test_idle_row_after_a_freeze_ends_a_run_that_never_saw_it_busy(
    hass: HomeAssistant, house: House, server: SimulatedPlex, freezer: FrozenDateTimeFactory
) -> None:
    server.activities.work(40)
    await house.passes(5)
    server.activities.work(None)
    await house.passes(30)
    assert maintenance(house, server) == STATE_OFF
    server.faults.row_always_100 = True
    server.butler.profiles[OPTIMIZE] = Profile(duration=20, stalls=True)
    calls = await automate(hass, *EVERYTHING)
    await house.act(DOMAIN, "start_task", task=OPTIMIZE)
    assert told(calls) == [("maintenance_started",), ("task_started", "optimize_database")]
    await house.passes(GRACE.total_seconds())
    while house.state(server, "binary_sensor", "server").attributes["busy"]:
        freezer.tick(ACTIVE_INTERVAL)
        async_fire_time_changed(hass)
        await house.settled()
    await house.passes(5)
    assert maintenance(house, server) == STATE_OFF
    assert told(calls) == [
        ("task_ended", "optimize_database", "end_not_seen"),
        ("maintenance_over",),
    ]
