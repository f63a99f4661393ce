"""Plex's own log in Home Assistant: when it is read, and what it adds to what is shown."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
import json
from typing import Any, Final

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_WEBHOOK_ID
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_butler.const import CONF_LOG, CONF_WEBHOOK, DOMAIN
from custom_components.plex_butler.diagnostics import async_get_config_entry_diagnostics
from tests.conftest import House
from tests.integration.automations import automate, told, trigger
from tests.integration.plex_log import log_is_open, log_tries, set_up_with_log
from tests.integration.run_task import begun, response, run_task, starts
from tests.integration.shown import running
from tests.simulator import Profile, SimulatedPlex
from tests.simulator.log import Level

BEFORE_MIDNIGHT: Final = datetime(2026, 11, 23, 23, 50)
PRIVATE: Final = ("Private", "192.168.1.17", "/mnt/films", "8201", "79141")
PROFILES: Final = {
    "BackupDatabase": Profile(duration=20),
    "OptimizeDatabase": Profile(duration=900),
    "DeepMediaAnalysis": Profile(duration=1800),
    "CleanOldBundles": Profile(duration=0.5),
    "ButlerTaskGenerateCreditsMarkers": Profile(
        activity="media.generate.credits", items=6, item_seconds=60
    ),
}
HOURLY: Final = 3600


@pytest.fixture
async def night_server(socket_enabled: None) -> AsyncGenerator[SimulatedPlex]:
    """A server before a night in which all of its tasks are due."""
    async with SimulatedPlex(
        start=BEFORE_MIDNIGHT, nightly=True, profiles=dict(PROFILES)
    ) as simulated:
        for task in simulated.butler.tasks.values():
            task.interval = 1
        yield simulated


async def live(house: House, server: SimulatedPlex, clock: str) -> None:
    """Let time pass until the server's clock shows a time of the next day."""
    hour, minute = map(int, clock.split(":"))
    until = BEFORE_MIDNIGHT + timedelta(minutes=10, hours=hour, seconds=60 * minute)
    while (left := (until - server.clock.now).total_seconds()) > 0:
        at_night = 1 < server.clock.now.hour < 5
        await house.passes(min(left, 300), step=5 if at_night else 60)


async def test_night_in_which_plex_does_everything_by_itself(
    hass: HomeAssistant,
    house: House,
    night_server: SimulatedPlex,
    freezer: FrozenDateTimeFactory,
    whole_log: pytest.LogCaptureFixture,
) -> None:
    """Each task is seen, with its true start; of backup and optimization also how they ended."""
    server = night_server
    entry = await set_up_with_log(house, server, freezer)
    server.log.chatter(5)
    for clock, is_open in (("1:45", False), ("1:51", True), ("4:59", True), ("5:20", False)):
        await live(house, server, clock)
        assert log_is_open(server) is is_open, clock
    await live(house, server, "6:00")
    assert log_tries(server) == 1

    # What really happened, from the server's own diary.
    tasks = [task for how, task in server.butler.history if how == "started"]
    assert len(tasks) > 12
    runs = entry.runtime_data.session.history.between(
        dt_util.utcnow() - timedelta(days=1), dt_util.utcnow()
    )
    assert [run.task for run in sorted(runs, key=lambda run: run.since)] == tasks
    assert all(run.start_known and run.plex_log and run.known_by == "observed" for run in runs)
    outcomes = {run.task: (run.outcome.value, run.duration) for run in runs}
    for task in ("BackupDatabase", "OptimizeDatabase"):
        outcome, duration = outcomes[task]
        assert outcome == "succeeded"
        assert duration
        assert duration.total_seconds() == pytest.approx(PROFILES[task].duration, abs=60)
    assert outcomes["ButlerTaskGenerateCreditsMarkers"][0] == "finished"
    assert {outcome for outcome, _ in outcomes.values()} <= {
        "succeeded",
        "finished",
        "end_not_seen",
        "stopped",
    }
    counts = (await async_get_config_entry_diagnostics(hass, entry))["statistics"]["log"]
    assert (counts["opened"], counts["closed"]) == (1, 1)
    assert counts["task started"] == len(tasks)
    assert counts["lines of Butler with no listed tasks"] == 6
    shown = json.dumps([state.as_dict() for state in hass.states.async_all()], default=str)
    for text in PRIVATE:
        assert text not in shown
        assert text not in str(counts)
        assert text not in whole_log.text


async def test_night_of_a_server_that_names_its_tasks_by_their_activities(
    hass: HomeAssistant,
    house: House,
    night_server: SimulatedPlex,
    freezer: FrozenDateTimeFactory,
) -> None:
    """Each task is seen, and each of which no items are known also to end (reported for 2025)."""
    server = night_server
    server.faults.log_activities = True
    entry = await set_up_with_log(house, server, freezer)
    await live(house, server, "6:00")
    began = [task for how, task in server.butler.history if how == "started"]
    runs = entry.runtime_data.session.history.between(
        dt_util.utcnow() - timedelta(days=1), dt_util.utcnow()
    )
    assert [run.task for run in sorted(runs, key=lambda run: run.since)] == began
    deep = next(run for run in runs if run.task == "DeepMediaAnalysis")
    assert (deep.outcome, deep.known_by) == ("finished", "observed")
    assert deep.duration
    assert deep.duration.total_seconds() == pytest.approx(1800, abs=10)
    assert next(run for run in runs if run.task == "CleanOldBundles").outcome == "finished"
    assert next(run for run in runs if run.task == "BackupDatabase").outcome == "succeeded"
    counts = (await async_get_config_entry_diagnostics(hass, entry))["statistics"]["log"]
    assert counts["task started"] == counts["task ended"] == len(began)


async def test_without_the_option_nobody_asks_for_it(
    house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    await house.act(DOMAIN, "start_task", task="backup_database")
    await house.passes(60)
    assert log_tries(server) == 0


@pytest.mark.parametrize(
    ("faults", "result"),
    [
        ({}, "succeeded"),
        ({"backup_code": 11}, "failed"),
        ({"backup_fails": True}, "failed"),
    ],
    ids=["good", "code", "refused"],
)
async def test_backup_that_we_start_says_how_it_ended(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    freezer: FrozenDateTimeFactory,
    faults: dict[str, Any],
    result: str,
) -> None:
    """The log is opened for the command, before it is sent, and closed after that."""
    calls = await automate(hass, trigger("task_ended", outcome=["succeeded", "failed"]))
    server.butler.profiles["BackupDatabase"] = Profile(duration=7)
    for name, value in faults.items():
        setattr(server.faults, name, value)
    await set_up_with_log(house, server, freezer)
    assert log_tries(server) == 0
    waiting = await begun(house, server, "backup_database")
    paths = [r.path for r in server.requests if r.method == "POST" or r.query]
    assert paths == ["/:/websockets/notifications", "/butler/BackupDatabase"]
    assert running(house, server) == ["backup_database"]
    await house.passes(10)
    answer = await response(waiting)
    assert answer["result"] == result
    assert answer["duration"] == pytest.approx(7, abs=5)
    assert (answer["known_by"], answer["plex_log"], answer["ours"]) == ("observed", True, True)
    assert told(calls) == [("task_ended", "backup_database", result)]
    state = house.state(server, "sensor", "last_task")
    assert (state.state, state.attributes["outcome"]) == ("backup_database", result)
    state = house.state(server, "sensor", "last_good_backup")
    good = result == "succeeded"
    assert (state.state != "unknown") is good
    assert state.attributes["source"] == ("log" if good else None)
    await house.passes(200, step=10)
    assert not log_is_open(server)
    assert log_tries(server) == 1


async def test_backup_that_ends_before_the_server_has_answered(
    house: House, server: SimulatedPlex, freezer: FrozenDateTimeFactory
) -> None:
    await set_up_with_log(house, server, freezer)
    server.faults.late_answers = "POST"
    waiting = await begun_late(house, server)
    await server.advance(1)
    await house.sent()
    server.faults.late_answers = ""
    for _ in range(1000):
        await house.sent()
        if waiting.done():
            break
    assert (await response(waiting))["result"] == "succeeded"


async def begun_late(house: House, server: SimulatedPlex) -> Any:
    """Call the action, and wait until its start has arrived at the server."""
    waiting = run_task(house, "backup_database")
    while not starts(server):
        await house.sent()
    return waiting


async def test_start_all_is_followed_in_the_log(
    house: House, server: SimulatedPlex, freezer: FrozenDateTimeFactory
) -> None:
    await set_up_with_log(house, server, freezer)
    await house.act(DOMAIN, "start_all")
    assert log_is_open(server)
    (entry,) = house.hass.config_entries.async_entries(DOMAIN)
    shown = entry.runtime_data.data.running
    assert len(shown) > 3
    assert shown.keys() == server.butler.running
    assert all(run.plex_log for run in shown.values())


@pytest.mark.parametrize("status", [403, 404])
async def test_refusal_is_reported_once_and_changes_nothing_else(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    freezer: FrozenDateTimeFactory,
    issue_registry: ir.IssueRegistry,
    status: int,
) -> None:
    server.faults.log_refused = status
    entry = await set_up_with_log(house, server, freezer)
    issue = (DOMAIN, f"log_refused_{entry.entry_id}")
    assert issue_registry.async_get_issue(*issue) is None
    await house.act(DOMAIN, "start_task", task="backup_database")
    await house.passes(5)
    assert issue_registry.async_get_issue(*issue)
    ir.async_ignore_issue(hass, *issue, True)
    assert log_tries(server) == 1
    # The hour is over before it is tried again; commands do not try meanwhile.
    await house.act(DOMAIN, "start_task", task="backup_database")
    await house.passes(600, step=60)
    assert log_tries(server) == 1
    await house.passes(HOURLY, step=60)
    await house.act(DOMAIN, "start_task", task="backup_database")
    assert log_tries(server) == 2
    ignored = issue_registry.async_get_issue(*issue)
    assert ignored
    assert ignored.dismissed_version
    assert entry.state is ConfigEntryState.LOADED
    assert not list(hass.config_entries.flow.async_progress())

    server.faults.log_refused = 0
    await house.passes(HOURLY, step=60)
    await house.act(DOMAIN, "start_task", task="backup_database")
    assert log_is_open(server)
    assert issue_registry.async_get_issue(*issue) is None


@pytest.mark.parametrize("ignored", [True, False])
async def test_refusal_that_the_user_ignores_stays_ignored(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    freezer: FrozenDateTimeFactory,
    issue_registry: ir.IssueRegistry,
    *,
    ignored: bool,
) -> None:
    """Also when the entry is reloaded, but not longer than the entry is there."""
    server.faults.log_refused = 403
    entry = await set_up_with_log(house, server, freezer)
    issue = (DOMAIN, f"log_refused_{entry.entry_id}")
    await house.act(DOMAIN, "start_all")
    await house.passes(5)
    ir.async_ignore_issue(hass, *issue, ignored)
    await hass.config_entries.async_unload(entry.entry_id)
    assert (issue_registry.async_get_issue(*issue) is not None) is ignored
    await hass.config_entries.async_setup(entry.entry_id)
    await house.act(DOMAIN, "start_all")
    await house.passes(5)
    again = issue_registry.async_get_issue(*issue)
    assert again
    assert bool(again.dismissed_version) is ignored
    await hass.config_entries.async_remove(entry.entry_id)
    assert issue_registry.async_get_issue(*issue) is None


@pytest.mark.parametrize("ignored", [True, False])
async def test_option_that_is_turned_off_takes_the_repair_along(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    freezer: FrozenDateTimeFactory,
    issue_registry: ir.IssueRegistry,
    *,
    ignored: bool,
) -> None:
    server.faults.log_refused = 403
    entry = await set_up_with_log(house, server, freezer)
    await house.act(DOMAIN, "start_all")
    await house.passes(5)
    assert issue_registry.async_get_issue(DOMAIN, f"log_refused_{entry.entry_id}")
    ir.async_ignore_issue(hass, DOMAIN, f"log_refused_{entry.entry_id}", ignored)
    hass.config_entries.async_update_entry(entry, options={CONF_LOG: False})
    await hass.config_entries.async_reload(entry.entry_id)
    await house.settled()
    assert issue_registry.async_get_issue(DOMAIN, f"log_refused_{entry.entry_id}") is None
    await house.act(DOMAIN, "start_all")
    assert log_tries(server) == 1


@pytest.mark.parametrize("quiet", ["no_log", "logDebug"])
async def test_server_that_writes_nothing_is_shown_as_without_its_log(
    house: House, server: SimulatedPlex, freezer: FrozenDateTimeFactory, quiet: str
) -> None:
    if quiet == "no_log":
        server.faults.no_log = True
    else:
        server.change_preferences({quiet: "0"})
    await set_up_with_log(house, server, freezer)
    waiting = await begun(house, server, "backup_database")
    await house.passes(60)
    answer = await response(waiting)
    assert (answer["result"], answer["plex_log"]) == ("finished", False)


async def test_task_that_waits_for_its_time_is_shown_as_queued(
    house: House, server: SimulatedPlex, freezer: FrozenDateTimeFactory
) -> None:
    def queued() -> bool:
        state = house.state(server, "switch", "task_RefreshEpgGuides")
        return bool(state.attributes["queued"])

    await set_up_with_log(house, server, freezer)
    await house.act(DOMAIN, "start_task", task="deep_media_analysis")
    assert not queued()
    server.log.scheduled("RefreshEpgGuides")
    await house.settled()
    assert queued()
    server.butler.start("RefreshEpgGuides")
    await house.passes(5)
    assert not queued()
    event = house.state(server, "sensor", "current_task")
    assert event.state == "several"


async def test_damaged_database_is_reported_once(
    house: House,
    server: SimulatedPlex,
    freezer: FrozenDateTimeFactory,
    issue_registry: ir.IssueRegistry,
) -> None:
    server.butler.profiles["DeepMediaAnalysis"] = Profile(duration=3 * HOURLY)
    entry = await set_up_with_log(house, server, freezer)
    issue = (DOMAIN, f"database_corrupted_{entry.entry_id}")
    await house.act(DOMAIN, "start_all")
    for _ in range(2):
        server.log.write("SQLITE3:0x1, 11, database corruption at line 1 of [x]", Level.ERROR)
    await house.settled()
    assert issue_registry.async_get_issue(*issue)
    # Dismissed, it stays so while the damage goes on, also over other connections.
    issue_registry.async_delete(*issue)
    for hang_up in (False, True):
        if hang_up:
            await server.notifications.hang_up()
            await house.passes(60)
            assert log_is_open(server)
        server.log.write("database disk image is malformed", Level.ERROR)
        await house.settled()
        assert issue_registry.async_get_issue(*issue) is None
    # After a while without any it is news again, however long the log was open.
    await house.passes(HOURLY, step=60)
    assert log_is_open(server)
    server.log.write("database disk image is malformed", Level.ERROR)
    await house.settled()
    assert issue_registry.async_get_issue(*issue)


async def test_backup_that_has_failed_is_not_good_because_a_part_is_completed(
    house: House, server: SimulatedPlex, freezer: FrozenDateTimeFactory
) -> None:
    await set_up_with_log(house, server, freezer)
    await house.act(DOMAIN, "start_task", task="deep_media_analysis")

    async def good(*lines: str) -> bool:
        for line in lines:
            server.log.write(line)
        await house.settled()
        return house.state(server, "sensor", "last_good_backup").state != "unknown"

    completed = "Database backup completed: 0"
    assert not await good("Database failed its integrity check, not backing up", completed)
    assert not await good("Database backup completed: 11", completed)
    await house.passes(60)
    assert await good(completed)


@pytest.mark.parametrize("silent", ["refused", "no_log", ""])
async def test_silence_of_a_log_that_says_nothing_anyway_is_not_overdue(
    house: House, server: SimulatedPlex, freezer: FrozenDateTimeFactory, silent: str
) -> None:
    if silent == "no_log":
        server.faults.no_log = True
    await set_up_with_log(house, server, freezer)
    await house.act(DOMAIN, "start_task", task="deep_media_analysis")
    if silent == "refused":
        server.faults.log_refused = 403
        await server.notifications.hang_up()
    await house.passes(60)
    await house.passes(8 * 86400, step=21600)
    state = house.state(server, "binary_sensor", "backup_overdue")
    assert state.state == ("unknown" if silent else "on")


async def test_silence_of_the_webhook_is_overdue_whatever_the_log_says(
    house: House, server: SimulatedPlex, freezer: FrozenDateTimeFactory
) -> None:
    """Both are used, and the webhook would break the silence."""
    server.faults.no_log = True
    more = {CONF_WEBHOOK: True, CONF_WEBHOOK_ID: "an-id-of-ours"}
    await set_up_with_log(house, server, freezer, **more)
    await house.passes(60)
    await house.passes(8 * 86400, step=21600)
    assert house.state(server, "binary_sensor", "backup_overdue").state == "on"


async def test_silence_while_the_server_is_away_is_not_overdue(
    house: House, server: SimulatedPlex, freezer: FrozenDateTimeFactory
) -> None:
    """Its log could not be read."""
    await set_up_with_log(house, server, freezer)
    await house.act(DOMAIN, "start_task", task="clean_old_bundles")
    await house.passes(60)
    await server.stop_listening()
    await house.passes(60)
    await house.passes(8 * 86400, step=21600)
    await server.listen()
    await house.passes(60)
    assert house.state(server, "binary_sensor", "backup_overdue").state == "unknown"


async def test_something_else_at_the_address_does_not_refuse_the_log(
    house: House,
    server: SimulatedPlex,
    freezer: FrozenDateTimeFactory,
    issue_registry: ir.IssueRegistry,
) -> None:
    entry = await set_up_with_log(house, server, freezer)
    server.faults.login_page = True
    with pytest.raises(HomeAssistantError):
        await house.act(DOMAIN, "start_task", task="backup_database")
    assert entry.runtime_data.statistics.log["not_plex"] == 1
    await house.passes(60)
    server.faults.login_page = False
    await house.passes(60)
    assert issue_registry.async_get_issue(DOMAIN, f"log_refused_{entry.entry_id}") is None


async def test_server_that_comes_back_is_read_again(
    house: House, server: SimulatedPlex, freezer: FrozenDateTimeFactory
) -> None:
    server.butler.profiles["DeepMediaAnalysis"] = Profile(duration=HOURLY)
    await set_up_with_log(house, server, freezer)
    await house.act(DOMAIN, "start_task", task="deep_media_analysis")
    await server.stop_listening()
    await house.passes(120)
    tries = log_tries(server)
    await server.listen()
    await house.passes(60)
    assert log_tries(server) > tries
    # A log that was just lost keeps no command waiting.
    await server.notifications.hang_up()
    await house.act(DOMAIN, "start_task", task="backup_database")
    assert "BackupDatabase" in dict(server.butler.history).values()


async def test_lines_in_other_words_are_counted_and_kept_from_no_one(
    hass: HomeAssistant, house: House, server: SimulatedPlex, freezer: FrozenDateTimeFactory
) -> None:
    server.faults.log_other_verbs = server.faults.log_exceptions = True
    server.butler.profiles["DeepMediaAnalysis"] = Profile(duration=60)
    entry = await set_up_with_log(house, server, freezer)
    waiting = await begun(house, server, "deep_media_analysis")
    server.log.rotate()
    server.log.write("Butler: Considering the lilies", Level.DEBUG)
    timeless = {"message": "Butler: Scheduling task 'CleanOldBundles'"}
    server.notifications.publish("log", "LogSentNotification", [timeless])
    await house.passes(90)
    assert (await response(waiting))["result"] == "failed"
    counts = (await async_get_config_entry_diagnostics(hass, entry))["statistics"]["log"]
    assert counts["task mentioned"] == counts["exception"] == 1
    assert counts["lines of Butler with no listed tasks"] == 1


async def test_exceptions_that_are_none_of_a_task_do_not_make_it_fail(
    hass: HomeAssistant, house: House, server: SimulatedPlex, freezer: FrozenDateTimeFactory
) -> None:
    """A user's request meets the damage while a task runs, and so does the start of the server."""
    server.faults.log_foreign_exceptions = True
    server.butler.profiles["DeepMediaAnalysis"] = Profile(duration=60)
    entry = await set_up_with_log(house, server, freezer)
    waiting = await begun(house, server, "deep_media_analysis")
    await house.passes(90)
    assert (await response(waiting))["result"] == "finished"
    counts = (await async_get_config_entry_diagnostics(hass, entry))["statistics"]["log"]
    assert counts["corruption"] == 4
    assert counts.get("exception", 0) == 0


async def test_what_the_log_says_while_polls_fail_is_no_news(
    hass: HomeAssistant, house: House, server: SimulatedPlex, freezer: FrozenDateTimeFactory
) -> None:
    calls = await automate(hass, trigger("task_started"), trigger("task_ended"))
    await set_up_with_log(house, server, freezer)
    await house.act(DOMAIN, "start_all")
    await house.passes(600)
    server.butler.start("DeepMediaAnalysis")
    await house.settled()
    server.faults.own_error = True
    await house.passes(60)
    assert log_is_open(server)
    calls.clear()
    server.butler.start("CleanOldBundles")
    await house.settled()
    assert told(calls) == []
    assert house.state(server, "sensor", "current_task").state == "unavailable"


async def test_flood_is_cut_off(
    hass: HomeAssistant, house: House, server: SimulatedPlex, freezer: FrozenDateTimeFactory
) -> None:
    server.butler.profiles["DeepMediaAnalysis"] = Profile(duration=HOURLY)
    entry = await set_up_with_log(house, server, freezer)
    await house.act(DOMAIN, "start_task", task="deep_media_analysis")
    for _ in range(1000):
        server.log.write("Butler: Starting task 'CleanOldBundles'")
    async with asyncio.timeout(5):
        while not entry.runtime_data.statistics.log["flood"]:
            await house.settled()
    assert entry.runtime_data.statistics.log["flood"] == 1
    assert running(house, server) == ["deep_media_analysis", "clean_old_bundles"]
    server.log.write(f"Butler: {'x' * (1 << 20)}")
    await house.passes(60)
    assert log_is_open(server)


async def test_entry_is_unloaded_while_a_command_waits_for_the_log(
    hass: HomeAssistant, house: House, server: SimulatedPlex, freezer: FrozenDateTimeFactory
) -> None:
    """Nothing was sent, and the user is told just that."""
    entry = await set_up_with_log(house, server, freezer)
    server.faults.late_websocket = True
    call = hass.async_create_task(hass.services.async_call(DOMAIN, "start_all", {}, blocking=True))
    while not log_tries(server):
        await house.sent()
    await hass.config_entries.async_unload(entry.entry_id)
    with pytest.raises(Exception, match="nothing was sent"):
        await call
    assert not any(request.method == "POST" for request in server.requests)


async def test_log_that_does_not_open_keeps_no_command_waiting_for_long(
    hass: HomeAssistant, house: House, server: SimulatedPlex, freezer: FrozenDateTimeFactory
) -> None:
    entry = await set_up_with_log(house, server, freezer)
    server.faults.late_websocket = True
    call = hass.async_create_task(hass.services.async_call(DOMAIN, "start_all", {}, blocking=True))
    while not log_tries(server):
        await house.sent()
    await house.sent()
    assert not any(request.method == "POST" for request in server.requests)
    await house.passes(2)
    await call
    assert any(request.method == "POST" for request in server.requests)
    server.faults.late_websocket = False
    await hass.config_entries.async_unload(entry.entry_id)


async def test_disabled_entry_shows_no_repair(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    freezer: FrozenDateTimeFactory,
    issue_registry: ir.IssueRegistry,
) -> None:
    server.faults.log_refused = 403
    entry = await set_up_with_log(house, server, freezer)
    await house.act(DOMAIN, "start_all")
    await house.passes(5)
    assert issue_registry.async_get_issue(DOMAIN, f"log_refused_{entry.entry_id}")
    await hass.config_entries.async_unload(entry.entry_id)
    assert issue_registry.async_get_issue(DOMAIN, f"log_refused_{entry.entry_id}") is None
