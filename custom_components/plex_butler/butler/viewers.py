"""In how many sessions something is played from a server, and when that is requested."""

from datetime import datetime, timedelta
from typing import Final

from ..plex import NotOwnerError, PlexClient, PlexError, SessionChanged, UnauthorizedError
from .statistics import Statistics

INTERVAL: Final = timedelta(seconds=25)
"""At least so long between two requests with polls: just less than the time between those of an idle
server without a stream."""
RETRY: Final = timedelta(minutes=5)
"""How long at least to wait after a failure."""
RETRY_REFUSED_STREAM: Final = timedelta(minutes=30)
"""The same if the server has refused, or has no list of sessions, and a stream brings every change."""
RECOUNTS: Final = 2
"""How often the next polls request the number again if it contradicts what a player has reported: a
server may list a session, or leave it out, some seconds later (inferred)."""
MOST_SESSIONS: Final = 1_000
"""Of how many sessions the state is kept: of those that were reported last."""


class Viewers:
    """Counts the sessions in which something is played, while somebody wants to know.

    Frames only show that the number may have changed; it comes from the server's list. Nothing of a
    session is kept but its number in that list, and whether it was playing.
    """

    def __init__(self, client: PlexClient, statistics: Statistics) -> None:
        """Initialize; nothing is requested before somebody wants to know."""
        self.count: int | None = None
        self.due = False
        self._client = client
        self._statistics = statistics
        self._wanted = False
        self._requested: datetime | None = None
        self._playing: dict[str, bool] = {}
        self._began = False
        self._before: int | None = None
        self._recounts = 0
        self._refused = False

    def want(self, *, wanted: bool) -> None:
        """Count from now on, or no more."""
        self._wanted = self.due = wanted
        self.count = None

    def read_next(self) -> None:
        """Let the next poll count, because changes may have been missed."""
        self.due = self._wanted
        self._playing.clear()

    def record_change(self, change: SessionChanged) -> bool:
        """Record what a player has reported; return whether the number may differ now.

        Some players report their end under another key than before (reported), so that the end of
        an unknown session counts as well.
        """
        if not self._wanted:
            return False
        before = self._playing.pop(change.key, None)
        if not change.ended:
            self._playing[change.key] = change.playing
            if len(self._playing) > MOST_SESSIONS:
                # The one that has not been reported for the longest time.
                del self._playing[next(iter(self._playing))]
        changed = before is not change.playing
        if changed:
            self.due, self._recounts = True, RECOUNTS
            self._began, self._before = change.playing, self.count or None
        return changed

    async def count_if_due(self, now: datetime, *, stream: bool) -> None:
        """Count if it is time to; `stream` brings every change. A failure makes the number unknown.

        With a stream the number is requested only while it is not 0, in case that an end is missed.
        """
        if not self._is_due(now, stream=stream):
            return
        # Before the answer: a change that arrives meanwhile makes it due again.
        self.due, self._requested = False, now
        count, answer = None, "no_list"
        try:
            count = await self._client.sessions()
        except PlexError as err:
            answer = err.key
            self._refused = isinstance(err, UnauthorizedError | NotOwnerError)
        else:
            self._refused = count is None
        if count is None:
            self._statistics.count_answer("sessions", answer)
        self.count = count
        if self._recounts and self._is_contradicted(count):
            self._recounts -= 1
            self.due = True
        else:
            self._recounts = 0

    def _is_contradicted(self, count: int | None) -> bool:
        """Return whether the last report, that something is played or is no more, was in vain."""
        if self._began:
            return count == 0
        return count is not None and self._before is not None and count >= self._before

    def _is_due(self, now: datetime, *, stream: bool) -> bool:
        if self.due or self._requested is None or not self._wanted:
            return self.due
        if self.count is None:
            wait = RETRY_REFUSED_STREAM if self._refused and stream else RETRY
            return now - self._requested >= wait
        return now - self._requested >= INTERVAL and (self.count > 0 or not stream)
