"""The rules by which runs are concluded, and all their times.

They are the table of the README ("What is known about running"), in its order. Every function is
pure: it looks at the evidence and says what follows from it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from .activities import ActivityList, ListedOfType, Row
from .models import KnownBy, Outcome
from .tasks import BY_NAME
from .tracked_run import TrackedRun

GRACE: Final = timedelta(seconds=30)
"""How long a task that we started is believed to run without evidence."""
GRACE_ALREADY_RUNNING: Final = timedelta(minutes=10)
"""The same, if the server itself said that the task was running already."""
GAP_ROW_BUSY: Final = timedelta(minutes=5)
"""How long a run may be without an activity while the row is busy."""
GAP_NO_ROW: Final = timedelta(minutes=2)
"""The same without a busy row."""
GAP_POLLS: Final = 3
"""How many polls without an activity it takes besides to end a run."""
STOPPING: Final = timedelta(minutes=2)
"""How long after a stop the last activities of the task may still be listed."""
ROW_EXPLAINED: Final = timedelta(seconds=5)
"""How long after the row turned busy the activity may come that it is busy for."""


def is_forgotten(run: TrackedRun, now: datetime) -> bool:
    """Return whether a start without an answer had no evidence within its grace time."""
    late = run.grace_until is not None and now >= run.grace_until
    return late and not run.confirmed and not run.row_seen


def known_by(run: TrackedRun | None, listed: ListedOfType, row: Row) -> KnownBy | None:
    """Return how the activities of a type that one task alone causes show that it runs."""
    if run and run.ours:
        return KnownBy.OBSERVED if run.activities else None
    if row is Row.MUTE:
        return KnownBy.ASSUMED if listed.counted else None
    return KnownBy.OBSERVED if row is Row.BUSY and listed.beside_busy_row else None


def is_kept(run: TrackedRun, row: Row) -> bool:
    """Return whether activities that users cause as well keep a run alive: only one of ours."""
    row_has_ended_it = row is Row.IDLE and run.row_seen_busy
    return bool(run.activities) and not row_has_ended_it


def meant_by_row(runs: Mapping[str, TrackedRun], shown: ActivityList) -> str | None:
    """Return the task that the row must be busy for: the only one that we started just before."""
    if shown.row is not Row.BUSY or shown.row_explained:
        return None
    waiting = [
        task for task, run in runs.items() if run.row_idle_at_command and run.activity_seen is None
    ]
    return waiting[0] if len(waiting) == 1 else None


def row_may_be_explained(shown: ActivityList, now: datetime) -> bool:
    """Return whether the row has turned busy so recently that an activity may still explain it."""
    since = shown.row_busy_since
    return since is not None and now - since < ROW_EXPLAINED


def sees_starts(shown: ActivityList, now: datetime) -> bool:
    """Return whether a run that shows for the first time has begun just now.

    Shortly after the first poll it may have been in a pause between two activities.
    """
    if shown.watched_since is None:
        return False
    if shown.row is Row.BUSY and shown.row_rested:
        return True
    return now - shown.watched_since >= _gap(shown.row)


def outcome(run: TrackedRun, row: Row, now: datetime) -> Outcome | None:
    """Return how a run without evidence has ended, or None if it may still go on."""
    if row is Row.IDLE and run.row_seen_busy:
        seen = run.last_seen and not run.unseen
        return Outcome.FINISHED if seen else Outcome.END_NOT_SEEN
    if run.grace_until and now < run.grace_until:
        return None
    if run.last_seen is None:
        return Outcome.END_NOT_SEEN
    if now - run.last_seen < _gap(row):
        return None
    if run.unseen:
        return Outcome.END_NOT_SEEN
    if run.polls_without < GAP_POLLS:
        return None
    # A row that has been explained by another task says nothing about the end of this run.
    return Outcome.FINISHED if run.activity_seen else Outcome.END_NOT_SEEN


def was_seen_to_run(run: TrackedRun) -> bool:
    """Return whether a run that the server says has ended was observed until then."""
    return run.known_by is KnownBy.OBSERVED and not run.unseen


def is_stopping(stopped: datetime, now: datetime) -> bool:
    """Return whether activities that are listed now may be the last ones of a stopped task."""
    return now - stopped < STOPPING


def freezes(task: str, run: TrackedRun, now: datetime) -> bool:
    """Return whether a server that answers nothing may be busy with this run."""
    known = BY_NAME.get(task)
    in_time = run.confirmed or (run.grace_until is not None and now < run.grace_until)
    return bool(in_time and known and known.freezes_server)


def _gap(row: Row) -> timedelta:
    return GAP_ROW_BUSY if row is Row.BUSY else GAP_NO_ROW
