"""What is running: evidence in, run states out.

A Plex Media Server never says which Butler task runs. This room concludes it from what the
server answers to our own commands and from its activities, by the rules that the README gives in
plain words ("What is known about running"). It is pure: no I/O, no Home Assistant, and the time
is handed in.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from .evidence import GRACE, GRACE_ALREADY_RUNNING, STOPPING, Evidence, Item
from .models import EndedRun, KnownBy, Outcome, Run
from .plex import Activity
from .tasks import BY_NAME, TASK_OF_ACTIVITY

_ROW: Final = "butler"
_ROW_IDLE: Final = 100


@dataclass(slots=True)
class Runs:
    """The runs of one server.

    Each method but the properties takes evidence in and the time at which it was gathered.
    `ended` collects the runs that are over until `take_ended` is called.
    """

    _runs: dict[str, Evidence] = field(default_factory=dict)
    _ended: list[EndedRun] = field(default_factory=list)
    _stopping: dict[str, datetime] = field(default_factory=dict)
    _listed: dict[str, Item] = field(default_factory=dict)
    _polled: bool = False
    _row_proven: bool = False
    _row_busy: bool = False
    _row_explained: bool = False
    _tasks: frozenset[str] | None = None

    @property
    def running(self) -> dict[str, Run]:
        """The tasks that run, in the order in which they began."""
        return {
            task: Run(task, run.since if run.start_known else None, run.known_by)
            for task, run in self._runs.items()
            if run.confirmed
        }

    @property
    def maintenance(self) -> bool:
        """Whether Butler is at work: its row says so, or a task runs."""
        return self._row_busy or any(run.confirmed for run in self._runs.values())

    @property
    def row_proven(self) -> bool:
        """Whether this server's `butler` row was ever seen busy, and so tells something."""
        return self._row_proven

    @property
    def unsettled(self) -> bool:
        """Whether a command or a run still waits for evidence."""
        return bool(self._runs or self._stopping or self._row_busy)

    def take_ended(self) -> tuple[EndedRun, ...]:
        """Hand out the runs that ended since the last call, in order."""
        ended, self._ended = tuple(self._ended), []
        return ended

    # --- what the server answered to our own commands

    def started(self, task: str, now: datetime) -> None:
        """Note that the server accepted our start: the task runs, assumed, since now."""
        # Running tasks are answered otherwise: a run that we still believed in is over.
        self.was_not_running(task)
        self._command(task, now, GRACE)

    def already_running(self, task: str, now: datetime) -> None:
        """Note that the server said the task was running already; since when, it does not say."""
        self._stopping.pop(task, None)
        if (run := self._runs.get(task)) is None:
            run = self._command(task, now, GRACE_ALREADY_RUNNING)
            run.start_known = False
            run.foreign = frozenset()
        elif not run.confirmed:
            run.confirmed, run.start_known = True, False
        run.ours = True
        run.grace_until = now + GRACE_ALREADY_RUNNING

    def start_unconfirmed(self, task: str, now: datetime) -> None:
        """Note that our start got no answer: it counts only if evidence follows."""
        if task not in self._runs:
            self._command(task, now, GRACE).confirmed = False

    def stopped(self, task: str, now: datetime) -> None:
        """Note that the server stopped the task, or took it from its queue."""
        self._stopping[task] = now
        if task in self._runs:
            self._end(task, Outcome.STOPPED, now)

    def was_not_running(self, task: str) -> None:
        """Note that the server said, in whatever way, that the task was not running."""
        if (run := self._runs.get(task)) is None:
            return
        seen = run.known_by is KnownBy.OBSERVED
        self._end(task, Outcome.FINISHED if seen else Outcome.END_NOT_SEEN, run.last_seen)
        # By the server's own word, what is listed now is somebody else's work.
        self._deny({task})

    def all_started(self) -> None:
        """Note that the server took our order to start whatever is due: new items count at once."""
        self._deny(self._stopping)
        self._stopping.clear()

    def all_stopped(self, now: datetime) -> None:
        """Note that the server stopped everything and dropped its queue."""
        for task in {*self._runs, *(known.name for known in TASK_OF_ACTIVITY.values())}:
            self.stopped(task, now)

    # --- what the server shows by itself

    def tasks_listed(self, tasks: Iterable[str]) -> None:
        """Note which tasks the server has: no other one can run."""
        self._tasks = frozenset(tasks)
        for task in self._runs.keys() - self._tasks:
            self._end(task, Outcome.END_NOT_SEEN, None)

    def server_updated(self) -> None:
        """Note that another version answers: what its row tells has to be seen anew."""
        self._row_proven = False

    def frozen(self, now: datetime) -> bool:
        """Note that the server takes connections and answers nothing; tell whether that is ours.

        It is evidence for a task that freezes servers and that we started, confirmed or not.
        """
        for task, run in self._runs.items():
            known = BY_NAME.get(task)
            in_time = run.confirmed or (run.grace_until is not None and now < run.grace_until)
            if run.ours and in_time and known and known.freezes_server:
                run.row_seen, run.confirmed = now, True
        return self.maintenance

    def lost(self) -> None:
        """Note that the server stopped or restarted: whatever ran, its end was not seen."""
        for task in tuple(self._runs):
            self._end(task, Outcome.END_NOT_SEEN, None)
        self._listed.clear()
        self._row_busy = self._row_explained = self._polled = False

    def polled(self, activities: Iterable[Activity], now: datetime) -> None:
        """Take in what `/activities` lists: the only place where runs begin and end unasked."""
        rows = tuple(activities)
        told = [row.progress for row in rows if row.type == _ROW]
        if not told or set(told) != {None}:
            self._row_busy = any(p is not None and p < _ROW_IDLE for p in told)
        if self._row_busy and not self._row_proven:
            # Until now the row told nothing, so it said nothing against these either.
            self._row_proven = True
            self._listed = {u: replace(item, butlers=True) for u, item in self._listed.items()}
        self._listed = {
            row.uuid: self._listed.get(row.uuid) or Item(row.type, self._row_busy)
            for row in rows
            if row.type != _ROW
        }
        self._stopping = {task: at for task, at in self._stopping.items() if now - at < STOPPING}
        spoken_for = self._evidence_of_items(now) | self._evidence_of_row(now)
        self._polled = True
        for task, run in tuple(self._runs.items()):
            run.row_seen_busy |= self._row_busy
            if task in spoken_for:
                run.polls_without = 0
            else:
                run.polls_without += 1
                outcome = run.outcome(
                    now,
                    row_busy=self._row_busy,
                    row_idle=self._row_proven and not self._row_busy,
                )
                if outcome:
                    self._end(task, outcome, run.last_seen)

    # --- conclusions

    def _command(self, task: str, now: datetime, grace: timedelta) -> Evidence:
        self._stopping.pop(task, None)
        run = self._runs[task] = Evidence(
            since=now,
            start_known=True,
            ours=True,
            grace_until=now + grace,
            row_idle_at_command=self._polled and not self._row_busy,
            foreign=frozenset(self._listed),
        )
        return run

    def _deny(self, tasks: Container[str]) -> None:
        """Let what is listed now count for none of these tasks any more."""
        for uuid, item in self._listed.items():
            known = TASK_OF_ACTIVITY.get(item.type)
            if known and known.name in tasks:
                self._listed[uuid] = replace(item, denied=True)

    def _evidence_of_items(self, now: datetime) -> set[str]:
        """Give each listed item to the runs it speaks for; return the tasks spoken for."""
        spoken_for = set()
        for uuid, item in self._listed.items():
            for task, known_by in self._conclusions(uuid, item):
                if (run := self._runs.get(task)) is None:
                    run = self._runs[task] = Evidence(since=now, start_known=self._polled)
                # From here on the items tell: no word of the server's outlives them.
                run.item_seen, run.confirmed, run.grace_until = now, True, None
                if known_by is KnownBy.OBSERVED:
                    run.known_by = known_by
                spoken_for.add(task)
        return spoken_for

    def _conclusions(self, uuid: str, item: Item) -> list[tuple[str, KnownBy]]:
        """Return the tasks for which one item speaks, and how well."""
        if (known := TASK_OF_ACTIVITY.get(item.type)) is None:
            # Users cause these as well: they begin no run, and keep only one of ours.
            return [
                (task, KnownBy.ASSUMED)
                for task, run in self._runs.items()
                if run.ours
                and uuid not in run.foreign
                and (ours := BY_NAME.get(task))
                and item.type in ours.ambiguous_types
                and (self._row_busy or not (self._row_proven and run.row_seen_busy))
            ]
        task, run = known.name, self._runs.get(known.name)
        if task in self._stopping or item.denied:
            return []
        if self._tasks is not None and task not in self._tasks:
            return []
        if run and run.ours:
            return [] if uuid in run.foreign else [(task, KnownBy.OBSERVED)]
        if not self._row_proven:
            return [(task, KnownBy.ASSUMED)]
        return [(task, KnownBy.OBSERVED)] if self._row_busy and item.butlers else []

    def _evidence_of_row(self, now: datetime) -> set[str]:
        """Take a row that became busy after our command, unexplained, as evidence for it."""
        self._row_explained = self._row_busy and (
            self._row_explained
            or any(
                run.known_by is KnownBy.OBSERVED and run.item_seen == now
                for run in self._runs.values()
            )
        )
        if self._row_explained or not self._row_busy:
            return set()
        waiting = [
            task
            for task, run in self._runs.items()
            if run.row_idle_at_command and run.item_seen is None
        ]
        if len(waiting) != 1:
            return set()  # of several, the row does not tell which
        run = self._runs[waiting[0]]
        run.row_seen, run.confirmed = now, True
        return set(waiting)

    def _end(self, task: str, outcome: Outcome, ended: datetime | None) -> None:
        run = self._runs.pop(task)
        if not run.confirmed:
            return
        if outcome is Outcome.END_NOT_SEEN:
            ended = None
        started = run.since if run.start_known else None
        duration = max(ended - started, timedelta()) if ended and started else None
        self._ended.append(EndedRun(task, started, ended, duration, outcome, run.known_by))
