"""A server as the tracking of runs sees it: what it lists, and when."""

from collections.abc import Iterable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import Final

from custom_components.plex_butler.plex import Activity
from custom_components.plex_butler.runs.models import EndedRun, KnownBy, Outcome
from custom_components.plex_butler.runs.rules import ROW_STAYS_IDLE
from custom_components.plex_butler.runs.tracker import RunTracker, SentStart

INTRO_ITEM: Final = "media.generate.intros"
LOUDNESS_ITEM: Final = "media.generate.loudness"
SCAN_ITEM: Final = "library.update.section"

IDLE: Final = Activity("row", "butler", 100)
BUSY: Final = Activity("row", "butler", 40)
INDETERMINATE: Final = Activity("row", "butler", -1)

NIGHT: Final = datetime(2026, 11, 24, 2, tzinfo=UTC)


def take_ended(runs: RunTracker) -> list[EndedRun]:
    """Take the news, and return those of runs that are over."""
    return [news for news in runs.take_events() if isinstance(news, EndedRun)]


def item(type_: str, uuid: str = "1") -> Activity:
    """Return an activity of a type."""
    return Activity(uuid, type_, 50)


class Server:
    """A run state and a clock: `poll` is what `/activities` lists some seconds later."""

    def __init__(self, *, row_proven: bool = False, first: Iterable[Activity] = (IDLE,)) -> None:
        """Begin at night with what the first poll shows."""
        self.runs = RunTracker()
        self.now = NIGHT
        self._sent: dict[str, tuple[ExitStack, SentStart]] = {}
        if row_proven:
            self.poll(BUSY)
            self.runs.record_poll(first, self.now)
            self.now += ROW_STAYS_IDLE
        self.runs.record_poll(first, self.now)

    def poll(self, *activities: Activity, after: float = 5) -> None:
        self.now += timedelta(seconds=after)
        self.runs.record_poll(activities, self.now)

    def rest(self, *activities: Activity) -> None:
        """Let the row turn idle, and stay so beside these activities."""
        self.poll(IDLE, *activities)
        self.poll(IDLE, *activities, after=ROW_STAYS_IDLE.total_seconds())

    def polls(self, seconds: float, *activities: Activity, every: float = 5) -> None:
        """Poll the same again and again for some time."""
        for _ in range(int(seconds // every)):
            self.poll(*activities, after=every)

    def send(self, task: str, now: datetime | None = None) -> None:
        """Send a start, which waits for its answer."""
        waiting = ExitStack()
        sent = waiting.enter_context(self.runs.sending_start(task, now or self.now))
        self._sent[task] = waiting, sent

    def accept(self, task: str, now: datetime | None = None) -> None:
        """Accept the start that waits, or one that is sent now."""
        waiting, sent = self._waiting(task, now)
        sent.record_accepted(now or self.now)
        waiting.close()

    def answer_already_running(self, task: str, now: datetime | None = None) -> None:
        """Answer a start that the task was running already."""
        waiting, sent = self._waiting(task, now)
        sent.record_already_running(now or self.now)
        waiting.close()

    def leave_unanswered(self, task: str, now: datetime | None = None) -> None:
        """Leave a start without an answer."""
        waiting, _ = self._waiting(task, now)
        waiting.close()

    def refuse(self, task: str) -> None:
        """Refuse the start that waits."""
        waiting, sent = self._waiting(task, None)
        sent.record_refused()
        waiting.close()

    def _waiting(self, task: str, now: datetime | None) -> tuple[ExitStack, SentStart]:
        if task not in self._sent:
            self.send(task, now)
        return self._sent.pop(task)

    def freeze(self, now: datetime) -> bool:
        """Answer nothing any more; return whether that is Butler's work."""
        self.runs.record_server_busy(now)
        return self.runs.maintenance

    @property
    def running(self) -> dict[str, KnownBy]:
        return {task: run.known_by for task, run in self.runs.running.items()}

    def ended(self) -> EndedRun:
        """Return the one run that ended."""
        (ended,) = take_ended(self.runs)
        return ended

    def outcomes(self) -> list[tuple[str, Outcome]]:
        return [(ended.task, ended.outcome) for ended in take_ended(self.runs)]


def seconds(value: float) -> timedelta:
    """Return a span of time."""
    return timedelta(seconds=value)
