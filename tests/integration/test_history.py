"""The history: which runs are kept, over restarts and outages, and what get_runs says of them."""

from datetime import datetime, timedelta
import json
from typing import Any

from freezegun.api import FrozenDateTimeFactory
from homeassistant.const import (
    EVENT_HOMEASSISTANT_FINAL_WRITE,
    EVENT_HOMEASSISTANT_STOP,
    STATE_UNAVAILABLE,
)
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import ServiceValidationError
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.plex_butler.const import DOMAIN
from custom_components.plex_butler.entry_file import EntryFile
from custom_components.plex_butler.history_store import HISTORY, SAVE_DELAY
from custom_components.plex_butler.runs.history import KEPT_AT_MOST, KEPT_FOR
from tests.conftest import House, entry_for
from tests.simulator import SimulatedPlex
from tests.task_names import BACKUP, DEEP, INTROS, THUMBS

pytestmark = pytest.mark.usefixtures("some_tasks")

ROW: dict[str, Any] = {
    "task": BACKUP,
    "since": "2026-11-20T02:00:00+00:00",
    "ended": "2026-11-20T02:00:20+00:00",
    "duration": 20.0,
    "outcome": "finished",
    "known_by": "observed",
    "last_known": "2026-11-20T02:00:20+00:00",
    "ours": True,
    "start_known": True,
    "started_by": {
        "context_id": "01JD0000000000000000000000",
        "parent_id": None,
        "user_id": "0123456789abcdef",
        "entity_id": "automation.night",
    },
    "stopped_by": None,
    "plex_log": False,
}


async def get_runs(house: House, **which: Any) -> list[dict[str, Any]]:
    """Return the runs, as get_runs says them."""
    runs: list[dict[str, Any]] = (await house.act(DOMAIN, "get_runs", True, **which))["runs"]
    return runs


def outcomes(runs: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(run["name"], run["outcome"]) for run in runs]


def stored(hass_storage: dict[str, Any], entry: MockConfigEntry) -> Any:
    """Return the rows of the file."""
    return hass_storage[f"{DOMAIN}.{entry.entry_id}.history"]["data"]["runs"]


def store(hass_storage: dict[str, Any], entry: MockConfigEntry, *rows: Any) -> None:
    """Let the file hold some rows."""
    key = f"{DOMAIN}.{entry.entry_id}.history"
    hass_storage[key] = {"version": 1, "minor_version": 1, "key": key, "data": {"runs": [*rows]}}


async def live(house: House) -> None:
    """Let three runs end."""
    await house.act(DOMAIN, "start_task", task=THUMBS)
    await house.passes(60)
    await house.act(DOMAIN, "start_task", task=INTROS)
    await house.passes(30)
    await house.act(DOMAIN, "stop_all")
    await house.passes(60)
    await house.act(DOMAIN, "start_task", task=BACKUP)
    await house.passes(60)


@pytest.mark.usefixtures("loaded")
async def test_every_run_is_there_newest_first(house: House) -> None:
    began = dt_util.utcnow()
    await live(house)
    await house.act(DOMAIN, "start_task", task=DEEP)
    runs = await get_runs(house)
    assert outcomes(runs) == [
        (BACKUP, "finished"),
        (INTROS, "stopped"),
        (THUMBS, "finished"),
    ]
    ended = (began + timedelta(seconds=10)).isoformat()
    assert runs[-1] == {
        "task": "generate_chapter_thumbs",
        "name": THUMBS,
        "outcome": "finished",
        "started": began.isoformat(),
        "ended": ended,
        "duration": 10,
        "last_known": ended,
        "known_by": "observed",
        "ours": True,
        "started_by": None,
        "plex_log": False,
        "stopped_by": None,
    }
    assert all(datetime.fromisoformat(run["last_known"]).tzinfo for run in runs)


@pytest.mark.usefixtures("loaded")
async def test_runs_of_a_period_and_of_tasks(house: House) -> None:
    began = dt_util.now()
    await live(house)
    later = began + timedelta(seconds=65)
    assert outcomes(await get_runs(house, end=later.isoformat())) == [
        (INTROS, "stopped"),
        (THUMBS, "finished"),
    ]
    # As the editor writes it: by the system's clock.
    local = f"{later:%Y-%m-%d %H:%M:%S}"
    assert outcomes(await get_runs(house, start=local)) == [
        (BACKUP, "finished"),
        (INTROS, "stopped"),
    ]
    assert await get_runs(house, start=local, end=local + ".5", task=THUMBS) == []
    for task in ("generate_intro_markers", INTROS, [INTROS, "optimize_database"]):
        assert outcomes(await get_runs(house, task=task)) == [(INTROS, "stopped")]


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("2026-11-24 02:00:00", "2026-11-24 02:00:00"),
        ("2026-11-24T02:00:00+00:00", "2026-11-24T02:30:00+01:00"),
        ("9999-12-31 00:00:00", "0001-01-01 00:00:00"),
    ],
)
async def test_period_without_a_length_is_refused(house: House, begin: str, end: str) -> None:
    with pytest.raises(ServiceValidationError) as refused:
        await get_runs(house, start=begin, end=end)
    assert refused.value.translation_key == "end_before_start"
    assert await get_runs(house, start=end[:4] + begin[4:], end="9999-12-31 23:59:59") == []


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("task", ["brew_coffee", "", "backupdatabase"])
async def test_task_that_never_was_is_refused(house: House, task: str) -> None:
    with pytest.raises(ServiceValidationError) as refused:
        await get_runs(house, task=[BACKUP, task])
    assert refused.value.translation_key in ("task_not_listed", "no_task_named")


@pytest.mark.usefixtures("loaded")
async def test_task_that_is_not_listed_any_more_keeps_its_runs(
    house: House, server: SimulatedPlex
) -> None:
    await house.act(DOMAIN, "start_task", task=THUMBS)
    await house.passes(60)
    server.butler.remove_task(THUMBS)
    await house.passes(3700, step=300)
    with pytest.raises(ServiceValidationError):
        await house.act(DOMAIN, "start_task", task=THUMBS)
    assert outcomes(await get_runs(house, task="generate_chapter_thumbs")) == [(THUMBS, "finished")]


@pytest.mark.usefixtures("loaded")
async def test_server_that_does_not_answer_has_its_history(
    house: House, server: SimulatedPlex
) -> None:
    await house.act(DOMAIN, "start_task", task=INTROS)
    await house.passes(20)
    await server.stop_listening()
    await house.passes(90, step=30)
    assert house.state(server, "switch", f"task_{INTROS}").state == STATE_UNAVAILABLE
    # It was not seen to end, but it has.
    assert outcomes(await get_runs(house)) == [(INTROS, "end_not_seen")]


# The file


async def test_runs_outlive_restarts(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    entry: MockConfigEntry,
    hass_storage: dict[str, Any],
) -> None:
    store(hass_storage, entry, ROW)
    await house.set_up(entry, server)
    await live(house)
    before = await get_runs(house)
    assert len(before) == 4
    assert before[-1]["started_by"] == "automation.night"
    assert await hass.config_entries.async_reload(entry.entry_id)
    await house.settled()
    assert await get_runs(house) == before
    assert stored(hass_storage, entry)[0] == ROW


async def test_run_that_ended_while_home_assistant_was_off_is_kept(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    await house.act(DOMAIN, "start_task", task=INTROS)
    await house.passes(20)
    assert await hass.config_entries.async_unload(loaded.entry_id)
    server.butler.stop_all()
    await house.passes(20)
    await house.set_up(loaded, server)
    assert outcomes(await get_runs(house)) == [(INTROS, "end_not_seen")]


async def test_file_is_written_a_minute_after_the_last_run(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    entry: MockConfigEntry,
    hass_storage: dict[str, Any],
) -> None:
    await house.set_up(entry, server)
    key = f"{DOMAIN}.{entry.entry_id}.history"
    for _ in range(2):
        await house.act(DOMAIN, "start_task", task=INTROS)
        await house.passes(10)
        await house.act(DOMAIN, "stop_task", task=INTROS)
        await house.passes(SAVE_DELAY - 15)
    assert key not in hass_storage
    await house.passes(20)
    assert len(stored(hass_storage, entry)) == 2
    before = json.dumps(hass_storage[key])
    await house.passes(300, step=30)
    assert json.dumps(hass_storage[key]) == before
    await hass.config_entries.async_remove(entry.entry_id)
    assert key not in hass_storage


async def test_file_is_written_when_home_assistant_stops(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    entry: MockConfigEntry,
    hass_storage: dict[str, Any],
) -> None:
    await house.set_up(entry, server)
    await live(house)
    hass.bus.async_fire(EVENT_HOMEASSISTANT_STOP)
    hass.bus.async_fire(EVENT_HOMEASSISTANT_FINAL_WRITE)
    await house.settled()
    assert [row["task"] for row in stored(hass_storage, entry)] == [THUMBS, INTROS, BACKUP]


async def test_crash_before_the_file_is_written_leaves_the_last_run_of_each_task(
    house: House, server: SimulatedPlex, entry: MockConfigEntry, hass_storage: dict[str, Any]
) -> None:
    last = ROW | {"task": THUMBS, "last_known": "2026-11-21T02:00:20+00:00"}
    key = f"{DOMAIN}.{entry.entry_id}"
    runs: dict[str, Any] = {
        "version": None,
        "row_proven": False,
        "runs": {},
        "last_runs": [ROW, last],
    }
    hass_storage[key] = {"version": 1, "minor_version": 1, "key": key, "data": runs}
    store(hass_storage, entry, ROW)
    await house.set_up(entry, server)
    assert outcomes(await get_runs(house)) == [(THUMBS, "finished"), (BACKUP, "finished")]


@pytest.mark.parametrize(
    "data", [[], ["a list"], {"runs": None}, {"runs": {"a": ROW}}, {}, {"rows": []}]
)
async def test_file_that_cannot_be_read_is_forgotten(
    hass: HomeAssistant, hass_storage: dict[str, Any], caplog: pytest.LogCaptureFixture, data: Any
) -> None:
    hass_storage[f"{DOMAIN}.x.history"] = {
        "version": 1,
        "minor_version": 1,
        "key": "",
        "data": data,
    }
    assert len(await EntryFile(hass, "x", HISTORY).load()) == 0
    assert caplog.text.count("cannot be read and are forgotten") == (data is not None)


@pytest.mark.parametrize(
    "row",
    [
        None,
        [],
        "a text",
        {},
        ROW | {"task": None},
        ROW | {"outcome": "exploded"},
        ROW | {"last_known": "yesterday"},
        ROW | {"since": "0001-01-01T00:00:00+00:00"},
        ROW | {"since": "9999-12-31T23:59:59+00:00"},
        ROW | {"ended": "0001-01-01T00:00:00+14:00"},
        ROW | {"started_by": "user"},
        ROW | {"started_by": {"context_id": 7}},
        {key: value for key, value in ROW.items() if key != "since"},
    ],
    ids=str,
)
async def test_row_that_is_not_as_it_was_written_is_forgotten_and_the_others_are_not(
    hass: HomeAssistant, hass_storage: dict[str, Any], caplog: pytest.LogCaptureFixture, row: Any
) -> None:
    rows = [row, ROW, ROW | {"task": INTROS, "started_by": None}]
    hass_storage[f"{DOMAIN}.x.history"] = {
        "version": 1,
        "minor_version": 1,
        "key": "",
        "data": {"runs": rows},
    }
    history = await EntryFile(hass, "x", HISTORY).load()
    assert {run.task for run in history.copy()} == {BACKUP, INTROS}
    assert caplog.text.count("cannot be read and are forgotten") == 1


@pytest.mark.parametrize("zone", ["America/Los_Angeles", "Pacific/Kiritimati"])
@pytest.mark.parametrize("year", ["0001", "0002", "1970", "9998", "9999"])
async def test_times_that_cannot_be_hide_no_other_run(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    entry: MockConfigEntry,
    hass_storage: dict[str, Any],
    year: str,
    zone: str,
) -> None:
    await hass.config.async_set_time_zone(zone)
    wrong = {
        field: ROW | {"task": INTROS, field: f"{year}-{day}+00:00"}
        for field, day in (("since", "01-01T00:00:00"), ("last_known", "12-31T23:59:59"))
    }
    store(hass_storage, entry, *wrong.values(), ROW)
    await house.set_up(entry, server)
    entity_id = house.entity_id(server, "calendar", "maintenance")
    period = {"start_date_time": "2026-11-20T01:00:00Z", "end_date_time": "2026-11-20T03:00:00Z"}
    answer = await house.act("calendar", "get_events", True, entity_id=entity_id, **period)
    titles = [event["summary"] for event in answer[entity_id]["events"]]
    assert "Backup database" in titles
    assert (BACKUP, "finished") in outcomes(await get_runs(house))


async def test_what_is_too_old_or_too_much_is_dropped_when_the_file_is_read(
    house: House, server: SimulatedPlex, entry: MockConfigEntry, hass_storage: dict[str, Any]
) -> None:
    now = dt_util.utcnow()

    def ended(ago: timedelta) -> dict[str, Any]:
        time = (now - ago).isoformat()
        return ROW | {"since": time, "ended": time, "last_known": time, "duration": 0.0}

    kept = [ended(timedelta(minutes=number)) for number in range(KEPT_AT_MOST + 10)]
    store(hass_storage, entry, ended(KEPT_FOR + timedelta(minutes=1)), *kept)
    await house.set_up(entry, server)
    runs = await get_runs(house)
    assert len(runs) == KEPT_AT_MOST
    assert runs[0]["last_known"] == now.isoformat()
    assert runs[-1]["last_known"] == kept[KEPT_AT_MOST - 1]["last_known"]


async def test_servers_have_a_history_each(house: House, server: SimulatedPlex) -> None:
    async with SimulatedPlex(machine_identifier="f" * 40, friendly_name="Attic") as attic:
        of_cellar = await house.set_up(entry_for(server), server)
        of_attic = await house.set_up(entry_for(attic), attic)
        await house.act(DOMAIN, "start_task", task=THUMBS, config_entry_id=of_attic.entry_id)
        await house.passes(60)
        assert await get_runs(house, config_entry_id=of_cellar.entry_id) == []
        assert len(await get_runs(house, config_entry_id=of_attic.entry_id)) == 1
        await house.hass.config_entries.async_unload(of_attic.entry_id)


# Diagnostics


async def test_diagnostics_count_runs_and_name_nobody(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    house: House,
    server: SimulatedPlex,
    entry: MockConfigEntry,
    hass_storage: dict[str, Any],
    freezer: FrozenDateTimeFactory,
) -> None:
    store(hass_storage, entry, ROW)
    await house.set_up(entry, server)
    diagnostics: Any = await get_diagnostics_for_config_entry(hass, hass_client, entry)
    assert diagnostics["history"]["oldest"] == ROW["last_known"]
    await live(house)
    await house.act(DOMAIN, "start_task", task=DEEP)
    diagnostics = await get_diagnostics_for_config_entry(hass, hass_client, entry)
    assert diagnostics["history"] == {
        "runs": 4,
        "outcomes": {"finished": 3, "stopped": 1},
        "known_by": {"observed": 3, "assumed": 1},
        "ours": 4,
        "with_author": 1,
        "oldest": ROW["last_known"],
    }
    text = json.dumps(diagnostics)
    assert "automation.night" not in text
    assert "0123456789abcdef" not in text
    assert "context_id" not in text
