"""The stored runs of a server: those that go on, and the last run of each task."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from .butler.backups import StoredBackups
from .entry_file import Content
from .runs.models import EndedRun
from .runs.tracked_run import TrackedRun
from .stored_rows import UNREADABLE, from_row, read_uuids, to_row

SAVE_DELAY: Final = 10.0
"""How long to wait before a change is written, in seconds."""


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
    backups: StoredBackups | None = None


def _write(runs: StoredRuns) -> dict[str, Any]:
    return {
        "version": runs.version,
        "row_proven": runs.row_proven,
        "runs": {task: to_row(run) for task, run in runs.runs.items()},
        "last_runs": [to_row(ended) for ended in runs.last_runs.values()],
        "denied": {type_: list(uuids) for type_, uuids in runs.denied.items()},
        "backups": runs.backups and to_row(runs.backups),
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
            tracked[task] = from_row(TrackedRun, row)
        except UNREADABLE:
            complete = False
    ended: dict[str, EndedRun] = {}
    for row in last_runs if isinstance(last_runs, list) else ():
        try:
            run = from_row(EndedRun, row)
        except UNREADABLE:
            complete = False
        else:
            ended[run.task] = run
    try:
        denied = {
            type_: tuple(read_uuids(uuids)) for type_, uuids in stored.get("denied", {}).items()
        }
    except UNREADABLE:
        denied, complete = {}, False
    backups: StoredBackups | None = None
    if row := stored.get("backups"):
        try:
            backups = from_row(StoredBackups, row)
        except UNREADABLE:
            complete = False
    version = version if isinstance(version, str) else None
    proven = version is not None and row_proven is True
    return StoredRuns(version, proven, tracked, ended, denied, backups), complete


RUNS: Final = Content(suffix="", save_delay=SAVE_DELAY, empty=StoredRuns, read=_read, write=_write)
