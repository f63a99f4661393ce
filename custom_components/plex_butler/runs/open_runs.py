"""What follows from what is listed: the runs that it begins, keeps and ends.

The rules are those of the README ("What is known about running"); `runs` has the ways in and out.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

from .activities import Item, Listing
from .models import KnownBy, Outcome, RunNews
from .tasks import BY_NAME, TASK_OF_ACTIVITY
from .tracked_run import (
    GAP_NO_ROW,
    GAP_ROW_BUSY,
    GRACE,
    ROW_EXPLAINED,
    STOPPING,
    Evidence,
)


@dataclass(slots=True)
class Conclusions:
    """The runs of one server, and all that speaks for them and against them."""

    _runs: dict[str, Evidence] = field(default_factory=dict)
    _news: list[RunNews] = field(default_factory=list)
    _sending: dict[str, Evidence] = field(default_factory=dict)
    _held: Counter[str] = field(default_factory=Counter)
    _stopping: dict[str, datetime] = field(default_factory=dict)
    _listing: Listing = field(default_factory=Listing)
    _watched_since: datetime | None = None
    _row_rested: bool = False
    _row_explained: bool = False
    _row_busy_since: datetime | None = None
    _tasks: frozenset[str] | None = None

    def _our_start(self, now: datetime) -> Evidence:
        """Return what a start of ours begins with, not confirmed yet."""
        return Evidence(
            since=now,
            start_known=True,
            ours=True,
            grace_until=now + GRACE,
            confirmed=False,
            row_idle_at_command=self._watched_since is not None and not self._listing.row_busy,
            foreign=frozenset(self._listing.items),
        )

    def _forget_unconfirmed(self, now: datetime) -> None:
        """Let no evidence count for an unanswered start that comes after its grace time."""
        for task, run in tuple(self._runs.items()):
            late = run.grace_until is not None and now >= run.grace_until
            if late and not run.confirmed and not run.row_seen and task not in self._sending:
                del self._runs[task]

    def _sees_starts(self, now: datetime) -> bool:
        """Tell whether a run that shows now has begun now, and was not in a pause at first sight."""
        if self._watched_since is None:
            return False
        if self._listing.row_busy and self._row_rested:
            return True
        pause = GAP_ROW_BUSY if self._listing.row_busy else GAP_NO_ROW
        return now - self._watched_since >= pause

    def _row_turned(self, now: datetime, *, was_busy: bool) -> None:
        """Draw the consequences of a row that turned busy or idle."""
        if self._listing.row_busy and not was_busy:
            self._row_busy_since = now
        elif was_busy and not self._listing.row_busy:
            self._row_explained = False

    def _conclude(self, now: datetime, *, poll: bool = False) -> None:
        """Begin and end runs by all that is known now."""
        self._forget_unconfirmed(now)
        self._stopping = {task: at for task, at in self._stopping.items() if now - at < STOPPING}
        spoken_for = self._hear_listed(now)
        spoken_for |= self._hear_row(now, spoken_for, poll=poll)
        for task, run in tuple(self._runs.items()):
            run.row_seen_busy |= self._listing.row_busy
            if task in spoken_for or task in self._sending or self._held[task] > 0:
                continue
            run.polls_without += poll
            outcome = run.outcome(
                now, row_busy=self._listing.row_busy, row_idle=self._listing.row_idle
            )
            if outcome:
                self._end(task, outcome, run.last_seen)

    def _hear_listed(self, now: datetime) -> set[str]:
        """Give each listed item to the runs it speaks for; return their tasks."""
        spoken_for = set[str]()
        for uuid, item in self._listing.items.items():
            spoken_for |= self._hear(uuid, item, now)
        return spoken_for

    def _hear(self, uuid: str, item: Item, now: datetime) -> set[str]:
        """Give one listed item to the runs it speaks for; return their tasks."""
        spoken_for = set()
        for task, known_by in self._conclusions(uuid, item):
            if (run := self._runs.get(task)) is None:
                run = self._runs[task] = Evidence(since=now, start_known=self._sees_starts(now))
            run.item_spoke(now, known_by)
            spoken_for.add(task)
        return spoken_for

    def _conclusions(self, uuid: str, item: Item) -> list[tuple[str, KnownBy]]:
        """Return the tasks for which one item speaks, and how well."""
        listing = self._listing
        if (known := TASK_OF_ACTIVITY.get(item.type)) is None:
            # Users cause these as well: they begin no run, and keep only one of ours.
            return [
                (task, KnownBy.ASSUMED)
                for task, run in self._runs.items()
                if run.ours
                and uuid not in run.foreign
                and (ours := BY_NAME.get(task))
                and item.type in ours.ambiguous_types
                and not (listing.row_idle and run.row_seen_busy)
            ]
        task, run = known.name, self._runs.get(known.name)
        if task in self._stopping or item.denied:
            return []
        if self._tasks is not None and task not in self._tasks:
            return []
        if run and run.ours:
            return [] if uuid in run.foreign else [(task, KnownBy.OBSERVED)]
        if not listing.row_proven:
            return [(task, KnownBy.ASSUMED)]
        return [(task, KnownBy.OBSERVED)] if listing.row_busy and item.butlers else []

    def _hear_row(self, now: datetime, spoken_for: set[str], *, poll: bool) -> set[str]:
        """Take a row that became busy after our command, unexplained, as evidence for it."""
        if not self._listing.row_busy:
            return set()
        if any(self._runs[task].known_by is KnownBy.OBSERVED for task in spoken_for):
            if not self._row_explained:
                self._explain_row(now)
            self._row_explained = True
        if self._row_explained:
            return set()
        waiting = [
            task
            for task, run in self._runs.items()
            if run.row_idle_at_command and run.item_seen is None
        ]
        if len(waiting) != 1:
            return set()  # of several, the row does not tell which
        run = self._runs[waiting[0]]
        run.row_spoke(now)
        # Frames come one by one: what explains the row may be one of the next.
        alone = self._row_busy_since is None or now - self._row_busy_since >= ROW_EXPLAINED
        run.confirmed |= poll and alone and waiting[0] not in self._sending
        return set(waiting)

    def _explain_row(self, now: datetime) -> None:
        """Take back what the row was believed to say just before an item said why it is busy."""
        if self._row_busy_since and now - self._row_busy_since < ROW_EXPLAINED:
            for run in self._runs.values():
                if run.row_seen and run.row_seen >= self._row_busy_since:
                    run.row_seen = None

    def _announce(self, task: str, run: Evidence) -> None:
        if run.confirmed and not run.announced:
            run.announced = True
            if run.start_known:
                self._news.append(run.run(task))

    def _end(self, task: str, outcome: Outcome, ended: datetime | None) -> None:
        run = self._runs.pop(task)
        if run.confirmed:
            self._announce(task, run)
            self._news.append(run.ended_run(task, outcome, ended))
