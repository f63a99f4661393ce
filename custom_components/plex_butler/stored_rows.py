"""Rows of stored files: a dataclass in a form that JSON can hold, and back."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import MAXYEAR, MINYEAR, datetime, timedelta
from typing import Any, Final

from homeassistant.util import dt as dt_util

from .butler.backups import BackupSource, StoredBackups
from .runs.models import EndedRun, KnownBy, Origin, Outcome
from .runs.tracked_run import TrackedRun

UNREADABLE: Final = (AttributeError, KeyError, OverflowError, TypeError, ValueError)
"""What reading raises if something is not as it was written."""

_NOT_STORED: Final = "activities"


def to_row(run: TrackedRun | EndedRun | Origin | StoredBackups) -> dict[str, Any]:
    """Return a run, or the reports of backups, in a form that JSON can hold."""
    row: dict[str, Any] = {}
    for each in fields(run):
        if each.name == _NOT_STORED:
            continue
        value = getattr(run, each.name)
        match value:
            case datetime():
                row[each.name] = value.isoformat()
            case timedelta():
                row[each.name] = value.total_seconds()
            case frozenset():
                row[each.name] = sorted(value)
            case Origin():
                row[each.name] = to_row(value)
            case _:
                row[each.name] = value
    return row


def from_row[R: (TrackedRun, EndedRun, Origin, StoredBackups)](kind: type[R], row: Any) -> R:
    """Return what was stored. Raises one of UNREADABLE."""
    values: dict[str, Any] = {
        each.name: _READERS[each.type](row[each.name])
        for each in fields(kind)
        if each.name in row and each.name != _NOT_STORED
    }
    return kind(**values)


def read_uuids(stored: Any) -> frozenset[str]:
    """Return the uuids of a stored list. Raises TypeError."""
    return frozenset(map(_exact(str), _exact(list)(stored)))


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
    # At the ends of the calendar a time does not exist in every zone, and cannot be shown.
    if time.tzinfo is None or not MINYEAR < time.year < MAXYEAR:
        raise ValueError
    return dt_util.as_utc(time)


def _duration(seconds: Any) -> timedelta:
    if type(seconds) not in (int, float):
        raise TypeError
    # Raises for what is not a number, not finite, or out of range.
    return timedelta(seconds=seconds)


def _origin(row: Any) -> Origin:
    return from_row(Origin, _exact(dict)(row))


def _optional[T](read: Callable[[Any], T]) -> Callable[[Any], T | None]:
    return lambda value: None if value is None else read(value)


_READERS: Final[Mapping[Any, Callable[[Any], Any]]] = {
    bool: _exact(bool),
    int: _exact(int),
    str: _exact(str),
    str | None: _optional(_exact(str)),
    datetime: _time,
    datetime | None: _optional(_time),
    timedelta: _duration,
    timedelta | None: _optional(_duration),
    frozenset[str]: read_uuids,
    KnownBy: KnownBy,
    Outcome: Outcome,
    BackupSource | None: _optional(BackupSource),
    Outcome | None: _optional(Outcome),
    Origin | None: _optional(_origin),
}
"""How the value of a field of each type is read."""
