"""The rules by which runs are concluded, and all their times.

They are the tables of docs/what-is-known.md; each function quotes the entries that it implements.
"You start a task and Plex accepts" and "Plex answers that the task was running already" are GRACE
and GRACE_ALREADY_RUNNING below, and `outcome`. No function changes anything.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from .activities import ActivityList, ListedOfType, Row
from .models import KnownBy, Outcome
from .tasks import BY_NAME
from .tracked_run import TrackedRun

GRACE: Final = timedelta(seconds=30)
"""How long a task that we started is assumed to run without evidence."""
GRACE_ALREADY_RUNNING: Final = timedelta(minutes=10)
"""The same, if the server answered that the task was running already."""
GAP_ROW_BUSY: Final = timedelta(minutes=5)
"""How long a run goes on without an activity while the row is busy."""
GAP_NO_ROW: Final = timedelta(minutes=2)
"""The same without a busy row."""
GAP_POLLS: Final = 3
"""How many polls in a row must have shown no evidence as well, before the run ends."""
ROW_STAYS_IDLE: Final = timedelta(seconds=10)
"""How long the row must stay idle before it counts: between two tasks it is for a moment (reported)."""
LOG_AT_MOST: Final = timedelta(hours=2)
"""How long a run goes on without other evidence because the log will say when it has ended."""
SAME_BACKUP: Final = timedelta(minutes=1)
"""Within how long several lines of the log about the end of a backup are about the same one."""
ROW_EXPLAINED: Final = timedelta(seconds=5)
"""How long after the row turned busy an activity can still explain for which task that is."""


def is_forgotten(run: TrackedRun, now: datetime) -> bool:
    """Return whether an unanswered start had no evidence within its grace time.

    "You start a task and get no answer".
    """
    late = run.grace_until is not None and now >= run.grace_until
    return late and not run.confirmed and not run.row_seen


def known_by(run: TrackedRun | None, listed: ListedOfType, row: Row) -> KnownBy | None:
    """Return how it is known that a task runs, by activities that it alone causes; None if it is not.

    "An activity that belongs to one task alone", "The same activity on a server without a proven
    row", "The same activity while Butler's row is idle".
    """
    if run and run.start_certain:
        return KnownBy.OBSERVED if run.activities else None
    if row is Row.UNPROVEN:
        return KnownBy.ASSUMED if listed.counted else None
    return KnownBy.OBSERVED if row is Row.BUSY and listed.beside_busy_row else None


def is_kept(run: TrackedRun, row: Row) -> bool:
    """Return whether activities that users cause as well keep a run going.

    Only one of ours, or one whose start was in the log. "A library scan or a metadata refresh".
    """
    row_has_ended_it = row is Row.IDLE and run.row_seen_busy
    return bool(run.activities) and not row_has_ended_it


def meant_by_row(runs: Mapping[str, TrackedRun], shown: ActivityList) -> str | None:
    """Return the task for which the row must be busy, because no other one was started.

    "Butler's row turns busy after you started a single task"; None for "Butler's row is busy, and
    nothing shows why". "What Plex's log adds": of several that the log has named it is the last,
    unless another one shows activities.
    """
    if not shown.row_shows_work:
        return None
    waiting = _without_activity(runs)
    if named := [(run.log_started, task) for task, run in waiting.items() if run.log_started]:
        others = any(run.activity_seen for run in runs.values())
        return None if shown.row_explained and others else max(named)[1]
    return next(iter(waiting)) if len(waiting) == 1 and not shown.row_explained else None


def is_meant_alone(task: str | None, runs: Mapping[str, TrackedRun]) -> bool:
    """Return whether the row can be busy for this task only."""
    return len(runs) == 1 or [*_without_activity(runs)] == [task]


def _without_activity(runs: Mapping[str, TrackedRun]) -> dict[str, TrackedRun]:
    """Return the runs that may be what the row is busy for, though no activity shows it."""
    return {
        task: run
        for task, run in runs.items()
        if (run.row_idle_at_command or run.log_started) and run.activity_seen is None
    }


def row_may_be_explained(shown: ActivityList, now: datetime) -> bool:
    """Return whether the row turned busy so recently that an activity may still explain it."""
    since = shown.row_busy_since
    return since is not None and now - since < ROW_EXPLAINED


def row_stays_idle(shown: ActivityList, now: datetime) -> bool:
    """Return whether a row that turned idle has been so for long enough to count as idle.

    "Butler's row turns idle and stays so". By the first good poll after one that failed it counts
    at once, unless an activity is listed: when it turned was not seen, and what an outage has ended
    is no news.
    """
    since = shown.row_idle_since
    if since is None:
        return False
    if shown.good_polls_since is None and not shown.lists_activities:
        return True
    return now - since >= ROW_STAYS_IDLE


def start_was_seen(shown: ActivityList, now: datetime) -> bool:
    """Return whether a run with its first evidence now has begun now, so that its start was seen.

    Shortly after the first good poll it may have been in a pause between two activities.
    "A task that was found running" (docs/actions.md).
    """
    if shown.good_polls_since is None:
        return False
    if shown.row is Row.BUSY and shown.row_seen_idle:
        return True
    return now - shown.good_polls_since >= _gap(shown.row)


def outcome(
    task: str, run: TrackedRun, row: Row, now: datetime, *, meant: str | None
) -> Outcome | None:
    """Return how a run without evidence has ended, or None if it may still go on.

    `meant` is the task that the row was last busy for, and for no other. "Butler's row turns idle
    and stays so for 10 seconds", "No activity comes".
    """
    if row is Row.IDLE and run.row_seen_busy:
        return Outcome.FINISHED if _was_seen_to_end(task, run, meant) else Outcome.END_NOT_SEEN
    if run.grace_until and now < run.grace_until:
        return None
    if run.last_seen is None or (row is Row.IDLE and run.activity_seen is None):
        return Outcome.END_NOT_SEEN
    if now - run.last_seen < _gap(row) or _awaits_log(task, run, now):
        return None
    if run.polls_failed:
        return Outcome.END_NOT_SEEN
    if run.polls_without < GAP_POLLS:
        return None
    # If only the row was evidence, it is busy for another task by now, and shows no end of this one.
    return Outcome.FINISHED if run.activity_seen else Outcome.END_NOT_SEEN


def _was_seen_to_end(task: str, run: TrackedRun, meant: str | None) -> bool:
    """Return whether a row that turned idle shows the end of a run.

    It does not if the run is known by the log alone, and others have started behind it.
    """
    if run.last_seen is None or run.polls_failed:
        return False
    return run.activity_seen is not None or run.log_started is None or task == meant


def _awaits_log(task: str, run: TrackedRun, now: datetime) -> bool:
    """Return whether the log will say when a run ends, because it has said when it began.

    "What Plex's log adds". Its silence is no end.
    """
    known = BY_NAME.get(task)
    if run.log_started is None or run.log_gap or not (known and known.end_in_log):
        return False
    return now - run.log_started < LOG_AT_MOST


def starts_anew(run: TrackedRun, now: datetime) -> bool:
    """Return whether a line of the log that says that a task starts ends an earlier run of it.

    A run with activities goes on. Two lines within the grace time are about the same start.
    """
    if run.activity_seen or run.log_started is None:
        return False
    return now - run.log_started >= GRACE


def ends_with_its_activity(task: str) -> bool:
    """Return whether a task is over when the log says that its activity within Butler's has ended.

    "What Plex's log adds". Items of the others may go on (inferred), or the log says more of their end.
    """
    known = BY_NAME.get(task)
    return known is None or not (known.types or known.end_in_log)


def failed_task(runs: Mapping[str, TrackedRun]) -> str | None:
    """Return the task of an exception that the log reports without a name.

    "What Plex's log adds": it is the only one that runs, and the log has said that it started.
    """
    running = [task for task, run in runs.items() if run.confirmed]
    if len(running) != 1:
        return None
    run = runs[running[0]]
    return running[0] if run.log_started and not run.log_gap else None


def by_word_of_log(
    run: TrackedRun, concluded: Outcome, ended: datetime | None
) -> tuple[Outcome, datetime | None]:
    """Return how and when a run has ended, by the word of the log if there is one.

    "What Plex's log adds".
    """
    if run.said:
        return run.said, run.said_at
    if concluded is Outcome.END_NOT_SEEN:
        ended = None
    if run.log_error and concluded is not Outcome.STOPPED:
        return Outcome.FAILED, ended
    return concluded, ended


def was_seen_to_run(run: TrackedRun) -> bool:
    """Return whether a run that has ended by an answer of the server was observed until then.

    "Plex answers that the task does not run any more".
    """
    seen = run.activity_seen or run.row_seen
    return run.known_by is KnownBy.OBSERVED and seen is not None and not run.polls_failed


def may_keep_server_busy(task: str, run: TrackedRun, now: datetime) -> bool:
    """Return whether this run may be what keeps a server busy that answers nothing.

    "The server accepts connections but answers nothing".
    """
    known = BY_NAME.get(task)
    in_time = run.confirmed or (run.grace_until is not None and now < run.grace_until)
    return bool(in_time and known and known.keeps_server_busy)


def _gap(row: Row) -> timedelta:
    return GAP_ROW_BUSY if row is Row.BUSY else GAP_NO_ROW
