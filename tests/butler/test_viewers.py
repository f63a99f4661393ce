"""When the sessions are counted, and of how many a state is kept."""

from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from custom_components.plex_butler.butler.statistics import Statistics
from custom_components.plex_butler.butler.viewers import (
    INTERVAL,
    MOST_SESSIONS,
    RETRY,
    RETRY_REFUSED_STREAM,
    Viewers,
)
from custom_components.plex_butler.plex import SessionChanged
from tests.plex.clients import client_for
from tests.simulator import SimulatedPlex

pytestmark = pytest.mark.usefixtures("socket_enabled")

NOW: Final = datetime(2026, 11, 23, 20, tzinfo=UTC)
MOMENT: Final = timedelta(milliseconds=1)


def playing(key: str) -> SessionChanged:
    return SessionChanged(key, playing=True, ended=False)


def paused(key: str) -> SessionChanged:
    return SessionChanged(key, playing=False, ended=False)


def stopped(key: str) -> SessionChanged:
    return SessionChanged(key, playing=False, ended=True)


class Counted:
    """Viewers of a simulated server at times that a test chooses."""

    def __init__(self, server: SimulatedPlex) -> None:
        """Initialize without a count."""
        self._server = server
        self.viewers: Viewers

    def count(self) -> int | None:
        """Return in how many sessions something is played."""
        return self.viewers.count

    async def asks(self, after: timedelta, *, stream: bool) -> bool:
        """Count if it is due some time after the beginning; return whether it was."""
        self._server.requests.clear()
        await self.viewers.count_if_due(NOW + after, stream=stream)
        return any(request.path == "/status/sessions" for request in self._server.requests)


async def test_when_it_is_asked(server: SimulatedPlex) -> None:
    counted = Counted(server)
    async with client_for(server.url, token=server.owner_token, machine_identifier=None) as client:
        viewers = counted.viewers = Viewers(client, Statistics())
        assert not await counted.asks(timedelta(), stream=False)
        viewers.want(wanted=True)
        assert await counted.asks(timedelta(), stream=True)
        assert counted.count() == 0
        # Nobody plays: a stream tells when that changes.
        assert not await counted.asks(timedelta(days=1), stream=True)
        assert not await counted.asks(INTERVAL - MOMENT, stream=False)
        assert await counted.asks(INTERVAL, stream=False)
        server.users.play()
        assert viewers.record_change(playing("112"))
        assert await counted.asks(INTERVAL, stream=True)
        assert counted.count() == 1
        # Somebody plays: an end may be missed.
        assert not await counted.asks(2 * INTERVAL - MOMENT, stream=True)
        assert await counted.asks(2 * INTERVAL, stream=True)
        server.faults.no_sessions = True
        viewers.read_next()
        assert await counted.asks(2 * INTERVAL, stream=True)
        assert not await counted.asks(2 * INTERVAL + RETRY - MOMENT, stream=False)
        assert not await counted.asks(2 * INTERVAL + RETRY_REFUSED_STREAM - MOMENT, stream=True)
        assert await counted.asks(2 * INTERVAL + RETRY, stream=False)
        assert counted.count() is None
        server.faults.own_error = True
        viewers.read_next()
        assert await counted.asks(timedelta(hours=1), stream=True)
        assert not await counted.asks(timedelta(hours=1) + RETRY - MOMENT, stream=True)
        assert await counted.asks(timedelta(hours=1) + RETRY, stream=True)
        server.faults.own_error = False
        viewers.want(wanted=False)
        viewers.read_next()
        assert not viewers.record_change(playing("113"))
        assert not await counted.asks(timedelta(days=1), stream=False)


@pytest.fixture
async def viewers(server: SimulatedPlex) -> Viewers:
    """Viewers whose number somebody wants to know."""
    async with client_for(server.url) as client:
        viewers = Viewers(client, Statistics())
    viewers.want(wanted=True)
    viewers.due = False
    return viewers


def test_only_a_change_counts(viewers: Viewers) -> None:
    told = [playing, playing, paused, paused, playing, stopped, stopped, paused, stopped]
    assert [viewers.record_change(change("7")) for change in told] == [
        True,
        False,
        True,
        False,
        True,
        True,
        # An end of a session that nobody knew.
        True,
        True,
        False,
    ]
    assert viewers.due


def test_as_many_sessions_as_there_can_be(viewers: Viewers) -> None:
    for number in range(MOST_SESSIONS):
        assert viewers.record_change(playing(str(number)))
    viewers.due = False
    # Its player reports again and again.
    assert not viewers.record_change(playing("0"))
    assert viewers.due is False
    # Ends may have been missed, or were told under another key.
    assert viewers.record_change(playing("one more"))
    assert not viewers.record_change(playing("one more"))
    assert not viewers.record_change(playing("0"))
    assert not viewers.record_change(playing("2"))
    assert viewers.record_change(playing("1"))
