"""How much of a stream is a flood."""

import pytest

from custom_components.plex_butler.plex.errors import FloodError
from custom_components.plex_butler.plex.flood import FLOOD_SPAN, FloodLimit

MOST = 100


class Clock:
    """A clock that a test moves, in seconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Begin at some time."""
        self.now = 1000.0
        monkeypatch.setattr("custom_components.plex_butler.plex.flood.monotonic", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock."""
    return Clock(monkeypatch)


def add(limit: FloodLimit, times: int, count: int = 1) -> None:
    """Let something come many times."""
    for _ in range(times):
        limit.add(count)


@pytest.mark.parametrize("count", [1, 10, MOST])
def test_what_comes_too_fast_is_a_flood(clock: Clock, count: int) -> None:
    limit = FloodLimit(MOST)
    clock.now += FLOOD_SPAN - 0.1
    add(limit, MOST // count - 1, count)
    with pytest.raises(FloodError):
        limit.add(count)


def test_much_in_a_long_time_is_none(clock: Clock) -> None:
    limit = FloodLimit(MOST)
    for _ in range(3):
        add(limit, MOST - 1)
        clock.now += FLOOD_SPAN
        limit.add(1)
    add(limit, MOST - 1)
    clock.now += FLOOD_SPAN - 0.1
    with pytest.raises(FloodError):
        limit.add(1)


def test_after_a_flood_it_is_counted_anew(clock: Clock) -> None:
    limit = FloodLimit(MOST)
    for _ in range(2):
        add(limit, MOST - 1)
        with pytest.raises(FloodError):
            limit.add(1)
