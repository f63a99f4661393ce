"""The runs that have not ended: the rules are applied here, and events collected."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from . import rules
from .activities import ActivityList
from .models import EndedRun, KnownBy, Origin, Outcome, RunEvent
from .tasks import BY_ACTIVITY_TYPE, BY_AMBIGUOUS_TYPE, BY_NAME
from .tracked_run import TrackedRun


class OpenRuns:
    """The runs of one server that have not ended, by the server's own task names."""

    def __init__(self, shown: ActivityList) -> None:
        """Initialize without a run; `shown` are the activities that the server lists."""
        self.runs: dict[str, TrackedRun] = {}
        self.tasks: frozenset[str] | None = None
        self._shown = shown
        self._sent: dict[str, TrackedRun] = {}
        self._held: Counter[str] = Counter()
        self._meant: str | None = None
        self._events: list[RunEvent] = []

    def take_events(self) -> tuple[RunEvent, ...]:
        """Return the events since the last call, in order."""
        for task, run in self.runs.items():
            self._announce(task, run)
        events, self._events = tuple(self._events), []
        return events

    # --- commands

    def begin(self, task: str, now: datetime, origin: Origin | None) -> TrackedRun:
        """Begin a run with a start that is about to be sent. It does not count as running yet."""
        run = self._sent[task] = replace(self._our_start(task, now), started_by=origin)
        self.runs.setdefault(task, run)
        if (known := BY_NAME.get(task)) and known.activity_type:
            # What is listed now was read just before, and what is listed later may be this run's.
            self._shown.of_type(known.activity_type).denies_unknown = False
        return run

    def _our_start(self, task: str, now: datetime) -> TrackedRun:
        known = BY_NAME.get(task)
        return TrackedRun(
            since=now,
            start_known=True,
            ours=True,
            grace_until=now + rules.GRACE,
            confirmed=False,
            row_idle_at_command=(
                self._shown.good_polls_since is not None and not self._shown.row_shows_work
            ),
            foreign=frozenset(self._shown.listed_of_task(known)) if known else frozenset(),
        )

    def confirm(self, task: str, sent: TrackedRun) -> None:
        """Record that the server accepted a start: the task runs since it was sent."""
        self._sent.pop(task, None)
        if self.runs.get(task) is not sent:
            # The answer would be another one if the earlier run went on.
            self.end_by_answer(task)
            self.runs[task] = sent
            self.collect(task, sent)
        sent.confirmed = True

    def join(self, task: str, sent: TrackedRun, now: datetime) -> None:
        """Record the answer that a task was running already; since when is not known."""
        self._sent.pop(task, None)
        # A run that has ended since the start was sent does not come back.
        run = self.runs.setdefault(task, self._our_start(task, now))
        if (run is sent or not run.confirmed) and run.log_started is None:
            run.start_known, run.foreign, run.started_by = False, frozenset(), None
        run.ours = run.confirmed = True
        run.grace_until = now + rules.GRACE_ALREADY_RUNNING
        self.collect(task, run)

    def leave_unanswered(self, task: str, sent: TrackedRun) -> None:
        """Record that there was no answer to a start: it counts only if evidence follows."""
        self._sent.pop(task, None)
        # A run that has ended since the start was sent does not come back.
        again = replace(
            self._our_start(task, sent.since), foreign=sent.foreign, started_by=sent.started_by
        )
        self.collect(task, self.runs.setdefault(task, again))

    def withdraw(self, task: str, sent: TrackedRun) -> None:
        """Record that a start was refused or never arrived."""
        self._sent.pop(task, None)
        if self.runs.get(task) is sent:
            del self.runs[task]

    @contextmanager
    def hold(self, tasks: Iterable[str]) -> Iterator[None]:
        """Keep these runs open inside the `with` block, in which the answer to a stop is expected."""
        held = tuple(tasks)
        self._held.update(held)
        try:
            yield
        finally:
            self._held.subtract(held)

    def stop(self, task: str, now: datetime, origin: Origin | None) -> None:
        """End a run that the server has stopped; the last activity may go on for minutes (seen)."""
        if task in self.runs:
            self.end(task, Outcome.STOPPED, now, origin)
        self._deny_listed(task)

    def end_by_answer(self, task: str) -> None:
        """End a run of which an answer of the server has shown that it does not go on."""
        if run := self.runs.get(task):
            seen = rules.was_seen_to_run(run)
            self.end(task, Outcome.FINISHED if seen else Outcome.END_NOT_SEEN, run.last_seen)
            # Nor can the activities that are listed now be this task's.
            self._deny_listed(task)

    def end(
        self,
        task: str,
        outcome: Outcome,
        ended: datetime | None,
        stopped_by: Origin | None = None,
    ) -> None:
        """End a run."""
        run = self.runs.pop(task)
        if run.confirmed:
            self._announce(task, run)
            outcome, ended = rules.by_word_of_log(run, outcome, ended)
            by = stopped_by if outcome is Outcome.STOPPED else None
            self._events.append(run.as_ended(task, outcome, ended, by))

    def add_ended(self, ended: EndedRun) -> None:
        """Add a run of which nothing but the end was seen."""
        self._events.append(ended)

    # --- evidence

    def add_activity(self, uuid: str, type_: str) -> None:
        """Add a new activity to the runs with a certain start for which it is evidence."""
        for task in self._tasks_of(type_):
            run = self.runs.get(task)
            if run and run.start_certain and uuid not in run.foreign:
                run.activities.add(uuid)

    def remove_activity(self, uuid: str, type_: str) -> None:
        """Remove an activity that has ended from the runs."""
        for task in self._tasks_of(type_):
            if run := self.runs.get(task):
                run.activities.discard(uuid)

    def collect_activities(self) -> None:
        """Update which activities are evidence for runs with a certain start, from the whole list."""
        for task, run in self.runs.items():
            if run.start_certain:
                self.collect(task, run)

    def update(self, type_: str, now: datetime) -> None:
        """Record the listed activities of a type as evidence."""
        for task in self._tasks_of(type_):
            self._record_activities(task, now)

    def update_all(self, now: datetime, *, polled: bool = False) -> set[str]:
        """Record all listed activities and the row as evidence; return the tasks with activities."""
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
        """Begin and end runs by all evidence there is."""
        self._forget_unanswered(now)
        turned = self._shown.settle_row() if rules.row_stays_idle(self._shown, now) else None
        evident = self.update_all(now, polled=polled)
        row = self._shown.row
        for task, run in tuple(self.runs.items()):
            run.row_seen_busy |= self._shown.row_shows_work
            if task in self._sent or self._held[task] > 0:
                continue
            if run.said:
                self.end(task, run.said, now)
                continue
            if task in evident:
                continue
            run.polls_without += polled
            if outcome := rules.outcome(task, run, row, now, meant=self._meant):
                ended = run.last_seen
                self.end(task, outcome, min(ended, turned) if ended and turned else ended)
                if any(run.log_started for run in self.runs.values()):
                    # The row is busy for another one that the log has named.
                    self._record_row(evident, now, polled=polled)

    def _forget_unanswered(self, now: datetime) -> None:
        """Remove unanswered starts for which no evidence came in time."""
        for task, run in tuple(self.runs.items()):
            if rules.is_forgotten(run, now):
                del self.runs[task]

    def _record_activities(self, task: str, now: datetime) -> KnownBy | None:
        """Record activities as evidence for a task, and begin its run if there is none.

        Returns how it is known that the task runs, or None if there is no evidence.
        """
        run, known = self.runs.get(task), BY_NAME[task]
        if known.activity_type is None:
            if run is None or not rules.is_kept(run, self._shown.row):
                return None
            known_by = KnownBy.ASSUMED
        else:
            listed = self._shown.of_type(known.activity_type)
            by_rule = rules.known_by(run, listed, self._shown.row)
            if by_rule is None or not self.is_listed(task):
                return None
            known_by = by_rule
        if run is None:
            start_known = rules.start_was_seen(self._shown, now)
            run = self.runs[task] = TrackedRun(since=now, start_known=start_known)
        run.record_activity(now, known_by)
        return known_by

    def _record_row(self, evident: set[str], now: datetime, *, polled: bool) -> None:
        """Record a busy row as evidence for the one task that explains it."""
        shown = self._shown
        observed = any(self.runs[task].known_by is KnownBy.OBSERVED for task in evident)
        if shown.row_shows_work and observed and not shown.row_explained:
            shown.row_explained = True
            self._take_back_row(now)
        task = rules.meant_by_row(self.runs, shown)
        if shown.row_shows_work:
            self._meant = task if rules.is_meant_alone(task, self.runs) else None
        if task is None:
            return
        run = self.runs[task]
        run.record_row(now)
        # Changes arrive one by one: the next one may be the activity that the row is busy for.
        if polled and task not in self._sent and not rules.row_may_be_explained(shown, now):
            run.confirmed = True

    def _take_back_row(self, now: datetime) -> None:
        """Take back evidence that came from the row before an activity explained it."""
        busy_since = self._shown.row_busy_since
        if busy_since and rules.row_may_be_explained(self._shown, now):
            for run in self.runs.values():
                if run.row_seen and run.row_seen >= busy_since:
                    run.row_seen = None

    def _deny_listed(self, task: str) -> None:
        """Prevent every activity that is listed now from ever being evidence for a task."""
        if known := BY_NAME.get(task):
            self._shown.deny(known)

    def collect(self, task: str, run: TrackedRun) -> None:
        """Update which activities are evidence for one run."""
        known = BY_NAME.get(task)
        run.activities = self._shown.of_task(known) - run.foreign if known else set()

    def is_listed(self, task: str) -> bool:
        """Return whether the server lists a task; every task may be before the first list."""
        return self.tasks is None or task in self.tasks

    def _tasks_of(self, type_: str) -> tuple[str, ...]:
        if known := BY_ACTIVITY_TYPE.get(type_):
            return (known.name,)
        return tuple(known.name for known in BY_AMBIGUOUS_TYPE.get(type_, ()))

    def _announce(self, task: str, run: TrackedRun) -> None:
        """Collect the event of a start, once, unless the start was not seen."""
        if run.confirmed and not run.announced:
            run.announced = True
            if run.start_known:
                self._events.append(run.as_run(task))
