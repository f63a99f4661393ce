"""What is running: evidence in, run states out.

A Plex Media Server never says which Butler task runs. This room concludes it from what the
server answers to our own commands and from its activities, by the rules that the README gives in
plain words ("What is known about running"). It is pure: no I/O, no Home Assistant, and the time
is handed in.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

from ..plex import Activity, ActivityChanged
from .models import KnownBy, Outcome, Run, RunNews
from .open_runs import Conclusions
from .tasks import BY_NAME, TASK_OF_ACTIVITY
from .tracked_run import GRACE_ALREADY_RUNNING, Evidence


@dataclass(slots=True)
class Runs(Conclusions):
    """The runs of one server.

    Each method but the properties takes evidence in and the time at which it was gathered. What
    began and what is over is collected until `take_news` is called.
    """

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
