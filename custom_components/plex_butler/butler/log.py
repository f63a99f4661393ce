"""The log of one server: read while it may say something of Butler's tasks."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, tzinfo
from functools import partial
from typing import Final, Protocol

from ..plex import LogLine, LogReader, PlexClient, PlexError
from ..runs.rules import GRACE
from .log_window import LogWindow
from .session import ButlerSession
from .statistics import Statistics
from .stream import REFUSED, StreamRunner

CHECK_INTERVAL: Final = 60.0
"""How often it is looked whether the window is open, in seconds."""
OPENS_WITHIN: Final = 2.0
"""How long a command waits for the log to be open, in seconds."""


class LogListener(Protocol):
    """A receiver of what the log brings."""

    def log_opened(self) -> None:
        """Handle that the log is open."""

    def log_changed(self, lines: tuple[LogLine, ...]) -> None:
        """Handle lines, which the session has recorded already."""

    def log_refused(self, err: PlexError) -> None:
        """Handle that the server, or a proxy in front of it, refuses the log."""


class LogFollower:
    """Keeps the log of one server open in its window, while anything runs and for commands.

    Before commands it is opened as well, so that the line of their start is not missed.
    """

    def __init__(
        self,
        client: PlexClient,
        session: ButlerSession,
        statistics: Statistics,
        listener: LogListener,
        *,
        zone: Callable[[], tzinfo],
    ) -> None:
        """Initialize paused; `zone` returns the time zone of Home Assistant."""
        self._session = session
        self._counts = statistics.log
        self._listener = listener
        self._window = LogWindow(zone)
        reader = LogReader(lambda: session.tasks, self._counts)
        self._runner = StreamRunner(partial(client.log, reader), self, wanted=False)
        self._until: datetime | None = None
        self._tried = asyncio.Event()

    # --- when it is open

    def pause(self) -> None:
        """Do not connect again until `resume`, because the server does not answer."""
        self._runner.pause()

    def resume(self) -> None:
        """Connect again, because the server answers."""
        self._runner.resume()
        self.update()

    def update(self) -> None:
        """Open or close the log by what is known now."""
        wanted = self._is_wanted()
        if wanted != self._runner.wanted:
            self._runner.want(wanted=wanted)

    async def expect_command(self) -> None:
        """Open the log for a command that is about to be sent, and wait a moment until it is open.

        It does not wait if the log was just lost, or is refused.
        """
        self._until = self._session.now() + GRACE
        self.update()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._tried.wait(), OPENS_WITHIN)

    async def run(self) -> None:
        """Follow the log until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._runner.run())
            while True:
                self.update()
                await asyncio.sleep(CHECK_INTERVAL)

    def _is_wanted(self) -> bool:
        now = self._session.now()
        if self._session.is_active or (self._until and now < self._until):
            return True
        return self._window.is_open(self._session.preferences.window, self._session.utc(now))

    # --- what it brings

    def stream_opened(self) -> None:
        """Record that the log is open."""
        self._counts["opened"] += 1
        self._tried.set()
        self._listener.log_opened()

    def stream_changed(self, lines: tuple[LogLine, ...]) -> None:
        """Record lines, in the order in which they arrive."""
        now = self._session.now()
        for line in lines:
            if line.written:
                self._window.record_line(line.written, self._session.utc(now))
            self._session.tracker.log.record(line.sign, now)
        self._listener.log_changed(lines)

    def stream_closed(self, err: PlexError | None) -> None:
        """Record that the log is closed: what it says from now on is missed."""
        self._counts[err.key if err else "closed"] += 1
        self._session.tracker.log.record_gap()
        if err or self._runner.wanted:
            # It is opened again after a while, for which no command waits.
            self._tried.set()
        else:
            self._tried.clear()
        if isinstance(err, REFUSED):
            self._listener.log_refused(err)
