"""The maintenance windows of a server, night by night."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from custom_components.plex_butler.butler.windows import windows

BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
KOLKATA = ZoneInfo("Asia/Kolkata")


def at(text: str, zone: ZoneInfo = BERLIN) -> datetime:
    """Return a time of a zone's clock, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def shown(
    start: int, end: int, begin: str, until: str, zone: ZoneInfo = BERLIN
) -> list[tuple[str, str]]:
    """Return the windows of a period as the zone's clock shows them."""
    found = windows(start, end, at(begin, zone), at(until, zone), zone)
    return [
        tuple(f"{time.astimezone(zone):%m-%d %H:%M}" for time in window)  # type: ignore[misc]
        for window in found
    ]


def test_each_night_has_one() -> None:
    assert shown(2, 5, "2026-11-24T00:00", "2026-11-27T00:00") == [
        ("11-24 02:00", "11-24 05:00"),
        ("11-25 02:00", "11-25 05:00"),
        ("11-26 02:00", "11-26 05:00"),
    ]


def test_window_over_midnight() -> None:
    assert shown(22, 4, "2026-11-24T12:00", "2026-11-26T12:00") == [
        ("11-24 22:00", "11-25 04:00"),
        ("11-25 22:00", "11-26 04:00"),
    ]


@pytest.mark.parametrize("hour", [0, 5, 23])
def test_there_is_none_where_it_opens_and_closes_in_the_same_hour(hour: int) -> None:
    assert shown(hour, hour, "2026-11-24T00:00", "2026-11-27T00:00") == []


@pytest.mark.parametrize(
    ("begin", "until", "found"),
    [
        ("2026-11-25T00:00", "2026-11-25T02:00", False),
        ("2026-11-25T00:00", "2026-11-25T02:01", True),
        ("2026-11-25T03:00", "2026-11-25T03:01", True),
        ("2026-11-25T04:59", "2026-11-25T12:00", True),
        ("2026-11-25T05:00", "2026-11-25T12:00", False),
    ],
)
def test_only_what_is_open_in_the_period(begin: str, until: str, *, found: bool) -> None:
    assert bool(shown(2, 5, begin, until)) is found


@pytest.mark.parametrize("time", ["2026-11-24T23:30", "2026-11-25T00:30", "2026-11-25T03:59"])
def test_window_over_midnight_is_found_from_both_days(time: str) -> None:
    until = (datetime.fromisoformat(time) + timedelta(minutes=1)).isoformat()
    assert shown(22, 4, time, until) == [("11-24 22:00", "11-25 04:00")]


def test_window_until_midnight_and_from_midnight() -> None:
    assert shown(20, 0, "2026-11-24T12:00", "2026-11-25T12:00") == [("11-24 20:00", "11-25 00:00")]
    assert shown(0, 3, "2026-11-24T12:00", "2026-11-25T12:00") == [("11-25 00:00", "11-25 03:00")]


def test_zone_of_half_an_hour() -> None:
    [(start, end)] = windows(
        2, 5, at("2026-11-24T00:00", KOLKATA), at("2026-11-24T12:00", KOLKATA), KOLKATA
    )
    assert (start.isoformat(), end.isoformat()) == (
        "2026-11-23T20:30:00+00:00",
        "2026-11-23T23:30:00+00:00",
    )


@pytest.mark.parametrize(
    ("start", "end", "night", "expected", "hours"),
    [
        # In Berlin the hour from 2 to 3 is skipped on March 29, 2026, and comes twice on October 25.
        (1, 5, "2026-03-29", ("01:00", "05:00"), 3),
        (2, 5, "2026-03-29", ("03:00", "05:00"), 2),
        (1, 2, "2026-03-29", ("01:00", "03:00"), 1),
        (1, 5, "2026-10-25", ("01:00", "05:00"), 5),
        (2, 3, "2026-10-25", ("02:00", "03:00"), 2),
        (1, 2, "2026-10-25", ("01:00", "02:00"), 1),
    ],
)
def test_nights_in_which_the_clock_is_changed(
    start: int, end: int, night: str, expected: tuple[str, str], hours: int
) -> None:
    found = windows(start, end, at(f"{night}T00:00"), at(f"{night}T12:00"), BERLIN)
    [window] = found
    assert tuple(f"{time.astimezone(BERLIN):%H:%M}" for time in window) == expected
    assert window[1] - window[0] == timedelta(hours=hours)


def test_night_in_which_the_whole_window_is_skipped_has_none() -> None:
    assert shown(2, 3, "2026-03-28T12:00", "2026-03-30T12:00") == [("03-30 02:00", "03-30 03:00")]
    assert shown(2, 3, "2026-03-08T00:00", "2026-03-08T12:00", NEW_YORK) == []


def test_day_of_a_change_that_skips_midnight_has_its_window() -> None:
    beirut = ZoneInfo("Asia/Beirut")
    assert shown(0, 3, "2026-03-28T12:00", "2026-03-29T12:00", beirut) == [
        ("03-29 01:00", "03-29 03:00")
    ]
