"""The notification stream in Home Assistant: what is shown when, and what it must not do."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from aiohttp import ClientSession
from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.switch import DOMAIN as SWITCH
from homeassistant.const import (
    ATTR_ASSUMED_STATE,
    EVENT_STATE_CHANGED,
    STATE_OFF,
    STATE_ON,
    STATE_UNAVAILABLE,
)
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.plex_butler.const import DOMAIN
from custom_components.plex_butler.runs.rules import ROW_STAYS_IDLE
from tests.conftest import House
from tests.integration.automations import EVERYTHING, STARTED, automate, told
from tests.integration.shown import maintenance, polls, running
from tests.simulator import Profile, SimulatedPlex
from tests.simulator.users import Users

NAME = "ButlerTaskGenerateIntroMarkers"
INTROS = f"task_{NAME}"
BACKUP = "task_BackupDatabase"
OPTIMIZE = "task_OptimizeDatabase"


@pytest.fixture
def writes(hass: HomeAssistant) -> list[str]:
    """Every state that is written, as `entity_id state`, but of the calendar, which shows the window."""
    written: list[str] = []

    @callback
    def note(event: Event[EventStateChangedData]) -> None:
        entity_id, new = event.data["entity_id"], event.data["new_state"]
        if not entity_id.startswith("calendar."):
            written.append(f"{entity_id} {new.state if new else None}")

    hass.bus.async_listen(EVENT_STATE_CHANGED, note)
    return written


def row(server: SimulatedPlex, event: str, uuid: str, type_: str, progress: int = 50) -> None:
    """Tell of an activity that need not be there."""
    activity = {"uuid": uuid, "type": type_, "title": "Private", "progress": progress}
    frame = {"event": event, "uuid": uuid, "Activity": activity}
    server.notifications.publish("activity", "ActivityNotification", [frame])


@pytest.mark.usefixtures("loaded")
async def test_run_is_shown_when_it_is_told_and_so_is_its_end(
    house: House, server: SimulatedPlex
) -> None:
    await house.passes(60)
    server.requests.clear()
    server.butler.start("GenerateChapterThumbs")
    await house.sent()
    state = house.state(server, SWITCH, "task_GenerateChapterThumbs")
    assert (state.state, state.attributes.get(ATTR_ASSUMED_STATE)) == (STATE_ON, None)
    assert maintenance(house, server) == STATE_ON
    await server.advance(11)
    await house.sent()
    await house.passes(1)
    assert house.state(server, SWITCH, "task_GenerateChapterThumbs").state == STATE_ON
    assert maintenance(house, server) == STATE_ON
    await house.row_settles()
    assert house.state(server, SWITCH, "task_GenerateChapterThumbs").state == STATE_OFF
    assert maintenance(house, server) == STATE_OFF


@pytest.mark.usefixtures("loaded")
async def test_task_of_a_moment_is_seen_to_end(house: House, server: SimulatedPlex) -> None:
    await house.act(DOMAIN, "start_task", task="backup_database")
    assert house.state(server, SWITCH, BACKUP).state == STATE_ON
    await house.passes(5)
    assert house.state(server, SWITCH, BACKUP).state == STATE_ON
    await house.row_settles()
    assert house.state(server, SWITCH, BACKUP).state == STATE_OFF
    answer = await house.act(DOMAIN, "get_tasks", True)
    [last_run] = [task["last_run"] for task in answer["tasks"] if task["last_run"]]
    assert last_run["outcome"] == "finished"


@pytest.mark.usefixtures("loaded")
async def test_frames_that_show_nothing_new_write_nothing(
    house: House, server: SimulatedPlex, writes: list[str]
) -> None:
    server.butler.start("ButlerTaskGenerateIntroMarkers")
    await house.passes(5)
    writes.clear()
    for number in range(600):
        row(server, "started", f"scan {number}", "library.update.item.metadata")
        row(server, "updated", f"scan {number}", "library.update.item.metadata")
        row(server, "updated", "e9", "butler", number % 99)
    await house.sent()
    assert writes == []
    await house.passes(1)
    assert writes == []
    assert running(house, server) == ["generate_intro_markers"]


@pytest.mark.usefixtures("loaded")
async def test_burst_of_changes_is_a_handful_of_writes_and_ends_with_the_last(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    writes: list[str],
    freezer: FrozenDateTimeFactory,
) -> None:
    await house.passes(5)
    writes.clear()
    for number in range(201):
        row(server, "updated", "e9", "butler", 100 if number % 2 else 40)
    for _ in range(5):
        await house.sent()
    assert [state for state in writes if "maintenance" in state] == [
        f"{house.entity_id(server, 'binary_sensor', 'maintenance')} on"
    ]
    row(server, "ended", "e9", "butler", 100)
    await house.sent()
    freezer.tick(timedelta(seconds=0.3))
    async_fire_time_changed(hass)
    # *Maintenance* and *Current task*.
    assert len(writes) == 2
    await house.row_settles()
    assert maintenance(house, server) == STATE_OFF
    assert len(writes) == 4


@pytest.mark.usefixtures("loaded")
async def test_change_that_was_taken_back_is_not_shown(
    house: House, server: SimulatedPlex, writes: list[str]
) -> None:
    server.activities.work(40)
    await house.passes(5)
    assert maintenance(house, server) == STATE_ON
    writes.clear()
    server.activities.work(None)
    await house.sent()
    server.activities.work(60)
    await house.row_settles()
    await house.passes(60)
    assert writes == []
    assert maintenance(house, server) == STATE_ON


@pytest.mark.usefixtures("loaded")
async def test_change_that_was_overtaken_by_an_outage_is_not_shown(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    writes: list[str],
    freezer: FrozenDateTimeFactory,
) -> None:
    server.activities.work(40)
    await house.passes(5)
    server.activities.work(None)
    await house.sent()
    freezer.tick(ROW_STAYS_IDLE)
    row(server, "started", "scan", "library.update.section")
    await house.sent()
    assert maintenance(house, server) == STATE_OFF
    # So soon after the last change, this one waits to be shown.
    row(server, "updated", server.activities.rows()[-1]["uuid"], "butler", 40)
    await house.sent()
    assert maintenance(house, server) == STATE_OFF
    await server.stop_listening()
    await house.settled()
    assert maintenance(house, server) == STATE_UNAVAILABLE
    writes.clear()
    freezer.tick(timedelta(seconds=0.3))
    async_fire_time_changed(hass)
    assert writes == []
    assert maintenance(house, server) == STATE_UNAVAILABLE


@pytest.mark.usefixtures("loaded")
async def test_idle_hour_beside_a_stream_writes_nothing_and_asks_little(
    house: House, server: SimulatedPlex, writes: list[str]
) -> None:
    await house.passes(60)
    writes.clear()
    server.requests.clear()
    for _ in range(120):
        server.users.dvr_noise()
        server.users.remote_access_flaps()
        await house.passes(30, step=30)
    assert writes == []
    assert 5 <= polls(server) <= 7
    assert len(server.requests) <= 15


@pytest.mark.usefixtures("loaded")
async def test_users_item_is_checked_by_one_poll_and_is_not_butlers(
    house: House, server: SimulatedPlex
) -> None:
    server.butler.start("DeepMediaAnalysis")
    await house.passes(200)
    assert maintenance(house, server) == STATE_OFF
    await house.passes(60)
    server.requests.clear()
    server.users.add_episode(seconds=600)
    await house.settled()
    assert polls(server) == 1
    await house.passes(120, step=30)
    assert running(house, server) == []
    assert polls(server) == 1


@pytest.mark.usefixtures("loaded")
async def test_butlers_item_is_seen_even_if_the_row_is_told_by_polls_alone(
    house: House, server: SimulatedPlex
) -> None:
    server.butler.start("DeepMediaAnalysis")
    await house.passes(260)
    assert maintenance(house, server) == STATE_OFF
    server.faults.silent_websocket = True
    server.butler.start("DeepMediaAnalysis")
    await house.sent()
    server.faults.silent_websocket = False
    server.users.add_episode(seconds=600)
    await house.settled()
    assert running(house, server) == ["generate_intro_markers"]


@pytest.mark.usefixtures("loaded")
async def test_stream_that_a_proxy_swallows_is_noticed_and_polling_takes_over(
    house: House, server: SimulatedPlex
) -> None:
    server.faults.silent_websocket = True
    await house.passes(60)
    server.users.scan_library(items=1, item_seconds=10_000)
    await house.passes(600, step=30)
    server.requests.clear()
    await house.passes(300, step=30)
    assert polls(server) >= 9
    server.butler.start("ButlerTaskGenerateIntroMarkers")
    await house.passes(60)
    assert running(house, server) == ["generate_intro_markers"]
    server.faults.silent_websocket = False
    server.butler.stop_all()
    await house.passes(200)
    server.requests.clear()
    server.users.dvr_noise()
    await house.passes(600, step=30)
    assert polls(server) <= 4


@pytest.mark.usefixtures("loaded")
async def test_frame_with_too_many_rows_is_read_in_part_and_followed_by_a_poll(
    house: House, server: SimulatedPlex
) -> None:
    await house.passes(60)
    server.requests.clear()
    rows = [
        {"event": "started", "uuid": f"{number}", "Activity": {"uuid": f"{number}", "type": "x"}}
        for number in range(1500)
    ]
    server.notifications.publish("activity", "ActivityNotification", rows)
    server.butler.start("ButlerTaskGenerateIntroMarkers")
    await house.settled()
    assert [request.path for request in server.requests] == ["/activities"]
    assert running(house, server) == ["generate_intro_markers"]


@pytest.mark.usefixtures("loaded")
async def test_token_that_is_refused_at_the_stream_is_looked_at_by_a_poll(
    house: House, server: SimulatedPlex
) -> None:
    await house.passes(60)
    await server.notifications.hang_up()
    await house.settled()
    server.faults.unauthorized = True
    await house.passes(6)
    assert house.state(server, "binary_sensor", "server").state == STATE_OFF


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("frame", [Users.dvr_noise, Users.play], ids=["activity", "playing"])
async def test_frame_of_a_busy_server_is_followed_by_a_poll_so_that_commands_work_again(
    house: House, server: SimulatedPlex, frame: Callable[[Users], object]
) -> None:
    server.butler.start("DeepMediaAnalysis")
    await house.passes(10)
    server.faults.hang = True
    await house.passes(10)
    assert house.state(server, "binary_sensor", "server").attributes["busy"] is True
    server.faults.hang = False
    await house.passes(5)
    assert house.state(server, "binary_sensor", "server").attributes["busy"] is True
    frame(server.users)
    await house.sent()
    await house.settled()
    assert house.state(server, "binary_sensor", "server").attributes["busy"] is False
    await house.act(DOMAIN, "stop_all")


@pytest.mark.usefixtures("loaded")
async def test_changed_preference_reads_the_list_of_tasks_again(
    house: House, server: SimulatedPlex
) -> None:
    assert house.state(server, SWITCH, BACKUP).attributes["schedule_enabled"] is True
    async with ClientSession() as session:
        await session.put(
            f"{server.url}/:/prefs",
            params={"ButlerTaskBackupDatabase": "0"},
            headers={"X-Plex-Token": server.owner_token},
        )
    await house.settled()
    await house.passes(5)
    assert house.state(server, SWITCH, BACKUP).attributes["schedule_enabled"] is False


@pytest.mark.usefixtures("loaded")
async def test_server_that_is_switched_off_is_shown_at_once_and_the_stream_comes_back(
    house: House, server: SimulatedPlex
) -> None:
    await house.passes(60)
    await server.stop_listening()
    await house.settled()
    assert house.state(server, "binary_sensor", "server").state == STATE_OFF
    server.requests.clear()
    await house.passes(300, step=30)
    await server.listen()
    await house.passes(60, step=30)
    assert house.state(server, "binary_sensor", "server").state == STATE_ON
    assert server.notifications.listeners == 1
    server.butler.start("ButlerTaskGenerateIntroMarkers")
    await house.sent()
    assert running(house, server) == ["generate_intro_markers"]


@pytest.mark.usefixtures("loaded")
async def test_server_that_is_away_is_not_asked_for_its_stream(
    house: House, server: SimulatedPlex
) -> None:
    server.faults.maintenance = True
    server.faults.retry_after = 300
    await server.stop_listening()
    await server.listen()
    await house.passes(40)
    server.requests.clear()
    await house.passes(200, step=10)
    assert server.requests == []


@pytest.mark.usefixtures("loaded")
async def test_what_is_told_while_polls_fail_waits_for_the_next_good_one(
    house: House, server: SimulatedPlex
) -> None:
    server.faults.maintenance = True
    await house.passes(660, step=30)
    assert house.state(server, SWITCH, INTROS).state == STATE_UNAVAILABLE
    server.butler.start("ButlerTaskGenerateIntroMarkers")
    await house.passes(5)
    assert house.state(server, SWITCH, INTROS).state == STATE_UNAVAILABLE
    server.faults.maintenance = False
    await house.passes(30)
    assert house.state(server, SWITCH, INTROS).state == STATE_ON
    answer = await house.act(DOMAIN, "get_tasks", True)
    [run] = [task["run"] for task in answer["tasks"] if task["run"]]
    assert run == {
        "started": None,
        "known_by": "observed",
        "ours": False,
        "started_by": None,
        "plex_log": False,
    }


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("begins", [True, False], ids=["begins", "ends"])
async def test_change_that_was_told_during_a_poll_is_not_undone_by_its_answer(
    hass: HomeAssistant, house: House, server: SimulatedPlex, *, begins: bool
) -> None:
    assert await async_setup_component(hass, "homeassistant", {})
    server.butler.profiles[NAME] = Profile(activity="media.generate.intros", items=1)
    await house.passes(300)
    if not begins:
        server.butler.start(NAME)
        await house.passes(20)
    calls = await automate(hass, *EVERYTHING)
    server.requests.clear()
    server.faults.late_answers = "GET"
    [entry] = hass.config_entries.async_loaded_entries(DOMAIN)
    polling = asyncio.create_task(entry.runtime_data.async_request_refresh())
    await house.sent()
    assert [(poll.path, poll.status) for poll in server.requests] == [("/activities", None)]
    if begins:
        server.butler.start(NAME)
    else:
        server.butler.stop_all()
    turned = dt_util.utcnow().isoformat()
    await house.sent()
    assert running(house, server) == ["generate_intro_markers"]
    server.faults.late_answers = ""
    await polling
    await house.settled()
    assert running(house, server) == ["generate_intro_markers"]
    assert told(calls) == (STARTED if begins else [])
    # If the answer had undone the change, the row would turn idle again by the next poll only.
    await house.row_settles()
    assert running(house, server) == (["generate_intro_markers"] if begins else [])
    assert [call.data["trigger"].get("ended") for call in calls] == (
        [] if begins else [turned, None]
    )
    assert told(calls) == (
        []
        if begins
        else [("task_ended", "generate_intro_markers", "finished"), ("maintenance_over",)]
    )


@pytest.mark.parametrize("task", [None, "optimize_database"])
@pytest.mark.usefixtures("loaded")
async def test_freeze_of_the_nights_optimization_or_of_ours(
    house: House, server: SimulatedPlex, task: str | None, writes: list[str]
) -> None:
    if task:
        await house.act(DOMAIN, "start_task", task=task)
    else:
        server.butler.start("OptimizeDatabase")
    await house.passes(1200, step=60)
    state = house.state(server, "binary_sensor", "server")
    assert (state.state, state.attributes["busy"]) == (STATE_ON, True)
    assert maintenance(house, server) == STATE_ON
    assert house.state(server, SWITCH, OPTIMIZE).state == (STATE_ON if task else STATE_OFF)
    await house.passes(900, step=60)
    state = house.state(server, "binary_sensor", "server")
    assert (state.state, state.attributes["busy"]) == (STATE_ON, False)
    assert maintenance(house, server) == STATE_OFF
    assert not [state for state in writes if STATE_UNAVAILABLE in state]
    if task:
        answer = await house.act(DOMAIN, "get_tasks", True)
        [last_run] = [told["last_run"] for told in answer["tasks"] if told["last_run"]]
        assert last_run["outcome"] == "finished"


async def test_freeze_does_not_make_the_stream_look_silent(
    house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    server.activities.work(40)
    await house.passes(60)
    server.faults.hang = server.faults.silent_websocket = True
    await house.passes(60, step=30)
    assert house.state(server, "binary_sensor", "server").attributes["busy"] is True
    server.activities.begin("media.download", "")
    server.faults.hang = False
    await house.passes(60, step=30)
    assert house.state(server, "binary_sensor", "server").attributes["busy"] is False
    assert loaded.runtime_data.statistics.stream["silent"] == 0


@pytest.mark.usefixtures("loaded")
async def test_lists_that_a_freeze_kept_from_being_read_are_read_after_it(
    house: House, server: SimulatedPlex
) -> None:
    await house.passes(60)
    await house.act(DOMAIN, "start_task", task="optimize_database")
    await house.passes(60, step=30)
    assert house.state(server, "binary_sensor", "server").attributes["busy"] is True
    server.butler.add_task("BrewCoffee")
    server.notifications.publish("preference", "Setting", [{"id": "x"}])
    while house.state(server, "binary_sensor", "server").attributes["busy"]:
        await house.passes(30, step=30)
    await house.passes(10)
    answer = await house.act(DOMAIN, "get_tasks", True)
    assert "BrewCoffee" in {task["name"] for task in answer["tasks"]}


async def test_unloading_leaves_no_socket_and_no_task(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    assert server.notifications.listeners == 1
    assert await hass.config_entries.async_unload(loaded.entry_id)
    await house.sent()
    assert server.notifications.listeners == 0
    await house.set_up(loaded, server)
    assert server.notifications.listeners == 1


@pytest.mark.usefixtures("loaded")
async def test_stream_reads_no_more_than_types_counts_and_times(
    hass: HomeAssistant, house: House, server: SimulatedPlex, whole_log: pytest.LogCaptureFixture
) -> None:
    server.butler.start("ButlerTaskGenerateIntroMarkers")
    server.users.scan_library()
    await house.passes(30)
    shown: list[Any] = [state.as_dict() for state in hass.states.async_all()]
    assert "Private" not in f"{shown}"
    assert "Private" not in whole_log.text
    assert server.owner_token not in whole_log.text
