"""What is remembered over restarts of Home Assistant, and what is not kept."""
# ruff: noqa: ASYNC240 - small files of a test

from collections.abc import Iterator
from datetime import timedelta
import json
import logging
from pathlib import Path
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.switch import DOMAIN as SWITCH
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import (
    EVENT_HOMEASSISTANT_FINAL_WRITE,
    EVENT_HOMEASSISTANT_STOP,
    STATE_OFF,
    STATE_ON,
    STATE_UNKNOWN,
)
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.storage import Store, get_internal_store_manager
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.plex_butler.const import DOMAIN
from custom_components.plex_butler.entry_file import EntryFile
from custom_components.plex_butler.run_store import RUNS, SAVE_DELAY
from tests.conftest import House
from tests.simulator import SimulatedPlex

INTROS = "task_ButlerTaskGenerateIntroMarkers"
NAME = "ButlerTaskGenerateIntroMarkers"
BACKUP = "task_BackupDatabase"


async def told(house: House, key: str, what: str) -> Any:
    """Return a task's run or last run, as get_tasks tells it."""
    answer = await house.act(DOMAIN, "get_tasks", True)
    [task] = [task for task in answer["tasks"] if task["task"] == key]
    return task[what]


def store(hass_storage: dict[str, Any], entry_id: str, data: Any) -> None:
    """Let the file of an entry hold some data."""
    key = f"{DOMAIN}.{entry_id}"
    hass_storage[key] = {"version": 1, "minor_version": 1, "key": key, "data": data}


async def restart(hass: HomeAssistant, house: House, entry: MockConfigEntry) -> None:
    """Reload the entry, which forgets all that is not in the file."""
    assert await hass.config_entries.async_reload(entry.entry_id)
    await house.settled()


async def test_last_run_is_remembered(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    began = dt_util.utcnow()
    await house.act(DOMAIN, "start_task", task="generate_chapter_thumbs")
    await house.passes(10, step=5)
    await house.passes(5)
    await house.row_settles()
    last_run = await told(house, "generate_chapter_thumbs", "last_run")
    assert last_run == {
        "outcome": "finished",
        "started": began.isoformat(),
        "ended": last_run["last_known"],
        "duration": last_run["duration"],
        "last_known": last_run["last_known"],
        "known_by": "observed",
        "ours": True,
        "started_by": None,
        "plex_log": False,
        "stopped_by": None,
    }
    assert 5 <= last_run["duration"] <= 15
    await restart(hass, house, loaded)
    assert await told(house, "generate_chapter_thumbs", "last_run") == last_run
    assert await told(house, "backup_database", "last_run") is None


async def test_sensor_of_the_last_run(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    entity_id = house.entity_id(server, "sensor", BACKUP)
    assert hass.states.get(entity_id) is None
    er.async_get(hass).async_update_entity(entity_id, disabled_by=None)
    # Home Assistant reloads the entry by itself, half a minute later.
    await house.passes(31, step=31)
    assert house.state(server, "sensor", BACKUP).state == STATE_UNKNOWN
    assert house.state(server, "sensor", BACKUP).attributes["outcome"] is None
    server.faults.no_row = True
    began = dt_util.utcnow()
    await house.act(DOMAIN, "start_task", task="backup_database")
    await house.passes(40)
    state = house.state(server, "sensor", BACKUP)
    assert state.state == began.isoformat(timespec="seconds")
    shown = {key: state.attributes[key] for key in ("outcome", "ended", "duration", "known_by")}
    assert shown == {
        "outcome": "end_not_seen",
        "ended": None,
        "duration": None,
        "known_by": "assumed",
    }
    assert state.attributes["started"] == began.isoformat()


async def test_run_goes_on_over_a_restart_with_its_old_start(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    await house.act(DOMAIN, "start_task", task=NAME)
    await house.passes(30)
    run = await told(house, "generate_intro_markers", "run")
    await restart(hass, house, loaded)
    assert house.state(server, SWITCH, INTROS).state == STATE_ON
    assert await told(house, "generate_intro_markers", "run") == run
    await house.passes(300)
    last_run = await told(house, "generate_intro_markers", "last_run")
    assert (last_run["outcome"], last_run["started"]) == ("finished", run["started"])


async def test_item_that_outlives_a_stop_is_no_run_after_a_restart_either(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    server.activities.work(40)
    server.activities.begin("media.generate.intros", "")
    await house.passes(5)
    assert house.state(server, SWITCH, INTROS).state == STATE_ON
    await house.act(DOMAIN, "stop_all")
    await restart(hass, house, loaded)
    await house.passes(30)
    assert house.state(server, SWITCH, INTROS).state == STATE_OFF


@pytest.mark.parametrize("updated", [False, True])
async def test_run_that_ended_while_home_assistant_was_off(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
    *,
    updated: bool,
) -> None:
    await house.act(DOMAIN, "start_task", task=NAME)
    await house.passes(20)
    assert await hass.config_entries.async_unload(loaded.entry_id)
    if updated:
        # The items go on, but in another life of the server.
        server.version = "1.99.0.1-abc"
    else:
        server.butler.stop_all()
    await house.passes(20)
    await house.set_up(loaded, server)
    assert house.state(server, SWITCH, INTROS).state == (STATE_ON if updated else STATE_OFF)
    if updated:
        assert (await told(house, "generate_intro_markers", "run"))["started"] is None
    last_run = await told(house, "generate_intro_markers", "last_run")
    assert (last_run["outcome"], last_run["duration"]) == ("end_not_seen", None)


async def test_run_that_ended_with_an_outage_is_stored_at_once(
    house: House,
    server: SimulatedPlex,
    entry: MockConfigEntry,
    hass_storage: dict[str, Any],
) -> None:
    await house.set_up(entry, server)
    await house.act(DOMAIN, "start_task", task=NAME)
    await house.passes(SAVE_DELAY + 5)
    await server.stop_listening()
    await house.passes(90, step=30)
    stored = hass_storage[f"{DOMAIN}.{entry.entry_id}"]["data"]
    assert stored["runs"] == {}
    assert [run["outcome"] for run in stored["last_runs"]] == ["end_not_seen"]


async def test_row_that_tells_something_is_remembered(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    server.butler.start("UpgradeMediaAnalysis")
    await house.passes(60)
    await restart(hass, house, loaded)
    server.users.add_episode(seconds=600)
    await house.settled()
    assert house.state(server, SWITCH, INTROS).state == STATE_OFF


async def test_memory_needs_no_entity(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    registry = er.async_get(hass)
    for entity in er.async_entries_for_config_entry(registry, loaded.entry_id):
        registry.async_update_entity(entity.entity_id, disabled_by=er.RegistryEntryDisabler.USER)
    await restart(hass, house, loaded)
    assert not [s for s in hass.states.async_all() if "cellar" in s.entity_id]
    server.butler.start("GenerateChapterThumbs")
    await house.passes(600, step=5)
    assert (await told(house, "generate_chapter_thumbs", "last_run"))["outcome"] == "finished"


async def test_file_holds_what_is_needed_and_nothing_private(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    entry: MockConfigEntry,
    hass_storage: dict[str, Any],
) -> None:
    await house.set_up(entry, server)
    key = f"{DOMAIN}.{entry.entry_id}"
    assert key not in hass_storage
    await house.act(DOMAIN, "start_task", task="generate_chapter_thumbs")
    await house.passes(10)
    await house.row_settles()
    await house.act(DOMAIN, "start_task", task=NAME)
    await house.passes(SAVE_DELAY + 5)
    stored = hass_storage[key]
    assert stored["data"]["version"] == server.version
    assert list(stored["data"]["runs"]) == [NAME]
    assert [run["task"] for run in stored["data"]["last_runs"]] == ["GenerateChapterThumbs"]
    text = json.dumps(stored)
    private = (server.owner_token, server.friendly_name, "Private", "127.0.0.1")
    assert not [secret for secret in private if secret in text]
    await hass.config_entries.async_remove(entry.entry_id)
    assert key not in hass_storage


async def test_file_is_written_when_something_began_or_ended_and_not_at_each_poll(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    entry: MockConfigEntry,
    hass_storage: dict[str, Any],
) -> None:
    await house.set_up(entry, server)
    await house.act(DOMAIN, "start_task", task=NAME)
    await house.passes(30)
    key = f"{DOMAIN}.{entry.entry_id}"
    before = json.dumps(hass_storage[key])
    await house.passes(60)
    assert json.dumps(hass_storage[key]) == before
    # What was seen last is written when Home Assistant stops.
    hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
    hass.bus.async_fire(EVENT_HOMEASSISTANT_FINAL_WRITE)
    await house.settled()
    seen = dt_util.parse_datetime(hass_storage[key]["data"]["runs"][NAME]["activity_seen"])
    assert seen
    assert dt_util.utcnow() - seen <= timedelta(seconds=5)


@pytest.mark.parametrize(
    "data",
    [
        {},
        [],
        ["a list"],
        {"version": None, "row_proven": True, "runs": [], "last_runs": []},
        {"version": None, "row_proven": True, "runs": {"X": {}}, "last_runs": []},
        {"version": None, "row_proven": True, "runs": {}, "last_runs": [{"task": "X"}]},
        {"version": None, "row_proven": True, "runs": {}, "last_runs": {"X": 7}},
    ],
)
async def test_file_that_cannot_be_read_is_forgotten(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    entry: MockConfigEntry,
    hass_storage: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    data: Any,
) -> None:
    store(hass_storage, entry.entry_id, data)
    await house.set_up(entry, server)
    assert await told(house, "backup_database", "last_run") is None
    assert ("cannot be read" in caplog.text) is (data is not None)


RUN: dict[str, Any] = {
    "since": "2026-01-01T03:00:00+00:00",
    "start_known": True,
    "ours": True,
    "grace_until": None,
    "confirmed": True,
    "known_by": "observed",
    "row_idle_at_command": True,
    "row_seen_busy": False,
    "foreign": ["a"],
    "activity_seen": "2026-01-01T03:00:10+00:00",
    "row_seen": None,
    "polls_without": 0,
    "polls_failed": False,
    "announced": True,
}
ENDED: dict[str, Any] = {
    "task": "BackupDatabase",
    "since": "2026-01-01T02:00:00+00:00",
    "ended": "2026-01-01T02:00:20+00:00",
    "duration": 20.0,
    "outcome": "finished",
    "known_by": "observed",
    "last_known": "2026-01-01T02:00:20+00:00",
}
BACKUPS: dict[str, Any] = {
    "since": "2026-01-01T02:00:00+00:00",
    "silence": 60.0,
    "time": None,
    "source": None,
}
NAN, INFINITE = float("nan"), float("inf")


def file_of(**data: Any) -> dict[str, Any]:
    """Return what is stored, with changes."""
    return {"version": None, "row_proven": False, "runs": {}, "last_runs": []} | data


async def test_run_from_before_the_clock_was_set_back_is_not_the_last_one_for_ever(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    entry: MockConfigEntry,
    hass_storage: dict[str, Any],
) -> None:
    ahead = {key: str(ENDED[key]).replace("2026", "2028") for key in ("since", "ended")}
    data = file_of(last_runs=[ENDED | ahead | {"last_known": ahead["ended"]}])
    store(hass_storage, entry.entry_id, data)
    await house.set_up(entry, server)
    assert house.state(server, "sensor", "last_task").state == "backup_database"
    await house.act(DOMAIN, "start_task", task="generate_intro_markers")
    await house.act(DOMAIN, "stop_task", task="generate_intro_markers")
    assert house.state(server, "sensor", "last_task").state == "generate_intro_markers"
    await restart(hass, house, entry)
    assert house.state(server, "sensor", "last_task").state == "generate_intro_markers"


@pytest.mark.parametrize(
    "change",
    [
        {"since": "2026-01-01T03:00:00"},
        {"since": "0001-01-01T00:00:00+14:00"},
        {"since": None},
        {"since": 7},
        {"start_known": 1},
        {"ours": None},
        {"confirmed": "yes"},
        {"known_by": "hearsay"},
        {"foreign": "abc"},
        {"foreign": [1]},
        {"foreign": None},
        {"activity_seen": []},
        {"polls_without": True},
        {"polls_without": NAN},
        {"started_by": {"entity_id": True}},
    ],
    ids=str,
)
async def test_run_that_is_not_as_it_was_written_is_forgotten_and_the_others_are_not(
    hass: HomeAssistant, hass_storage: dict[str, Any], caplog: pytest.LogCaptureFixture, change: Any
) -> None:
    data = file_of(runs={"Bad": RUN | change, "Good": RUN, "Null": None}, last_runs=[ENDED])
    store(hass_storage, "x", data)
    stored = await EntryFile(hass, "x", RUNS).load()
    assert stored.runs.keys() == {"Good"}
    assert stored.last_runs.keys() == {"BackupDatabase"}
    assert stored.runs["Good"].foreign == {"a"}
    assert caplog.text.count("cannot be read and are forgotten") == 1


@pytest.mark.parametrize(
    "change",
    [
        {"task": 7},
        {"since": "2026-01-01T02:00:00"},
        {"since": None},
        {"ours": 1},
        {"started_by": "automation.night"},
        {"started_by": {"user_id": 7}},
        {"stopped_by": []},
        {"duration": NAN},
        {"duration": INFINITE},
        {"duration": True},
        {"duration": "20"},
        {"outcome": "exploded"},
        {"last_known": None},
    ],
    ids=str,
)
async def test_last_run_that_is_not_as_it_was_written_is_forgotten_and_the_others_are_not(
    hass: HomeAssistant, hass_storage: dict[str, Any], caplog: pytest.LogCaptureFixture, change: Any
) -> None:
    good = ENDED | {"task": "Good", "duration": 20, "start_known": False}
    data = file_of(runs={"Good": RUN}, last_runs=[ENDED | change, [], good, None])
    store(hass_storage, "x", data)
    stored = await EntryFile(hass, "x", RUNS).load()
    assert stored.last_runs.keys() == {"Good"}
    assert stored.last_runs["Good"].duration == timedelta(seconds=20)
    assert stored.runs.keys() == {"Good"}
    assert caplog.text.count("cannot be read and are forgotten") == 1


@pytest.mark.parametrize(
    ("change", "proven"),
    [
        ({"version": 7, "row_proven": True}, False),
        ({"version": "1.43", "row_proven": "no"}, False),
        ({"row_proven": None}, False),
        ({"last_runs": None}, False),
        ({"denied": {"media.generate.intros": "x"}}, False),
        ({"denied": {"media.generate.intros": [1]}}, False),
        ({"denied": []}, False),
        ({"denied": None}, False),
        ({"backups": 7}, False),
        ({"backups": {"silence": 1.0}}, False),
        ({"backups": BACKUPS | {"silence": None}}, False),
        ({"backups": BACKUPS | {"source": "hearsay"}}, False),
        ({"backups": BACKUPS | {"time": "2026-01-01T02:00:00"}}, False),
        ({"version": "1.43", "row_proven": True, "last_runs": {"a": ENDED}}, True),
    ],
)
async def test_rest_of_a_file_that_is_not_as_it_was_written_counts(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    change: Any,
    *,
    proven: bool,
) -> None:
    data = file_of(runs={"Good": RUN}) | change
    store(hass_storage, "x", data)
    stored = await EntryFile(hass, "x", RUNS).load()
    assert (set(stored.runs), stored.row_proven) == ({"Good"}, proven)
    assert stored.backups is None
    assert caplog.text.count("cannot be read and are forgotten") == 1


REAL = {name: getattr(Store, name) for name in ("_async_load", "_async_write_data", "async_remove")}
"""What the harness replaces by a store in memory."""


@pytest.fixture(params=["", ".history"], ids=["runs", "history"])
def file(
    request: pytest.FixtureRequest,
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    tmp_path: Path,
    entry: MockConfigEntry,
) -> Iterator[Path]:
    """One of the entry's real files, in a folder of its own."""
    hass.config.config_dir = str(tmp_path)
    (tmp_path / ".storage").mkdir()
    file = tmp_path / ".storage" / f"{DOMAIN}.{entry.entry_id}{request.param}"
    # It was not there when Home Assistant listed its files.
    get_internal_store_manager(hass).async_invalidate(file.name)
    with pytest.MonkeyPatch.context() as patches:
        for name, function in REAL.items():
            patches.setattr(Store, name, function)
        yield file


@pytest.mark.parametrize(
    "content",
    [
        "null",
        "[]",
        "7",
        "{}",
        '{"version": 1}',
        '{"version": "1", "minor_version": 1, "data": {}}',
        '{"version": 0, "minor_version": 1, "data": {}}',
        '{"version": 2, "minor_version": 1, "data": {"runs": []}}',
        '{"version": 1, "minor_version": 1, "data": null}',
    ],
)
async def test_entry_loads_whatever_its_file_holds_and_writes_it_anew(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    entry: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
    file: Path,
    content: str,
) -> None:
    file.write_text(content)
    await house.set_up(entry, server)
    expected = content not in ("{}", '{"version": 1, "minor_version": 1, "data": null}')
    assert caplog.text.count("cannot be read and are forgotten") == expected
    await hass.config_entries.async_unload(entry.entry_id)
    assert json.loads(file.read_text())["version"] == 1
    await hass.config_entries.async_remove(entry.entry_id)
    assert not file.exists()


async def test_directory_in_the_place_of_the_file(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    entry: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
    file: Path,
) -> None:
    file.mkdir()
    await house.set_up(entry, server)
    await house.act(DOMAIN, "start_task", task=NAME)
    await house.passes(SAVE_DELAY + 10)
    await hass.config_entries.async_unload(entry.entry_id)
    ours = [
        r.getMessage()
        for r in caplog.records
        if r.levelno >= logging.WARNING and "custom_components" in r.name
    ]
    assert ours == ["Some stored runs of a server cannot be read and are forgotten"]
    await hass.config_entries.async_remove(entry.entry_id)
    assert "The stored runs of a server cannot be removed: " in caplog.text
    assert file.is_dir()


async def test_file_is_never_seen_half_written(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    entry: MockConfigEntry,
    file: Path,
) -> None:
    await house.set_up(entry, server)
    await hass.config_entries.async_unload(entry.entry_id)
    written = file.stat().st_ino
    await house.set_up(entry, server)
    await hass.config_entries.async_unload(entry.entry_id)
    assert file.stat().st_ino != written


async def test_server_that_is_off_at_start_forgets_nothing(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
) -> None:
    await house.act(DOMAIN, "start_task", task=NAME)
    await house.passes(30)
    run = await told(house, "generate_intro_markers", "run")
    assert await hass.config_entries.async_unload(loaded.entry_id)
    await server.stop_listening()
    await house.set_up(loaded, server, ConfigEntryState.SETUP_RETRY)
    await server.listen()
    await house.passes(60, step=10)
    assert loaded.state is ConfigEntryState.LOADED
    assert await told(house, "generate_intro_markers", "run") == run


async def test_command_under_way_at_the_unloading_overwrites_nothing(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    entry: MockConfigEntry,
    hass_storage: dict[str, Any],
    freezer: FrozenDateTimeFactory,
) -> None:
    await house.set_up(entry, server)
    await house.act(DOMAIN, "start_task", task=NAME)
    await house.passes(SAVE_DELAY + 5)
    server.faults.late_answers = "POST"
    starting = hass.async_create_task(
        hass.services.async_call(DOMAIN, "start_task", {"task": "backup_database"}, blocking=True)
    )
    await house.sent()
    assert await hass.config_entries.async_unload(entry.entry_id)
    with pytest.raises(HomeAssistantError) as failed:
        await starting
    assert failed.value.translation_key == "unloaded_not_confirmed"
    assert "BackupDatabase" in {task for _, task in server.butler.history}
    server.faults.late_answers = ""
    freezer.tick(timedelta(seconds=SAVE_DELAY + 5))
    async_fire_time_changed(hass)
    await house.settled()
    assert list(hass_storage[f"{DOMAIN}.{entry.entry_id}"]["data"]["runs"]) == [NAME]
