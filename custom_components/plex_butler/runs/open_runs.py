"""The runs that go on: they begin, are kept and end by the rules, and events are collected."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime

from . import rules
from .activities import ActivityList, Row
from .models import KnownBy, Outcome, RunEvent
from .tasks import BY_ACTIVITY_TYPE, BY_AMBIGUOUS_TYPE, BY_NAME
from .tracked_run import TrackedRun


class OpenRuns:
    """The runs of one server that have not ended, by the server's own task names."""

    def __init__(self, shown: ActivityList) -> None:
        """Initialize without a run; `shown` is what the server lists."""
        self.runs: dict[str, TrackedRun] = {}
        self.tasks: frozenset[str] | None = None
        self._shown = shown
        self._sent: dict[str, TrackedRun] = {}
        self._held: Counter[str] = Counter()
        self._stopped: dict[str, datetime] = {}
        self._events: list[RunEvent] = []

    @property
    def unsettled(self) -> bool:
        """Return whether a run or a command still waits for evidence."""
        return bool(self.runs or self._stopped)

    def take_events(self) -> tuple[RunEvent, ...]:
        """Return what has begun and ended since the last call, in order."""
        for task, run in self.runs.items():
            self._announce(task, run)
        events, self._events = tuple(self._events), []
        return events

    # --- commands

    def begin(self, task: str, now: datetime) -> TrackedRun:
        """Begin a run with a start that is about to be sent. It is not shown as running yet."""
        known = BY_NAME.get(task)
        run = self._sent[task] = TrackedRun(
            since=now,
            start_known=True,
            ours=True,
            grace_until=now + rules.GRACE,
            confirmed=False,
            row_idle_at_command=(
                self._shown.watched_since is not None and self._shown.row is not Row.BUSY
            ),
            foreign=frozenset(self._shown.of_task(known)) if known else frozenset(),
        )
        self.runs.setdefault(task, run)
        return run

    def confirm(self, task: str, sent: TrackedRun) -> None:
        """Record that the server accepted a start: the task runs since it was sent."""
        self._sent.pop(task, None)
        if self.runs.get(task) is not sent:
            # A task that runs is answered in another way: the run that was shown has ended.
            self.deny(task)
            self.runs[task] = sent
            self._collect_activities(task, sent)
        sent.confirmed = True
        self._stopped.pop(task, None)

    def join(self, task: str, sent: TrackedRun, now: datetime) -> None:
        """Record that the server said that a task was running already; not since when."""
        self._sent.pop(task, None)
        self._stopped.pop(task, None)
        run = self.runs.setdefault(task, sent)
        if run is sent or not run.confirmed:
            run.start_known, run.foreign = False, frozenset()
        run.ours = run.confirmed = True
        run.grace_until = now + rules.GRACE_ALREADY_RUNNING
        self._collect_activities(task, run)

    def leave_unconfirmed(self, task: str, sent: TrackedRun) -> None:
        """Record that a start got no answer: it counts only if evidence follows."""
        self._sent.pop(task, None)
        self._collect_activities(task, self.runs.setdefault(task, sent))

    def withdraw(self, task: str, sent: TrackedRun) -> None:
        """Record that a start was refused or never arrived."""
        self._sent.pop(task, None)
        if self.runs.get(task) is sent:
            del self.runs[task]

    @contextmanager
    def held(self, tasks: Iterable[str]) -> Iterator[None]:
        """Let none of these runs end by evidence: the answer to a stop will say how they ended."""
        held = tuple(tasks)
        self._held.update(held)
        try:
            yield
        finally:
            self._held.subtract(held)

    def stop(self, task: str, now: datetime) -> None:
        """End a run that the server has stopped; its last activities may still be listed."""
        self._stopped[task] = now
        if task in self.runs:
            self.end(task, Outcome.STOPPED, now)

    def forget_stops(self) -> None:
        """Let activities that begin from now on be evidence, for stopped tasks as well."""
        for task in self._stopped:
            self._deny_listed(task)
        self._stopped.clear()

    def deny(self, task: str) -> None:
        """End a run that does not go on by the server's own word."""
        if run := self.runs.get(task):
            seen = rules.was_seen_to_run(run)
            self.end(task, Outcome.FINISHED if seen else Outcome.END_NOT_SEEN, run.last_seen)
            # By the same word, what is listed now is not Butler's.
            self._deny_listed(task)

    def end(self, task: str, outcome: Outcome, ended: datetime | None) -> None:
        """End a run."""
        run = self.runs.pop(task)
        if run.confirmed:
            self._announce(task, run)
            self._events.append(run.as_ended(task, outcome, ended))

    # --- evidence

    def add_activity(self, uuid: str, type_: str) -> None:
        """Add an activity that was not listed to the runs of ours that it is evidence for."""
        for task in self._tasks_of(type_):
            run = self.runs.get(task)
            if run and run.ours and uuid not in run.foreign:
                run.activities.add(uuid)

    def remove_activity(self, uuid: str, type_: str) -> None:
        """Remove an activity that is not listed any more."""
        for task in self._tasks_of(type_):
            if run := self.runs.get(task):
                run.activities.discard(uuid)

    def collect_activities(self) -> None:
        """Give every run of ours the listed activities that are evidence for it."""
        for task, run in self.runs.items():
            if run.ours:
                self._collect_activities(task, run)

    def update(self, type_: str, now: datetime) -> None:
        """Record that activities of a type are still listed."""
        for task in self._tasks_of(type_):
            self._record_activities(task, now)

    def update_all(self, now: datetime, *, polled: bool = False) -> set[str]:
        """Record everything that is listed as evidence; return the tasks with activities."""
        evident = {
            known.name
            for type_, known in BY_ACTIVITY_TYPE.items()
            if self._shown.of_type(type_).counted and self._record_activities(known.name, now)
        }
        evident.update(
            task
            for task, run in self.runs.items()
            if run.activities and task not in evident and self._record_activities(task, now)
        )
        self._record_row(evident, now, polled=polled)
        return evident

    def conclude(self, now: datetime, *, polled: bool = False) -> None:
        """Begin and end runs by everything that is known now."""
        self._forget_unanswered(now)
        self._stopped = {
            task: stopped
            for task, stopped in self._stopped.items()
            if rules.is_stopping(stopped, now)
        }
        evident = self.update_all(now, polled=polled)
        row = self._shown.row
        for task, run in tuple(self.runs.items()):
            run.row_seen_busy |= row is Row.BUSY
            if task in evident or task in self._sent or self._held[task] > 0:
                continue
            run.polls_without += polled
            if outcome := rules.outcome(run, row, now):
                self.end(task, outcome, run.last_seen)

    def _forget_unanswered(self, now: datetime) -> None:
        """Remove the starts without an answer that had no evidence in time."""
        for task, run in tuple(self.runs.items()):
            if rules.is_forgotten(run, now):
                del self.runs[task]

    def _record_activities(self, task: str, now: datetime) -> KnownBy | None:
        """Record the listed activities as evidence for a task, and begin its run if it is new."""
        run, known = self.runs.get(task), BY_NAME[task]
        if known.activity_type is None:
            if run is None or not rules.is_kept(run, self._shown.row):
                return None
            known_by = KnownBy.ASSUMED
        else:
            listed = self._shown.of_type(known.activity_type)
            by_rule = rules.known_by(run, listed, self._shown.row)
            if by_rule is None or task in self._stopped or not self._is_listed(task):
                return None
            known_by = by_rule
        if run is None:
            start_known = rules.sees_starts(self._shown, now)
            run = self.runs[task] = TrackedRun(since=now, start_known=start_known)
        run.record_activity(now, known_by)
        return known_by

    def _record_row(self, evident: set[str], now: datetime, *, polled: bool) -> None:
        """Record a busy row as evidence for the task that it must be busy for."""
        shown = self._shown
        observed = any(self.runs[task].known_by is KnownBy.OBSERVED for task in evident)
        if shown.row is Row.BUSY and observed and not shown.row_explained:
            shown.row_explained = True
            self._take_back_row(now)
        if (task := rules.meant_by_row(self.runs, shown)) is None:
            return
        run = self.runs[task]
        run.record_row(now)
        # Frames come one by one: the next one may show what the row is busy for.
        if polled and task not in self._sent and not rules.row_may_be_explained(shown, now):
            run.confirmed = True

    def _take_back_row(self, now: datetime) -> None:
        """Take back what the row was evidence for just before an activity explained it."""
        busy_since = self._shown.row_busy_since
        if busy_since and rules.row_may_be_explained(self._shown, now):
            for run in self.runs.values():
                if run.row_seen and run.row_seen >= busy_since:
                    run.row_seen = None

    def _deny_listed(self, task: str) -> None:
        """Let no activity that is listed now be evidence for a task."""
        if known := BY_NAME.get(task):
            self._shown.deny(known)
            if run := self.runs.get(task):
                self._collect_activities(task, run)

    def _collect_activities(self, task: str, run: TrackedRun) -> None:
        known = BY_NAME.get(task)
        run.activities = self._shown.of_task(known) - run.foreign if known else set()

    def _is_listed(self, task: str) -> bool:
        return self.tasks is None or task in self.tasks

    def _tasks_of(self, type_: str) -> tuple[str, ...]:
        if known := BY_ACTIVITY_TYPE.get(type_):
            return (known.name,)
        return tuple(known.name for known in BY_AMBIGUOUS_TYPE.get(type_, ()))

    def _announce(self, task: str, run: TrackedRun) -> None:
        """Collect the event of a start that was seen, once."""
        if run.confirmed and not run.announced:
            run.announced = True
            if run.start_known:
                self._events.append(run.as_run(task))
