"""What speaks for a run, and for how long it is believed.

All the times of the rules stand here, and nowhere else.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from .models import EndedRun, KnownBy, Outcome, Run

GRACE: Final = timedelta(seconds=30)
"""How long a task that we started is believed without evidence."""
GRACE_ALREADY_RUNNING: Final = timedelta(minutes=10)
"""The same, where the server itself said that the task was already running."""
GAP_ROW_BUSY: Final = timedelta(minutes=5)
"""How long a run may show no item while the server's `butler` row is busy."""
GAP_NO_ROW: Final = timedelta(minutes=2)
"""The same where no busy row stands behind it."""
GAP_POLLS: Final = 3
"""How many polls without an item the end of a run needs besides."""
STOPPING: Final = timedelta(minutes=2)
"""How long after a stop the last items may still end before they count as a new run."""
ROW_EXPLAINED: Final = timedelta(seconds=5)
"""How long after the row turned busy an item may still come that says why."""


@dataclass(slots=True)
class Evidence:
    """What speaks for one run. `ours`: it began with, or was confirmed by, our own command.

    `foreign` are the activities that were there before our command and so do not count for it.
    `unseen`: the server was out of sight since anything last spoke for the run, so that its end
    may have been missed. `announced`: it needs not be told any more that the run has begun.
    """

    since: datetime
    start_known: bool
    ours: bool = False
    grace_until: datetime | None = None
    confirmed: bool = True
    known_by: KnownBy = KnownBy.ASSUMED
    row_idle_at_command: bool = False
    row_seen_busy: bool = False
    foreign: frozenset[str] = frozenset()
    item_seen: datetime | None = None
    row_seen: datetime | None = None
    polls_without: int = 0
    unseen: bool = False
    announced: bool = False

    @property
    def last_seen(self) -> datetime | None:
        """When something last spoke for this run: an item or, before the first one, the row."""
        return self.item_seen or self.row_seen

    def run(self, task: str) -> Run:
        """Return what is shown of it while it runs."""
        return Run(task, self.since if self.start_known else None, self.known_by, self.ours)

    def ended_run(self, task: str, outcome: Outcome, ended: datetime | None) -> EndedRun:
        """Return what is kept of it when it is over."""
        if outcome is Outcome.END_NOT_SEEN:
            ended = None
        started = self.since if self.start_known else None
        duration = max(ended - started, timedelta()) if ended and started else None
        last_known = ended or self.last_seen or self.since
        return EndedRun(task, started, ended, duration, outcome, self.known_by, last_known)

    def item_spoke(self, now: datetime, known_by: KnownBy) -> None:
        """Note that an item speaks for it; from here on no word of the server's outlives items."""
        self.item_seen, self.confirmed, self.grace_until = now, True, None
        self.unseen = False
        self.polls_without = 0
        if known_by is KnownBy.OBSERVED:
            self.known_by = known_by

    def row_spoke(self, now: datetime) -> None:
        """Note that Butler's row speaks for it, or a freeze."""
        self.row_seen, self.unseen = now, False

    def outcome(self, now: datetime, *, row_busy: bool, row_idle: bool) -> Outcome | None:
        """Return how the run ended, if nothing speaks for it now and that says that it did.

        `row_idle` is a row that is known to tell something and does not show work; neither is
        true on a server without such a row.
        """
        if row_idle and self.row_seen_busy:
            seen = self.last_seen and not self.unseen
            return Outcome.FINISHED if seen else Outcome.END_NOT_SEEN
        if self.grace_until and now < self.grace_until:
            return None
        if self.last_seen is None:
            return Outcome.END_NOT_SEEN
        if now - self.last_seen < (GAP_ROW_BUSY if row_busy else GAP_NO_ROW):
            return None
        if self.unseen:
            return Outcome.END_NOT_SEEN
        if self.polls_without < GAP_POLLS:
            return None
        # A row that others explain meanwhile tells nothing of this run's end.
        return Outcome.FINISHED if self.item_seen else Outcome.END_NOT_SEEN
