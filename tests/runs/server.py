"""A server as the tracking of runs sees it: what it lists, and when."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from custom_components.plex_butler.plex import Activity
from custom_components.plex_butler.runs.models import EndedRun, KnownBy, Outcome
from custom_components.plex_butler.runs.tracker import Runs

INTRO_ITEM: Final = "media.generate.intros"
LOUDNESS_ITEM: Final = "media.generate.loudness"
SCAN_ITEM: Final = "library.update.section"

IDLE: Final = Activity("row", "butler", 100)
BUSY: Final = Activity("row", "butler", 40)
INDETERMINATE: Final = Activity("row", "butler", -1)

NIGHT: Final = datetime(2026, 11, 24, 2, tzinfo=UTC)


def take_ended(runs: Runs) -> list[EndedRun]:
    """Take the news, and return those of runs that are over."""
    return [news for news in runs.take_news() if isinstance(news, EndedRun)]


def item(type_: str, uuid: str = "1") -> Activity:
    """Return an activity of a type."""
    return Activity(uuid, type_, 50)


class Server:
    """A run state and a clock: `poll` is what `/activities` lists some seconds later."""

    def __init__(self, *, row_proven: bool = False, first: Iterable[Activity] = (IDLE,)) -> None:
        """Begin at night with what the first poll shows."""
        self.runs = Runs()
        self.now = NIGHT
        if row_proven:
            self.poll(BUSY)
        self.runs.polled(first, self.now)

    def poll(self, *activities: Activity, after: float = 5) -> None:
        self.now += timedelta(seconds=after)
        self.runs.polled(activities, self.now)

    def polls(self, seconds: float, *activities: Activity, every: float = 5) -> None:
        """Poll the same again and again for some time."""
        for _ in range(int(seconds // every)):
            self.poll(*activities, after=every)

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
