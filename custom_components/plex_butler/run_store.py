"""The storage of runs: those that go on, and the last run of each task."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, UnsupportedStorageVersionError
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util

from .const import DOMAIN, LOGGER
from .runs.models import EndedRun, KnownBy, Outcome
from .runs.tracked_run import TrackedRun

SAVE_DELAY: Final = 10.0
"""How long to wait before a change is written, in seconds."""

_VERSION: Final = 1
_NOT_STORED: Final = "activities"
_UNREADABLE: Final = (AttributeError, KeyError, OverflowError, TypeError, ValueError)
"""What reading a row raises that is not as it was written."""


@dataclass(frozen=True, slots=True)
class StoredRuns:
    """The stored data of one server. `row_proven` is valid for this `version` of the server only.

    `denied`: the activities that were listed when their task was stopped, by type.
    """

    version: str | None = None
    row_proven: bool = False
    runs: Mapping[str, TrackedRun] = field(default_factory=dict)
    last_runs: Mapping[str, EndedRun] = field(default_factory=dict)
    denied: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


class RunStore:
    """The storage file of one config entry."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Initialize; nothing is read."""
        self._hass = hass
        self._store = _store(hass, entry_id)
        self._closed = False

    async def load(self) -> StoredRuns:
        """Return what is stored. What cannot be read is forgotten, with one warning."""
        try:
            stored: object = await self._store.async_load()
        except HomeAssistantError as err:
            # Written by a later release; or no file that can be read, nor one that can be written.
            self._closed = not isinstance(err, UnsupportedStorageVersionError)
            return self._forgotten()
        except (*_UNREADABLE, NotImplementedError):
            # The file holds JSON that Home Assistant has not written.
            return self._forgotten()
        if stored is None:
            return StoredRuns()
        # There may be thousands of runs.
        runs, complete = await self._hass.async_add_executor_job(_read, stored)
        return runs if complete else self._forgotten(runs)

    def _forgotten(self, runs: StoredRuns | None = None) -> StoredRuns:
        LOGGER.warning("Some stored runs of a server cannot be read and are forgotten")
        return runs or StoredRuns()

    def save_soon(self, runs: StoredRuns) -> None:
        """Write the runs after SAVE_DELAY, or when Home Assistant stops."""
        if not self._closed:
            self._store.async_delay_save(partial(_write, runs), SAVE_DELAY)

    async def close(self, runs: StoredRuns) -> None:
        """Write the runs now, and nothing later: the next set-up of the entry uses the file then."""
        if not self._closed:
            self._closed = True
            await self._store.async_save(await self._hass.async_add_executor_job(_write, runs))


async def async_remove_store(hass: HomeAssistant, entry_id: str) -> None:
    """Remove the file of a config entry that was removed."""
    try:
        await _store(hass, entry_id).async_remove()
    except OSError as err:
        LOGGER.warning("The stored runs of a server cannot be removed: %s", err.strerror)


def _store(hass: HomeAssistant, entry_id: str) -> Store[dict[str, Any]]:
    # A thread may write, because the data is copied or never changes.
    return Store(
        hass,
        _VERSION,
        f"{DOMAIN}.{entry_id}",
        atomic_writes=True,
        serialize_in_event_loop=False,
    )


def _write(runs: StoredRuns) -> dict[str, Any]:
    return {
        "version": runs.version,
        "row_proven": runs.row_proven,
        "runs": {task: _stored(run) for task, run in runs.runs.items()},
        "last_runs": [_stored(ended) for ended in runs.last_runs.values()],
        "denied": {type_: list(uuids) for type_, uuids in runs.denied.items()},
    }


def _read(stored: object) -> tuple[StoredRuns, bool]:
    """Return all that can be read, and whether that is everything."""
    if not isinstance(stored, dict):
        return StoredRuns(), False
    runs, last_runs = stored.get("runs"), stored.get("last_runs")
    version, row_proven = stored.get("version"), stored.get("row_proven")
    complete = (
        isinstance(runs, dict)
        and isinstance(last_runs, list)
        and isinstance(version, str | None)
        and isinstance(row_proven, bool)
    )
    tracked: dict[str, TrackedRun] = {}
    for task, row in runs.items() if isinstance(runs, dict) else ():
        try:
            tracked[task] = _restored(TrackedRun, row)
        except _UNREADABLE:
            complete = False
    ended: dict[str, EndedRun] = {}
    for row in last_runs if isinstance(last_runs, list) else ():
        try:
            run = _restored(EndedRun, row)
        except _UNREADABLE:
            complete = False
        else:
            ended[run.task] = run
    try:
        denied = {type_: tuple(_uuids(uuids)) for type_, uuids in stored.get("denied", {}).items()}
    except _UNREADABLE:
        denied, complete = {}, False
    version = version if isinstance(version, str) else None
    proven = version is not None and row_proven is True
    return StoredRuns(version, proven, tracked, ended, denied), complete


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


def _restored[R: (TrackedRun, EndedRun)](kind: type[R], row: Any) -> R:
    """Return a run as it was stored. Raises one of `_UNREADABLE`."""
    values: dict[str, Any] = {
        each.name: _READERS[each.type](row[each.name])
        for each in fields(kind)
        if each.name in row and each.name != _NOT_STORED
    }
    return kind(**values)


def _exact[T](kind: type[T]) -> Callable[[Any], T]:
    """Return a function that accepts a value of this very type: JSON has true where 1 is meant."""

    def read(value: Any) -> T:
        if type(value) is not kind:
            raise TypeError
        read_value: T = value
        return read_value

    return read


def _time(text: Any) -> datetime:
    time = dt_util.parse_datetime(text, raise_on_error=True)
    if time.tzinfo is None:
        raise ValueError
    # Raises for what is out of range.
    return dt_util.as_utc(time)


def _duration(seconds: Any) -> timedelta:
    if type(seconds) not in (int, float):
        raise TypeError
    # Raises for what is not a number, not finite, or out of range.
    return timedelta(seconds=seconds)


def _uuids(stored: Any) -> frozenset[str]:
    return frozenset(map(_exact(str), _exact(list)(stored)))


def _optional[T](read: Callable[[Any], T]) -> Callable[[Any], T | None]:
    return lambda value: None if value is None else read(value)


_READERS: Final[Mapping[Any, Callable[[Any], Any]]] = {
    bool: _exact(bool),
    int: _exact(int),
    str: _exact(str),
    datetime: _time,
    datetime | None: _optional(_time),
    timedelta | None: _optional(_duration),
    frozenset[str]: _uuids,
    KnownBy: KnownBy,
    Outcome: Outcome,
}
"""How the value of a field of each type is read."""
