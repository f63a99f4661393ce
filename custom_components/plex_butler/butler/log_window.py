"""Whether the maintenance window of a server is open, by a clock whose zone it does not tell."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final

from .windows import windows

MARGIN: Final = timedelta(minutes=10)
"""How long before and after the window the log is read as well."""

_STEP: Final = timedelta(minutes=15)
_LARGEST_OFFSET: Final = timedelta(hours=14)


class LogWindow:
    """Whether the log is to be read because the server's window is open.

    The hours of the window are those of the server's own clock. As long as no line of its log has
    shown that clock, it may be the one of Home Assistant, or show UTC, as in many containers: the
    window counts as open by either. A line that is stamped by the server's clock shows how far that
    is from UTC (inferred).
    """

    def __init__(self, zone: Callable[[], tzinfo]) -> None:
        """Initialize; `zone` returns the time zone of Home Assistant."""
        self._zone = zone
        self._shown: tuple[tzinfo, ...] = ()

    def record_line(self, written: datetime, now: datetime) -> None:
        """Record the time in a line that arrives now, to the nearest quarter of an hour."""
        offset = written - now.astimezone(UTC).replace(tzinfo=None)
        offset = round(offset / _STEP) * _STEP
        if abs(offset) > _LARGEST_OFFSET:
            return
        # A zone is better than an offset: it knows when the clock changes.
        same = (zone for zone in (self._zone(), UTC) if now.astimezone(zone).utcoffset() == offset)
        self._shown = tuple(same) or (timezone(offset),)

    def is_open(self, hours: tuple[int, int] | None, now: datetime) -> bool:
        """Return whether the window is open, or is about to; always if its hours are not known."""
        if hours is None:
            return True
        begin, until = now - MARGIN, now + MARGIN
        zones = self._shown or (self._zone(), UTC)
        return any(any(True for _ in windows(*hours, begin, until, zone)) for zone in zones)
