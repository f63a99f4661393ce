"""The stored history of a server: the runs that have ended."""

from typing import Any, Final

from homeassistant.util import dt as dt_util

from .entry_file import Content
from .runs.history import RunHistory
from .runs.models import EndedRun
from .stored_rows import UNREADABLE, from_row, to_row

SAVE_DELAY: Final = 60.0
"""How long to wait before a change is written, in seconds: the file is large, and what a crash
leaves out of it is, but for several runs of one task, among the last runs."""


def _write(history: RunHistory) -> dict[str, Any]:
    return {"runs": [to_row(run) for run in history.copy()]}


def _read(stored: object) -> tuple[RunHistory, bool]:
    """Return all that can be read, and whether that is everything."""
    history = RunHistory()
    rows = stored.get("runs") if isinstance(stored, dict) else None
    if not isinstance(rows, list):
        return history, False
    complete = True
    runs: list[EndedRun] = []
    for row in rows:
        try:
            runs.append(from_row(EndedRun, row))
        except UNREADABLE:
            complete = False
    history.add(runs, dt_util.utcnow())
    return history, complete


HISTORY: Final = Content(
    suffix=".history", save_delay=SAVE_DELAY, empty=RunHistory, read=_read, write=_write
)
