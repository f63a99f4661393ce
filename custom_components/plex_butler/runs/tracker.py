"""What runs on one server: evidence in, runs and events out.

A Plex Media Server never says which Butler task runs. It is concluded from the answers to our own
commands and from the activities that the server lists, by the rules in `rules.py`. There is no
I/O and no clock here: every method is given the time at which its evidence was gathered.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import datetime

from ..plex import Activity, ActivityChanged
from . import rules
from .activities import ActivityList, Row
from .models import KnownBy, Outcome, Run, RunEvent
from .open_runs import OpenRuns
from .tasks import BY_ACTIVITY_TYPE
from .tracked_run import TrackedRun


class SentStart:
    """A start that was sent. Unless one of these methods is called, it stays unconfirmed."""

    def __init__(self, open_runs: OpenRuns, task: str, run: TrackedRun) -> None:
        """Initialize a start without an answer."""
        self.answered = False
        self._open_runs = open_runs
        self._task = task
        self._run = run

    def accepted(self, now: datetime) -> None:
        """Record that the server accepted it: the task runs, assumed, since it was sent."""
        self.answered = True
        self._open_runs.confirm(self._task, self._run)
        self._open_runs.conclude(now)

    def already_running(self, now: datetime) -> None:
        """Record that the server said that the task was running already; not since when."""
        self.answered = True
        self._open_runs.join(self._task, self._run, now)

    def refused(self) -> None:
        """Record that it was refused, or never arrived."""
        self.answered = True
        self._open_runs.withdraw(self._task, self._run)


class RunTracker:
    """The runs of one server. Tasks go by the server's own names."""

    def __init__(self) -> None:
        """Initialize without any knowledge."""
        self._shown = ActivityList()
        self._open = OpenRuns(self._shown)

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
        """Return whether Butler's row was seen busy on this version of the server."""
        return self._shown.row is not Row.MUTE

    @property
    def unsettled(self) -> bool:
        """Return whether anything runs, or a command still waits for evidence."""
        return self._open.unsettled or self._shown.row is Row.BUSY

    @property
    def listed(self) -> frozenset[str]:
        """Return the uuids of the activities that are listed, without Butler's row."""
        return frozenset(self._shown.types)

    def take_events(self) -> tuple[RunEvent, ...]:
        """Return what has begun and ended since the last call, in order."""
        return self._open.take_events()

    # --- restarts of Home Assistant

    def to_store(self) -> dict[str, TrackedRun]:
        """Return what is needed to go on with the runs after a restart."""
        return {
            task: replace(run, activities=set())
            for task, run in self._open.runs.items()
            if run.confirmed
        }

    def restore(self, runs: Mapping[str, TrackedRun], *, row_proven: bool) -> None:
        """Go on with the runs from before a restart; to be called before the first poll."""
        for task, run in runs.items():
            self._open.runs[task] = replace(run, unseen=True, announced=True, activities=set())
        self._shown.row = Row.IDLE if row_proven else Row.MUTE
        self._shown.row_explained = any(
            run.row_seen_busy and run.known_by is KnownBy.OBSERVED for run in runs.values()
        )

    # --- what the server answered to our commands

    @contextmanager
    def start_sent(self, task: str, now: datetime) -> Iterator[SentStart]:
        """Expect the answer to a start that is about to be sent.

        A start that is left without an answer, by an error or a cancellation, counts only if
        evidence follows.
        """
        run = self._open.begin(task, now)
        sent = SentStart(self._open, task, run)
        try:
            yield sent
        finally:
            if not sent.answered:
                self._open.leave_unconfirmed(task, run)

    def stop_sent(self, tasks: Iterable[str]) -> AbstractContextManager[None]:
        """Expect the answer to a stop: until then no evidence ends these runs."""
        return self._open.held(tasks)

    def stopped(self, task: str, now: datetime) -> None:
        """Record that the server stopped a task, or removed it from its queue."""
        self._open.stop(task, now)

    def was_not_running(self, task: str) -> None:
        """Record that the server said that a task was not running."""
        self._open.deny(task)

    def all_started(self) -> None:
        """Record that the server accepted to start whatever is due; nothing runs by that alone."""
        self._open.forget_stops()

    def all_stopped(self, now: datetime) -> None:
        """Record that the server stopped all tasks and emptied its queue."""
        observable = (known.name for known in BY_ACTIVITY_TYPE.values())
        for task in dict.fromkeys([*self._open.runs, *observable]):
            self._open.stop(task, now)

    # --- what the server shows

    def tasks_listed(self, tasks: Iterable[str]) -> None:
        """Record which tasks the server has: no other one can run."""
        self._open.tasks = frozenset(tasks)
        for task in self._open.runs.keys() - self._open.tasks:
            self._open.end(task, Outcome.END_NOT_SEEN, None)

    def polled(self, activities: Iterable[Activity], now: datetime) -> None:
        """Record the answer to a poll of the activities."""
        self._shown.replace(activities, now)
        self._open.collect_activities()
        self._open.conclude(now, polled=True)
        self._shown.watch(now)

    def changed(self, change: ActivityChanged, now: datetime) -> bool:
        """Record a frame of the notification stream.

        Returns whether only a poll can say what it means: a new activity beside a row that was
        idle when it was last seen may be Butler's or somebody else's, and a list that is too long
        is not kept.
        """
        activity = change.activity
        type_ = self._shown.types.get(activity.uuid)
        if type_ is not None and not change.ended:
            # By far the most frequent frame; it begins and ends nothing.
            self._open.update(type_, now)
            return False
        # Until now everything was as it is listed.
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
        return activity.uuid in self._shown.of_type(activity.type).unclear

    # --- when the server cannot be asked

    def poll_failed(self) -> None:
        """Record that a poll failed: what begins or ends until the next one is not seen."""
        self._shown.stop_watching()
        for run in self._open.runs.values():
            run.unseen = True

    def frozen(self, now: datetime) -> None:
        """Record that the server takes connections and answers nothing.

        That is evidence for a task that freezes servers and that we started, confirmed or not.
        """
        for task, run in self._open.runs.items():
            if rules.freezes(task, run, now):
                run.record_row(now)
                run.confirmed = True

    def server_gone(self) -> None:
        """Record that the server stopped or restarted: every run has ended without being seen."""
        for task in tuple(self._open.runs):
            self._open.end(task, Outcome.END_NOT_SEEN, None)
        self._shown.clear()

    def server_updated(self) -> None:
        """Record that another version answers: it has restarted, and its row is to be proven."""
        self.server_gone()
        self._shown.row = Row.MUTE
