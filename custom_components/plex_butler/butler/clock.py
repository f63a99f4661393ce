"""A clock that nobody can set."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
import time
from typing import Final

TOLERANCE: Final = timedelta(seconds=2)
"""How far the system's clock may be off before that counts as having been set."""


class SteadyClock:
    """Tells times for intervals, and turns them into those that are shown and stored.

    The system's clock may be set while a task runs: by hand, or because a small computer learns the
    time from the network only after its start. Steady times go on as if it had not been; what is
    shown of them follows the system's clock.
    """

    def __init__(
        self,
        *,
        utcnow: Callable[[], datetime] | None = None,
        monotonic: Callable[[], float] | None = None,
    ) -> None:
        """Initialize: steady times are in UTC until the system's clock is set."""
        self._utcnow = utcnow or _utcnow
        self._monotonic = monotonic or time.monotonic
        self._began = self._utcnow()
        self._began_monotonic = self._monotonic()
        self._offset = timedelta()

    def now(self) -> datetime:
        """Return the steady time."""
        passed = timedelta(seconds=self._monotonic() - self._began_monotonic)
        steady = self._began + passed
        offset = self._utcnow() - steady
        if abs(offset - self._offset) > TOLERANCE:
            self._offset = offset
        return steady

    def utc(self, steady: datetime) -> datetime:
        """Return the UTC of a steady time, by the system's clock as it is set now."""
        return steady + self._offset

    def steady(self, utc: datetime) -> datetime:
        """Return the steady time of a UTC, by the system's clock as it is set now."""
        return utc - self._offset


def _utcnow() -> datetime:
    return datetime.now(UTC)
