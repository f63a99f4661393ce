"""What is running: evidence in, run states out.

A Plex Media Server never says which Butler task runs. This room concludes it from what the
server answers to our own commands and from its activities, by the rules that the README gives in
plain words ("What is known about running"). It is pure: no I/O, no Home Assistant, and the time
is handed in.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from .evidence import (
    GAP_NO_ROW,
    GAP_ROW_BUSY,
    GRACE,
    GRACE_ALREADY_RUNNING,
    ROW_EXPLAINED,
    STOPPING,
    Evidence,
)
from .listing import Item, Listing
from .models import KnownBy, Outcome, Run, RunNews
from .plex import Activity, ActivityChanged
from .tasks import BY_NAME, TASK_OF_ACTIVITY


@dataclass(slots=True)
class Runs:
    """The runs of one server.

    Each method but the properties takes evidence in and the time at which it was gathered. What
    began and what is over is collected until `take_news` is called.
    """

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

    @property
    def running(self) -> dict[str, Run]:
        """The tasks that run, in the order in which they began."""
        return {task: run.run(task) for task, run in self._runs.items() if run.confirmed}

    @property
    def maintenance(self) -> bool:
        """Whether Butler is at work: its row says so, or a task runs."""
        return self._listing.row_busy or any(run.confirmed for run in self._runs.values())

    @property
    def row_proven(self) -> bool:
        """Whether this server's `butler` row was ever seen busy, and so tells something."""
        return self._listing.row_proven

    @property
    def unsettled(self) -> bool:
        """Whether a command or a run still waits for evidence."""
        return bool(self._runs or self._stopping or self._listing.row_busy)

    @property
    def listed(self) -> frozenset[str]:
        """The uuids of the activities that are listed, Butler's own row not among them."""
        return frozenset(self._listing.items)

    def take_news(self) -> tuple[RunNews, ...]:
        """Hand out what began and what is over since the last call, in order."""
        for task, run in self._runs.items():
            self._announce(task, run)
        news, self._news = tuple(self._news), []
        return news

    # --- memory

    @property
    def remembered(self) -> dict[str, Evidence]:
        """What has to be known of the runs to go on with them after a restart."""
        return {task: replace(run) for task, run in self._runs.items() if run.confirmed}

    def recall(self, runs: Mapping[str, Evidence], *, row_proven: bool) -> None:
        """Go on with what ran before a restart of ours, before the first poll."""
        self._runs |= {
            task: replace(run, unseen=True, announced=True) for task, run in runs.items()
        }
        self._listing.row_proven = row_proven
        self._row_explained = any(
            run.row_seen_busy and run.known_by is KnownBy.OBSERVED for run in runs.values()
        )

    # --- what the server answered to our own commands

    def sending_start(self, task: str, now: datetime) -> None:
        """Note that a start is about to be sent: what follows may be of its doing.

        It is to be followed by one of the four that say what came of it.
        """
        self._sending[task] = self._our_start(now)
        self._runs.setdefault(task, self._sending[task])

    def started(self, task: str, now: datetime) -> None:
        """Note that the server accepted our start: the task runs, assumed, since now."""
        sent = self._sending.pop(task, None) or self._our_start(now)
        if self._runs.get(task) is not sent:
            # Running tasks are answered otherwise: a run that we still believed in is over.
            self.was_not_running(task)
            self._runs[task] = sent
        sent.confirmed = True
        self._stopping.pop(task, None)
        self._conclude(now)

    def already_running(self, task: str, now: datetime) -> None:
        """Note that the server said the task was running already; since when, it does not say."""
        sent = self._sending.pop(task, None)
        self._stopping.pop(task, None)
        run = self._runs.setdefault(task, self._our_start(now))
        if run is sent or not run.confirmed:
            run.start_known, run.foreign = False, frozenset()
        run.ours = run.confirmed = True
        run.grace_until = now + GRACE_ALREADY_RUNNING

    def start_unconfirmed(self, task: str, now: datetime) -> None:
        """Note that our start got no answer: it counts only if evidence follows."""
        self._sending.pop(task, None)
        self._runs.setdefault(task, self._our_start(now))

    def start_refused(self, task: str) -> None:
        """Note that our start never arrived, or was refused."""
        if (sent := self._sending.pop(task, None)) and self._runs.get(task) is sent:
            del self._runs[task]

    @contextmanager
    def holding(self, tasks: Iterable[str]) -> Iterator[None]:
        """End none of these by what is seen while a stop is under way: the answer says how."""
        held = tuple(tasks)
        self._held.update(held)
        try:
            yield
        finally:
            self._held.subtract(held)

    def stopped(self, task: str, now: datetime) -> None:
        """Note that the server stopped the task, or took it from its queue."""
        self._stopping[task] = now
        if task in self._runs:
            self._end(task, Outcome.STOPPED, now)

    def was_not_running(self, task: str) -> None:
        """Note that the server said, in whatever way, that the task was not running."""
        if (run := self._runs.get(task)) is None:
            return
        seen = run.known_by is KnownBy.OBSERVED and not run.unseen
        self._end(task, Outcome.FINISHED if seen else Outcome.END_NOT_SEEN, run.last_seen)
        # By the server's own word, what is listed now is somebody else's work.
        self._listing.deny({task})

    def all_started(self) -> None:
        """Note that the server took our order to start whatever is due: new items count at once."""
        self._listing.deny(self._stopping)
        self._stopping.clear()

    def all_stopped(self, now: datetime) -> None:
        """Note that the server stopped everything and dropped its queue."""
        mapped = [known.name for known in TASK_OF_ACTIVITY.values()]
        for task in dict.fromkeys([*self._runs, *mapped]):
            self.stopped(task, now)

    # --- what the server shows by itself

    def tasks_listed(self, tasks: Iterable[str]) -> None:
        """Note which tasks the server has: no other one can run."""
        self._tasks = frozenset(tasks)
        for task in self._runs.keys() - self._tasks:
            self._end(task, Outcome.END_NOT_SEEN, None)

    def server_updated(self) -> None:
        """Note that another version answers: it has restarted, and its row has to be seen anew."""
        self.lost()
        self._listing.row_proven = False

    def frozen(self, now: datetime) -> bool:
        """Note that the server takes connections and answers nothing; tell whether that is ours.

        It is evidence for a task that freezes servers and that we started, confirmed or not.
        """
        for task, run in self._runs.items():
            known = BY_NAME.get(task)
            in_time = run.confirmed or (run.grace_until is not None and now < run.grace_until)
            if run.ours and in_time and known and known.freezes_server:
                run.row_spoke(now)
                run.confirmed = True
        return self.maintenance

    def out_of_sight(self) -> None:
        """Note that a poll failed: what begins or ends until the next one is not seen to."""
        self._watched_since = None
        self._row_rested = False
        for run in self._runs.values():
            run.unseen = True

    def lost(self) -> None:
        """Note that the server stopped or restarted: whatever ran, its end was not seen."""
        for task in tuple(self._runs):
            self._end(task, Outcome.END_NOT_SEEN, None)
        self._listing.clear()
        self._row_explained = self._row_rested = False
        self._watched_since = None

    def polled(self, activities: Iterable[Activity], now: datetime) -> None:
        """Take in what `/activities` lists."""
        was_busy = self._listing.row_busy
        self._listing.read(activities)
        self._row_turned(now, was_busy=was_busy)
        self._conclude(now, poll=True)
        self._watched_since = self._watched_since or now
        self._row_rested |= self._listing.row_rests

    def changed(self, change: ActivityChanged, now: datetime) -> bool:
        """Take in one frame of the notification stream, by the same rules as a poll.

        Returns whether only a poll can tell what a new item means: beside a row that was idle
        when it was last seen, it may be Butler's or somebody else's.
        """
        activity, was_busy = change.activity, self._listing.row_busy
        self._forget_unconfirmed(now)
        item = self._listing.items.get(activity.uuid)
        if item and not change.ended:
            # The most frequent frame by far: it ends nothing.
            self._hear(activity.uuid, item, now)
            return False
        # Until now everything was as it is listed.
        self._hear_row(now, self._hear_listed(now), poll=False)
        new = None
        if change.ended:
            self._listing.drop(activity)
        else:
            new = self._listing.show(activity)
        self._row_turned(now, was_busy=was_busy)
        self._conclude(now)
        return bool(
            new
            and new.butlers is None
            and self._listing.row_proven
            and new.type in TASK_OF_ACTIVITY
        )

    # --- conclusions

    def _our_start(self, now: datetime) -> Evidence:
        """Return what a start of ours begins with, not confirmed yet."""
        return Evidence(
            since=now,
            start_known=True,
            ours=True,
            grace_until=now + GRACE,
            confirmed=False,
            row_idle_at_command=self._watched_since is not None and not self._listing.row_busy,
            foreign=self.listed,
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
