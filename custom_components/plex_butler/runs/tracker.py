"""The tracking of the runs on one server: evidence in, runs and events out.

A Plex Media Server never says which Butler task runs. That is concluded from the answers to our own
commands and from the activities that the server lists, by the rules in `rules.py`. There is no I/O
and no clock here: `now` is the time of the evidence.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime

from ..plex import Activity, ActivityChanged
from . import rules
from .activities import ActivityList, Row
from .log_evidence import LogEvidence
from .models import KnownBy, Origin, Outcome, Run, RunEvent
from .open_runs import OpenRuns
from .tasks import BY_ACTIVITY_TYPE
from .tracked_run import TrackedRun


class SentStart:
    """A start that is sent. It stays unconfirmed unless one of the methods records its answer."""

    def __init__(self, open_runs: OpenRuns, task: str, run: TrackedRun) -> None:
        """Initialize a start without an answer."""
        self.answered = False
        self._open_runs = open_runs
        self._task = task
        self._run = run

    def record_accepted(self, now: datetime) -> None:
        """Record that the server accepted the start: the task runs, assumed, since it was sent."""
        self.answered = True
        self._open_runs.confirm(self._task, self._run)
        self._open_runs.conclude(now)

    def record_already_running(self, now: datetime) -> None:
        """Record the answer that the task was running already; since when is not known."""
        self.answered = True
        self._open_runs.join(self._task, self._run, now)

    def record_refused(self) -> None:
        """Record that the start was refused, or never arrived."""
        self.answered = True
        self._open_runs.withdraw(self._task, self._run)


class RunTracker:
    """The runs of one server, by the server's own task names."""

    def __init__(self) -> None:
        """Initialize without any knowledge."""
        self._shown = ActivityList()
        self._open = OpenRuns(self._shown)
        self.log = LogEvidence(self._open, self._shown)

    # --- what is known

    @property
    def running(self) -> dict[str, Run]:
        """Return the tasks that run, in the order in which they began."""
        return {task: run.as_run(task) for task, run in self._open.runs.items() if run.confirmed}

    @property
    def maintenance(self) -> bool:
        """Return whether Butler is at work: its row is busy, or a task runs."""
        return self._shown.row is Row.BUSY or any(run.confirmed for run in self._open.runs.values())

    @property
    def row_proven(self) -> bool:
        """Return whether Butler's row was ever seen busy on this version of the server."""
        return self._shown.row is not Row.UNPROVEN

    @property
    def unsettled(self) -> bool:
        """Return whether anything runs, or a command still waits for evidence."""
        return bool(self._open.runs) or self._shown.row is Row.BUSY

    @property
    def listed(self) -> frozenset[str]:
        """Return the uuids of the activities that are listed, without Butler's row."""
        return frozenset(self._shown.types)

    def take_events(self) -> tuple[RunEvent, ...]:
        """Return the events since the last call, in order."""
        return self._open.take_events()

    # --- restarts of Home Assistant

    def to_store(self) -> dict[str, TrackedRun]:
        """Return the runs to restore after a restart."""
        return {
            task: replace(run, activities=set())
            for task, run in self._open.runs.items()
            if run.confirmed
        }

    def denied_to_store(self) -> dict[str, tuple[str, ...]]:
        """Return the activities that are never evidence, by type, to restore after a restart."""
        denied = {type_: self._shown.of_type(type_).denied for type_ in BY_ACTIVITY_TYPE}
        return {type_: tuple(uuids) for type_, uuids in denied.items() if uuids}

    def restore(
        self,
        runs: Mapping[str, TrackedRun],
        *,
        row_proven: bool,
        denied: Mapping[str, tuple[str, ...]],
    ) -> None:
        """Continue the runs from before a restart. Must be called before the first poll."""
        for type_ in denied.keys() & BY_ACTIVITY_TYPE:
            self._shown.of_type(type_).denied |= dict.fromkeys(denied[type_])
        for task, run in runs.items():
            self._open.runs[task] = replace(
                run, polls_failed=True, announced=True, activities=set(), log_gap=True
            )
        self._shown.row = Row.IDLE if row_proven else Row.UNPROVEN
        if row_proven and any(run.row_seen_busy for run in runs.values()):
            # By the first poll it may be idle for a moment between two tasks.
            self._shown.row = Row.BUSY
        self._shown.row_explained = any(
            run.row_seen_busy and run.known_by is KnownBy.OBSERVED for run in runs.values()
        )

    # --- the answers to our commands

    @contextmanager
    def sending_start(
        self, task: str, now: datetime, origin: Origin | None = None
    ) -> Iterator[SentStart]:
        """Track a start that is sent inside the `with` block, because `origin` asked for it.

        If the block records no answer, because of an error or a cancellation, the start counts only
        if evidence follows.
        """
        run = self._open.begin(task, now, origin)
        sent = SentStart(self._open, task, run)
        try:
            yield sent
        finally:
            if not sent.answered:
                self._open.leave_unanswered(task, run)

    def sending_stop(self, tasks: Iterable[str]) -> AbstractContextManager[None]:
        """Track a stop that is sent inside the `with` block: meanwhile no evidence ends these runs."""
        return self._open.hold(tasks)

    def record_stop(self, task: str, now: datetime, origin: Origin | None = None) -> None:
        """Record the answer that the server stopped a task, or removed it from its queue."""
        self.log.record_unscheduled(task)
        self._open.stop(task, now, origin)

    def record_not_running(self, task: str) -> None:
        """Record the answer that a task was not running."""
        self._open.end_by_answer(task)

    def record_stop_all(self, now: datetime, origin: Origin | None = None) -> None:
        """Record that the server stopped all tasks and emptied its queue."""
        self.log.record_unscheduled()
        # Also those that do not run: their last activities may be listed and are no evidence.
        observable = (known.name for known in BY_ACTIVITY_TYPE.values())
        for task in dict.fromkeys([*self._open.runs, *observable]):
            self._open.stop(task, now, origin)

    # --- what the server shows

    def record_task_list(self, tasks: Iterable[str]) -> None:
        """Record the list of tasks: no other task can run. An empty list says nothing."""
        listed = frozenset(tasks)
        if not listed:
            return
        self._open.tasks = listed
        for task in self._open.runs.keys() - self._open.tasks:
            self._open.end(task, Outcome.END_NOT_SEEN, None)

    def record_poll(self, activities: Iterable[Activity], now: datetime) -> None:
        """Record the answer to a poll of the activities."""
        self._shown.replace(activities, now)
        self._open.collect_activities()
        self._open.conclude(now, polled=True)
        self._shown.record_poll(now)

    def record_change(self, change: ActivityChanged, now: datetime) -> bool:
        """Record a change that the notification stream brought.

        Returns whether only a poll can show what it means. A new activity may be Butler's or
        somebody else's if the row was idle when it was last seen; and no activity is added to a
        full list.
        """
        activity = change.activity
        type_ = self._shown.types.get(activity.uuid)
        if type_ is not None and not change.ended:
            # By far the most frequent change; it begins and ends nothing.
            self._open.update(type_, now)
            return False
        # Up to now all that is listed was going on.
        self._open.update_all(now)
        if change.ended:
            self._shown.remove(activity, now)
            if type_ is not None:
                self._open.remove_activity(activity.uuid, type_)
        elif self._shown.add(activity, now):
            self._open.add_activity(activity.uuid, activity.type)
        else:
            return True
        self._open.conclude(now)
        return self._is_unclear(activity)

    def _is_unclear(self, activity: Activity) -> bool:
        if not self.row_proven or activity.type not in BY_ACTIVITY_TYPE:
            return False
        unclear = self._shown.of_type(activity.type).unclear
        return activity.uuid in unclear and self._shown.row_idle_since is None

    # --- polls that fail

    def record_poll_failure(self) -> None:
        """Record that a poll failed: until the next good one, no beginning and no end is seen."""
        self._shown.record_poll_failure()
        for run in self._open.runs.values():
            run.polls_failed = True

    def record_server_busy(self, now: datetime) -> None:
        """Record that the server accepts connections but answers nothing.

        That is evidence for a run of ours, confirmed or not, whose task keeps servers busy.
        """
        for task, run in self._open.runs.items():
            if rules.may_keep_server_busy(task, run, now):
                run.record_row(now)
                run.confirmed = True

    def record_server_gone(self) -> None:
        """Record that the server stopped or restarted: every run ends, its end not seen."""
        self.log.record_unscheduled()
        for task in tuple(self._open.runs):
            self._open.end(task, Outcome.END_NOT_SEEN, None)
        self._shown.clear()

    def record_server_update(self) -> None:
        """Record another version of the server: it has restarted, and its row is unproven again."""
        self.record_server_gone()
        self._shown.row = Row.UNPROVEN
