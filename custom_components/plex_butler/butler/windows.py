"""The maintenance windows of a server: the hours of each night in which Plex starts its tasks."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo

_DAY = timedelta(days=1)


def windows(
    start_hour: int, end_hour: int, begin: datetime, until: datetime, zone: tzinfo
) -> Iterator[tuple[datetime, datetime]]:
    """Yield the windows that are open at some time of a period, in UTC.

    The hours are those of a clock in `zone`. A window that ends before it starts goes on over
    midnight; where both are the same, there is none. An hour that a clock skips in spring begins
    when it is skipped, and one that comes twice in autumn when it comes first.
    """
    if start_hour == end_hour:
        return
    overnight = timedelta(days=end_hour < start_hour)
    day = begin.astimezone(zone).date() - _DAY
    last = until.astimezone(zone).date()
    while day <= last:
        start, end = _at(day, start_hour, zone), _at(day + overnight, end_hour, zone)
        # Nothing is left of a window that is skipped.
        if start < end and start < until and begin < end:
            yield start, end
        day += _DAY


def _at(day: date, hour: int, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone).replace(hour=hour).astimezone(UTC)
