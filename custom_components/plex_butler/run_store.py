"""What is stored of one server: the runs that go on, and the last run of each task."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util

from .const import DOMAIN, LOGGER
from .runs.models import EndedRun, KnownBy, Outcome
from .runs.tracked_run import TrackedRun

SAVE_DELAY: Final = 10.0
"""How long a change may wait to be written, in seconds."""

_VERSION: Final = 1
_NOT_STORED: Final = "activities"


@dataclass(frozen=True, slots=True)
class StoredRuns:
    """What is stored. `row_proven` holds for this `version` of the server only."""

    version: str | None = None
    row_proven: bool = False
    runs: Mapping[str, TrackedRun] = field(default_factory=dict)
    last_runs: Mapping[str, EndedRun] = field(default_factory=dict)


class RunStore:
    """The file of one config entry."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Initialize; nothing is read."""
        self._hass = hass
        self._store = _store(hass, entry_id)
        self._closed = False

    async def load(self) -> StoredRuns:
        """Return what is stored; a file that cannot be read is forgotten."""
        stored = await self._store.async_load()
        if not stored:
            return StoredRuns()
        try:
            # There may be thousands of runs.
            return await self._hass.async_add_executor_job(_read, stored)
        except KeyError, TypeError, ValueError, AttributeError:
            LOGGER.warning("The stored runs of a server cannot be read and are forgotten")
        return StoredRuns()

    def save_soon(self, runs: StoredRuns) -> None:
        """Write a change after a while, or when Home Assistant stops."""
        if not self._closed:
            self._store.async_delay_save(partial(_write, runs), SAVE_DELAY)

    async def close(self, runs: StoredRuns) -> None:
        """Write everything now; from now on the file belongs to the next set-up of the entry."""
        self._closed = True
        await self._store.async_save(await self._hass.async_add_executor_job(_write, runs))


async def async_remove_store(hass: HomeAssistant, entry_id: str) -> None:
    """Remove the file of a config entry that was removed."""
    await _store(hass, entry_id).async_remove()


def _store(hass: HomeAssistant, entry_id: str) -> Store[dict[str, Any]]:
    # Everything that is written is a copy, or never changed.
    return Store(hass, _VERSION, f"{DOMAIN}.{entry_id}", serialize_in_event_loop=False)


def _write(runs: StoredRuns) -> dict[str, Any]:
    return {
        "version": runs.version,
        "row_proven": runs.row_proven,
        "runs": {task: _row(run) for task, run in runs.runs.items()},
        "last_runs": [_row(ended) for ended in runs.last_runs.values()],
    }


def _read(stored: Mapping[str, Any]) -> StoredRuns:
    return StoredRuns(
        stored["version"],
        bool(stored["row_proven"]),
        {task: _tracked_run(row) for task, row in stored["runs"].items()},
        {row["task"]: _ended_run(row) for row in stored["last_runs"]},
    )


def _row(run: TrackedRun | EndedRun) -> dict[str, Any]:
    """Turn a run into what JSON can hold."""
    row: dict[str, Any] = {}
    for column in fields(run):
        if column.name == _NOT_STORED:
            continue
        value = getattr(run, column.name)
        match value:
            case datetime():
                row[column.name] = value.isoformat()
            case timedelta():
                row[column.name] = value.total_seconds()
            case frozenset():
                row[column.name] = sorted(value)
            case _:
                row[column.name] = value
    return row


def _tracked_run(row: Mapping[str, Any]) -> TrackedRun:
    return TrackedRun(
        **{
            **row,
            "since": _time(row["since"]),
            "grace_until": _time_or_none(row["grace_until"]),
            "known_by": KnownBy(row["known_by"]),
            "foreign": frozenset(row["foreign"]),
            "activity_seen": _time_or_none(row["activity_seen"]),
            "row_seen": _time_or_none(row["row_seen"]),
        }
    )


def _ended_run(row: Mapping[str, Any]) -> EndedRun:
    duration = row["duration"]
    return EndedRun(
        **{
            **row,
            "started": _time_or_none(row["started"]),
            "ended": _time_or_none(row["ended"]),
            "duration": None if duration is None else timedelta(seconds=duration),
            "outcome": Outcome(row["outcome"]),
            "known_by": KnownBy(row["known_by"]),
            "last_known": _time(row["last_known"]),
        }
    )


def _time(text: str) -> datetime:
    return dt_util.parse_datetime(text, raise_on_error=True)


def _time_or_none(text: str | None) -> datetime | None:
    return None if text is None else _time(text)
