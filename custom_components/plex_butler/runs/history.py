"""The history of runs on one server: what has ended, for a year."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Final

from .models import EndedRun

KEPT_FOR: Final = timedelta(days=365)
"""How long a run is kept after its end."""
KEPT_AT_MOST: Final = 5_000
"""How many runs are kept."""

_ENDED: Final = attrgetter("last_known")


class RunHistory:
    """The runs that have ended, in the order in which they were last known to run.

    To add one takes as long with many of them as with few, and only those of about the time in
    question are looked at for it.
    """

    def __init__(self) -> None:
        """Initialize without a run."""
        self._runs: list[EndedRun] = []
        self._longest = timedelta()

    def __len__(self) -> int:
        """Return how many runs are kept."""
        return len(self._runs)

    def copy(self) -> tuple[EndedRun, ...]:
        """Return all runs, oldest first. May be called in another thread."""
        return tuple(self._runs)

    def add(self, runs: Iterable[EndedRun], now: datetime) -> None:
        """Add runs, and drop what is too old or too much."""
        for run in runs:
            insort(self._runs, run, key=_ENDED)
            self._longest = min(max(self._longest, run.last_known - run.since), KEPT_FOR)
        too_old = bisect_left(self._runs, now - KEPT_FOR, key=_ENDED)
        del self._runs[: max(too_old, len(self._runs) - KEPT_AT_MOST)]

    def add_missing(self, runs: Iterable[EndedRun], now: datetime) -> None:
        """Add those of some runs that are not there yet."""
        known = {(run.task, run.last_known) for run in self._runs}
        self.add((run for run in runs if (run.task, run.last_known) not in known), now)

    def between(self, begin: datetime, until: datetime) -> tuple[EndedRun, ...]:
        """Return the runs that went on at some time of a period, newest first."""
        first = bisect_left(self._runs, begin, key=_ENDED)
        # All that come after these began after the period.
        last = bisect_right(self._runs, until, lo=first, key=self._began_at_the_latest)
        return tuple(run for run in reversed(self._runs[first:last]) if run.since < until)

    def _began_at_the_latest(self, run: EndedRun) -> datetime:
        return run.last_known - self._longest


def with_last_run(
    last_runs: Mapping[str, EndedRun], run: EndedRun, now: datetime
) -> dict[str, EndedRun]:
    """Return the last run of each task with a new one, in the order in which the runs have ended.

    A run that would have ended later than `now` is from before the system's clock was set back.
    """
    ordered = [each for each in last_runs.values() if each.task != run.task]
    place = len(ordered)
    while place and run.last_known < ordered[place - 1].last_known <= now:
        place -= 1
    ordered.insert(place, run)
    return {each.task: each for each in ordered}
