"""What speaks for a run, and for how long it is believed.

All the times of the rules stand here, and nowhere else.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from .models import KnownBy, Outcome

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


@dataclass(frozen=True, slots=True)
class Item:
    """An activity that the server lists.

    `butlers`: it began while Butler's row was busy. `denied`: the server said, while it was
    listed, that the task of this type was not running.
    """

    type: str
    butlers: bool
    denied: bool = False


@dataclass(slots=True)
class Evidence:
    """What speaks for one run. `ours`: it began with, or was confirmed by, our own command.

    `foreign` are the activities that were there before our command and so do not count for it.
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

    @property
    def last_seen(self) -> datetime | None:
        """When something last spoke for this run: an item or, before the first one, the row."""
        return self.item_seen or self.row_seen

    def outcome(self, now: datetime, *, row_busy: bool, row_idle: bool) -> Outcome | None:
        """Return how the run ended, if a poll in which nothing spoke for it says that it did.

        `row_idle` is a row that is known to tell something and does not show work; neither is
        true on a server without such a row.
        """
        if row_idle and self.row_seen_busy:
            return Outcome.FINISHED if self.last_seen else Outcome.END_NOT_SEEN
        if self.grace_until and now < self.grace_until:
            return None
        if self.last_seen is None:
            return Outcome.END_NOT_SEEN
        gap = GAP_ROW_BUSY if row_busy else GAP_NO_ROW
        if now - self.last_seen < gap or self.polls_without < GAP_POLLS:
            return None
        # A row that others explain meanwhile tells nothing of this run's end.
        return Outcome.FINISHED if self.item_seen else Outcome.END_NOT_SEEN
