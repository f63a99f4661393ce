"""When the maintenance window counts as open, although nothing tells the server's time zone."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from custom_components.plex_butler.butler.log_window import LogWindow

BERLIN: Final = ZoneInfo("Europe/Berlin")
NEW_YORK: Final = ZoneInfo("America/New_York")
NIGHT: Final = (2, 5)


def at(clock: str, zone: tzinfo = BERLIN, month: int = 11) -> datetime:
    """Return a time of day by the clock of a zone, in UTC."""
    hour, minute = map(int, clock.split(":"))
    return datetime(2026, month, 24, hour, minute, tzinfo=zone).astimezone(UTC)


def window(zone: tzinfo = BERLIN) -> LogWindow:
    return LogWindow(lambda: zone)


@pytest.mark.parametrize(
    ("hours", "clock", "is_open"),
    [
        (NIGHT, "1:49", False),
        (NIGHT, "1:51", True),
        (NIGHT, "5:09", True),
        # By UTC it is still open for an hour.
        (NIGHT, "6:09", True),
        (NIGHT, "6:11", False),
        ((23, 2), "22:51", True),
        ((23, 2), "1:00", True),
        ((23, 2), "4:00", False),
        ((4, 4), "4:00", False),
        (None, "12:00", True),
    ],
)
def test_window_by_home_assistants_clock_or_utc(
    hours: tuple[int, int] | None, clock: str, *, is_open: bool
) -> None:
    assert window().is_open(hours, at(clock)) is is_open


@pytest.mark.parametrize("late", [timedelta(), timedelta(minutes=-5), timedelta(minutes=5)])
def test_line_shows_the_clock(late: timedelta) -> None:
    """It may arrive late, and the server's clock may be wrong by some minutes."""
    by_berlin, by_utc, by_new_york = window(), window(), window()
    now = at("12:00")
    for log, zone in ((by_berlin, BERLIN), (by_utc, UTC), (by_new_york, NEW_YORK)):
        log.record_line(now.astimezone(zone).replace(tzinfo=None) + late, now)
    assert by_berlin.is_open(NIGHT, at("2:00"))
    assert not by_berlin.is_open(NIGHT, at("5:30"))
    assert not by_utc.is_open(NIGHT, at("2:00"))
    assert by_utc.is_open(NIGHT, at("5:30"))
    assert not by_new_york.is_open(NIGHT, at("2:00"))
    assert by_new_york.is_open(NIGHT, at("2:00", NEW_YORK))


def test_clock_of_home_assistant_changes_with_the_season() -> None:
    log, now = window(), at("12:00")
    log.record_line(datetime(2026, 11, 24, 12), now)
    assert log.is_open(NIGHT, at("2:00", month=6))


def test_time_that_no_zone_has_is_ignored() -> None:
    log = window()
    log.record_line(datetime(2020, 1, 1), at("12:00"))
    assert log.is_open(NIGHT, at("2:00"))
    log.record_line(
        at("12:00").astimezone(timezone(timedelta(hours=14))).replace(tzinfo=None), at("12:00")
    )
    assert not log.is_open(NIGHT, at("2:00"))
