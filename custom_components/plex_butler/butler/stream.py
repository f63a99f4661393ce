"""The streams of one server: kept open, and the notifications combined with polls."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, suppress
import logging
from random import uniform
from typing import Final, Protocol

from ..plex import NotOwnerError, NotPlexError, PlexError, UnauthorizedError

_LOGGER = logging.getLogger(__name__)

FIRST_DELAY: Final = 5.0
"""How long to wait after the first loss, in seconds; then twice as long each time."""
LONGEST_DELAY: Final = 300.0
"""The longest wait after a stream was lost, in seconds."""
REFUSED_DELAY: Final = 3600.0
"""How long to wait after a stream was refused, in seconds: polling is enough without it."""
REFUSALS: Final = 3
"""How many refusals count as losses after a stream that was open: a proxy may be restarting."""
SETTLED: Final = 60.0
"""How long a stream has to last so that its loss counts as the first one again, in seconds."""

REFUSED: Final = (NotPlexError, NotOwnerError, UnauthorizedError)
"""The errors that mean that a server, or a proxy before it, refuses a stream."""


class StreamListener[T](Protocol):
    """A receiver of the changes that a stream brings."""

    def stream_opened(self) -> None:
        """Handle that the stream is open: every later change arrives."""

    def stream_changed(self, changes: T) -> None:
        """Handle the changes of one frame, which may be none."""

    def stream_closed(self, err: PlexError | None) -> None:
        """Handle that the stream is closed; `err` is why it could not be opened or was cut off.

        Called after every try, but for the one that ends because the runner is cancelled.
        """


class StreamRunner[T]:
    """Keeps a stream of one server open, while it is wanted.

    It raises nothing: if the stream cannot be opened, polls are enough. Whatever the listener raises
    ends one connection only; it is logged, but not again while it repeats.
    """

    def __init__(
        self,
        connect: Callable[[], AbstractAsyncContextManager[AsyncIterator[T]]],
        listener: StreamListener[T],
        *,
        wanted: bool = True,
        delay: Callable[[int], float] | None = None,
    ) -> None:
        """Initialize paused.

        `connect` opens the stream; `delay` returns how long to wait after so many losses, in
        seconds.
        """
        self._connect = connect
        self._listener = listener
        self._delay = delay or delay_after
        self._running = asyncio.Event()
        self._resumed = asyncio.Event()
        self._wanted = asyncio.Event()
        if wanted:
            self._wanted.set()
        self._limit: asyncio.Timeout | None = None
        self._logged: type[Exception] | None = None

    @property
    def wanted(self) -> bool:
        """Return whether the stream is wanted."""
        return self._wanted.is_set()

    def want(self, *, wanted: bool) -> None:
        """Let the stream be open while it is wanted, and close it otherwise."""
        if wanted:
            self._wanted.set()
            return
        self._wanted.clear()
        if self._limit:
            self._limit.reschedule(asyncio.get_running_loop().time())

    def pause(self) -> None:
        """Do not connect again until `resume`. An open stream stays open."""
        self._running.clear()

    def resume(self) -> None:
        """Connect again; after a pause, even if the stream was refused before."""
        if not self._running.is_set():
            self._running.set()
            self._resumed.set()

    async def run(self) -> None:
        """Connect and listen until cancelled."""
        loop = asyncio.get_running_loop()
        failures = refusals = 0
        while True:
            while not (self._running.is_set() and self._wanted.is_set()):
                await self._running.wait()
                await self._wanted.wait()
            self._resumed.clear()
            began, failure, unwanted = loop.time(), None, False
            try:
                unwanted = await self._listen()
                refusals, self._logged = REFUSALS, None
            except PlexError as err:
                failure = err
            except Exception as err:  # noqa: BLE001 - nothing may end the stream for good
                self._log(err)
            try:
                self._listener.stream_closed(failure)
            except Exception as err:  # noqa: BLE001 - nothing may end the stream for good
                self._log(err)
            if unwanted:
                continue
            if isinstance(failure, REFUSED):
                refusals -= 1
                if refusals < 0:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._resumed.wait(), REFUSED_DELAY)
                    continue
            if loop.time() - began >= SETTLED:
                failures = 0
            failures += 1
            await asyncio.sleep(self._delay(failures))

    def _log(self, err: Exception) -> None:
        if type(err) is not self._logged:
            _LOGGER.error("Unexpected error in a stream of a server", exc_info=err)
        self._logged = type(err)

    async def _listen(self) -> bool:
        """Listen until the stream ends; return whether that is because it is no longer wanted."""
        limit = asyncio.timeout(None)
        try:
            async with limit:
                self._limit = limit
                async with self._connect() as results:
                    self._listener.stream_opened()
                    async for result in results:
                        self._listener.stream_changed(result)
        except TimeoutError:
            if not limit.expired():
                raise
        finally:
            self._limit = None
        return limit.expired()


class StreamHealth:
    """Whether the stream brings every change, so that polls may be rare."""

    def __init__(self) -> None:
        """Initialize without a stream."""
        self._open = False
        self._complete = False
        self._used = False
        self._silent = False

    @property
    def is_open(self) -> bool:
        """Return whether the stream is open."""
        return self._open

    @property
    def is_reliable(self) -> bool:
        """Return whether the stream has brought all changes since the last poll."""
        return self._complete and not self._silent

    def record_opened(self) -> None:
        """Record that the stream is open."""
        self._open = True

    def record_closed(self) -> None:
        """Record that the stream is closed."""
        self._open = self._complete = False

    def record_change(self) -> None:
        """Record that the stream has brought a change of an activity."""
        self._used, self._silent = True, False

    def record_poll_failure(self) -> None:
        """Record that a poll failed: changes may be missing until the next good one."""
        self._complete = False

    def record_poll(self, *, since_open: bool, differs: Callable[[], bool]) -> bool:
        """Record a good poll; return whether the stream is open but brings nothing.

        `since_open`: the stream was open when the poll was sent. `differs` returns whether the
        answer differs from what was known; it then shows that something, such as a proxy, withholds
        the changes.
        """
        silent = self._complete and not self._used and differs()
        self._silent |= silent
        self._used = False
        self._complete = since_open
        return silent


def delay_after(failures: int) -> float:
    """Return how long to wait after so many losses in a row, in seconds.

    The longest wait doubles each time. The wait is random, so that several clients that have lost a
    server together do not come back together.
    """
    longest = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(failures - 1, 10))
    return uniform(longest / 2, longest)  # noqa: S311 - no secret
