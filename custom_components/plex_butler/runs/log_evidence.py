"""What a server's own log says of the runs."""

from datetime import datetime

from ..plex import (
    BackupCompleted,
    BackupRefused,
    LogSign,
    OptimizationCompleted,
    TaskEnded,
    TaskException,
    TaskMentioned,
    TaskScheduled,
    TaskStarted,
)
from . import rules
from .activities import ActivityList
from .models import EndedRun, KnownBy, Outcome
from .open_runs import OpenRuns
from .tasks import BACKUP, BY_NAME, OPTIMIZE
from .tracked_run import TrackedRun


class LogEvidence:
    """The signs of the log, as evidence for the runs that have not ended.

    Its silence is none: it may be read late, or hold no such lines.
    """

    def __init__(self, open_runs: OpenRuns, shown: ActivityList) -> None:
        """Initialize without a sign; `shown` are the activities that the server lists."""
        self._open = open_runs
        self._shown = shown
        self._scheduled: set[str] = set()
        self._backup_ended: datetime | None = None

    @property
    def scheduled(self) -> frozenset[str]:
        """Return the tasks that wait for a time which Plex has chosen but does not say."""
        return frozenset(self._scheduled)

    def record(self, sign: LogSign, now: datetime) -> None:
        """Record a sign at its arrival. Signs of the database itself say nothing of the runs."""
        match sign:
            case TaskStarted(task):
                self._scheduled.discard(task)
                self._start(task, now)
            case TaskScheduled(task):
                self._scheduled.add(task)
            case TaskMentioned(task):
                self._mention(task, now)
            case TaskEnded(task):
                self._end_activity(task, now)
            case BackupCompleted(0):
                self._end_backup(Outcome.SUCCEEDED, now)
            case BackupCompleted() | BackupRefused():
                self._end_backup(Outcome.FAILED, now)
            case OptimizationCompleted():
                # Others can optimize the database, too: without a run that is no news of one.
                self._end(OPTIMIZE, Outcome.SUCCEEDED, now)
            case TaskException():
                if task_ := rules.failed_task(self._open.runs):
                    self._open.runs[task_].log_error = True

    def record_gap(self) -> None:
        """Record that the log is no longer read: what it says from now on is missed."""
        self._scheduled.clear()
        for run in self._open.runs.values():
            run.log_gap = True

    def record_unscheduled(self, task: str | None = None) -> None:
        """Record that a task waits no longer, or none does."""
        if task is None:
            self._scheduled.clear()
        else:
            self._scheduled.discard(task)

    def _start(self, task: str, now: datetime) -> None:
        """Begin a run, or make an open one certain."""
        run = self._open.runs.get(task)
        if run and rules.starts_anew(run, now):
            seen = rules.was_seen_to_run(run)
            outcome = Outcome.FINISHED if seen else Outcome.END_NOT_SEEN
            self._open.end(task, outcome, run.last_seen)
            run = None
        if run is None:
            known = BY_NAME.get(task)
            # Activities come over another connection, and may be the first.
            earlier = self._shown.decided_of_task(known) if known else frozenset[str]()
            run = self._open.runs[task] = TrackedRun(since=now, start_known=True, foreign=earlier)
        run.record_start_in_log(now, rules.GRACE)
        self._open.collect(task, run)

    def _mention(self, task: str, now: datetime) -> None:
        """Record that a run goes on."""
        if (run := self._open.runs.get(task)) and run.confirmed:
            run.record_log(now)

    def _end_activity(self, task: str, now: datetime) -> None:
        """End the run of a task whose activity has ended, unless something else shows its end."""
        if (run := self._open.runs.get(task)) is None or run.log_started is None:
            return
        if rules.ends_with_its_activity(task):
            self._end(task, Outcome.FAILED if run.log_error else Outcome.FINISHED, now)
        else:
            run.record_log(now)

    def _end(self, task: str, outcome: Outcome, now: datetime) -> bool:
        """End the run of a task by the word of the log; return whether there was one."""
        if (run := self._open.runs.get(task)) is None:
            return False
        run.record_word(outcome, now)
        self._open.conclude(now)
        return True

    def _end_backup(self, outcome: Outcome, now: datetime) -> None:
        """End the run of the backup; if there is none, only its end was seen."""
        last, self._backup_ended = self._backup_ended, now
        if self._end(BACKUP, outcome, now) or not self._open.is_listed(BACKUP):
            return
        if last is None or now - last >= rules.SAME_BACKUP:
            self._open.add_ended(
                EndedRun(
                    task=BACKUP,
                    since=now,
                    ended=now,
                    duration=None,
                    outcome=outcome,
                    known_by=KnownBy.OBSERVED,
                    last_known=now,
                    start_known=False,
                    plex_log=True,
                )
            )
