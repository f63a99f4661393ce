"""Players: what people watch, as `/status/sessions` lists it and the stream reports it."""

from dataclasses import dataclass
from typing import Any, Final

from .activities import Publish
from .clock import Clock, Event
from .faults import Faults

REPORTS: Final = 10.0
"""How often a player tells the server its state, in seconds (seen)."""
FORGOTTEN: Final = 180.0
"""How long the session of a player that is gone stays listed, in seconds (reported)."""


_FIRST_KEY: Final = 112
"""A server that has restarted counts anew (inferred)."""


@dataclass(slots=True)
class Session:
    """A film on a player, playing or not; `next` is the player's next report."""

    key: str
    state: str
    position: float
    next: Event | None = None


class Players:
    """The players of one server, each with at most one session."""

    def __init__(self, clock: Clock, faults: Faults, publish: Publish) -> None:
        """Begin with all of them off."""
        self._clock = clock
        self._faults = faults
        self._publish = publish
        self._sessions: dict[str, Session] = {}
        self._last_key = _FIRST_KEY - 1
        self._before: list[dict[str, Any]] = []
        self._late = 0

    def report(self, player: str, state: str, seconds: float) -> None:
        """Let a player report its state now, and every few seconds from now on.

        One that plays stops by itself after some seconds.
        """
        session = self._sessions.get(player)
        if session is None or session.state != state:
            self._before, self._late = self._list(), self._faults.late_sessions
        if session is None:
            session = Session(self._new_key(), state, 381.0)
        if session.next:
            session.next.cancel()
        session.state = state
        if state == "stopped":
            self._sessions.pop(player, None)
            elsewhere = self._faults.stops_under_another_key
            self._tell(self._new_key() if elsewhere else session.key, session)
            return
        self._sessions[player] = session
        self._tell(session.key, session)

        def again() -> None:
            if state == "playing":
                session.position += REPORTS
            left = seconds - REPORTS if state == "playing" else seconds
            self.report(player, state if left > 0 else "stopped", left)

        session.next = self._clock.call_later(min(REPORTS, seconds), again)

    def lose(self, player: str) -> None:
        """Let a player be switched off: it reports nothing more, and is listed for a while."""
        session = self._sessions[player]
        if session.next:
            session.next.cancel()

        def forget() -> None:
            if self._sessions.get(player) is session:
                del self._sessions[player]

        session.next = self._clock.call_later(FORGOTTEN, forget)

    def reset(self) -> None:
        """Forget all sessions, as a server does that has restarted."""
        for session in self._sessions.values():
            if session.next:
                session.next.cancel()
        self._sessions.clear()
        self._late = 0
        self._last_key = _FIRST_KEY - 1

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows of `/status/sessions`: paused ones are among them."""
        if self._late:
            self._late -= 1
            return self._before
        return self._list()

    def _list(self) -> list[dict[str, Any]]:
        return [
            {
                "sessionKey": session.key,
                "type": "movie",
                "title": "Private Movie (1999)",
                "guid": "",
                "ratingKey": "188653",
                "key": "/library/metadata/188653",
                "duration": 5400000,
                "viewOffset": int(session.position * 1000),
                "User": {"id": "1", "title": "owner@example.org", "thumb": ""},
                "Player": {
                    "address": "192.168.1.77",
                    "device": "Television",
                    "machineIdentifier": f"player-{player}",
                    "platform": "Android",
                    "product": "Plex for Android (TV)",
                    "state": session.state,
                    "title": player,
                    "local": True,
                },
                "Session": {"id": f"session-{session.key}", "bandwidth": 9000, "location": "lan"},
            }
            for player, session in self._sessions.items()
        ]

    def _new_key(self) -> str:
        self._last_key += 1
        return str(self._last_key)

    def _tell(self, key: str, session: Session) -> None:
        row = {
            "sessionKey": key,
            "guid": "",
            "ratingKey": "188653",
            "url": "",
            "key": "/library/metadata/188653",
            "viewOffset": int(session.position * 1000),
            "playQueueItemID": 63307,
            "state": session.state,
        }
        self._publish("playing", "PlaySessionStateNotification", [row])
