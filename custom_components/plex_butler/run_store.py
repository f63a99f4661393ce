"""The storage of runs: those that go on, and the last run of each task."""

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
"""How long to wait before a change is written, in seconds."""

_VERSION: Final = 1
_NOT_STORED: Final = "activities"


@dataclass(frozen=True, slots=True)
class StoredRuns:
    """The stored data of one server. `row_proven` is valid for this `version` of the server only."""

    version: str | None = None
    row_proven: bool = False
    runs: Mapping[str, TrackedRun] = field(default_factory=dict)
    last_runs: Mapping[str, EndedRun] = field(default_factory=dict)


class RunStore:
    """The storage file of one config entry."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Initialize; nothing is read."""
        self._hass = hass
        self._store = _store(hass, entry_id)
        self._closed = False

    async def load(self) -> StoredRuns:
        """Return what is stored; a file that cannot be read counts as empty."""
        stored = await self._store.async_load()
        if not stored:
            return StoredRuns()
        try:
            # There may be thousands of runs.
            return await self._hass.async_add_executor_job(_read, stored)
        except KeyError, TypeError, ValueError, AttributeError:
            LOGGER.warning("The stored runs of a server cannot be read and are ignored")
        return StoredRuns()

    def save_soon(self, runs: StoredRuns) -> None:
        """Write the runs after SAVE_DELAY, or when Home Assistant stops."""
        if not self._closed:
            self._store.async_delay_save(partial(_write, runs), SAVE_DELAY)

    async def close(self, runs: StoredRuns) -> None:
        """Write the runs now, and nothing later: the next set-up of the entry uses the file then."""
        self._closed = True
        await self._store.async_save(await self._hass.async_add_executor_job(_write, runs))


async def async_remove_store(hass: HomeAssistant, entry_id: str) -> None:
    """Remove the file of a config entry that was removed."""
    await _store(hass, entry_id).async_remove()


def _store(hass: HomeAssistant, entry_id: str) -> Store[dict[str, Any]]:
    # A thread may write, because the data is copied or never changes.
    return Store(hass, _VERSION, f"{DOMAIN}.{entry_id}", serialize_in_event_loop=False)


def _write(runs: StoredRuns) -> dict[str, Any]:
    return {
        "version": runs.version,
        "row_proven": runs.row_proven,
        "runs": {task: _stored(run) for task, run in runs.runs.items()},
        "last_runs": [_stored(ended) for ended in runs.last_runs.values()],
    }


def _read(stored: Mapping[str, Any]) -> StoredRuns:
    return StoredRuns(
        stored["version"],
        bool(stored["row_proven"]),
        {task: _tracked_run(run) for task, run in stored["runs"].items()},
        {ended["task"]: _ended_run(ended) for ended in stored["last_runs"]},
    )


def _stored(run: TrackedRun | EndedRun) -> dict[str, Any]:
    """Return a run in a form that JSON can hold."""
    stored: dict[str, Any] = {}
    for each in fields(run):
        if each.name == _NOT_STORED:
            continue
        value = getattr(run, each.name)
        match value:
            case datetime():
                stored[each.name] = value.isoformat()
            case timedelta():
                stored[each.name] = value.total_seconds()
            case frozenset():
                stored[each.name] = sorted(value)
            case _:
                stored[each.name] = value
    return stored


def _tracked_run(stored: Mapping[str, Any]) -> TrackedRun:
    return TrackedRun(
        **{
            **stored,
            "since": _time(stored["since"]),
            "grace_until": _time_or_none(stored["grace_until"]),
            "known_by": KnownBy(stored["known_by"]),
            "foreign": frozenset(stored["foreign"]),
            "activity_seen": _time_or_none(stored["activity_seen"]),
            "row_seen": _time_or_none(stored["row_seen"]),
        }
    )


def _ended_run(stored: Mapping[str, Any]) -> EndedRun:
    duration = stored["duration"]
    return EndedRun(
        **{
            **stored,
            "started": _time_or_none(stored["started"]),
            "ended": _time_or_none(stored["ended"]),
            "duration": None if duration is None else timedelta(seconds=duration),
            "outcome": Outcome(stored["outcome"]),
            "known_by": KnownBy(stored["known_by"]),
            "last_known": _time(stored["last_known"]),
        }
    )


def _time(text: str) -> datetime:
    return dt_util.parse_datetime(text, raise_on_error=True)


def _time_or_none(text: str | None) -> datetime | None:
    return None if text is None else _time(text)
