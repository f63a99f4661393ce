"""The life of the notification stream: connect, listen, and connect again, for ever."""

import asyncio
from collections.abc import Callable
from random import uniform
from typing import Final, Protocol

from ..plex import Notification, PlexClient, PlexError

FIRST_DELAY: Final = 5.0
"""How long after the first failure it is tried again, in seconds; then twice as long each time."""
LONGEST_DELAY: Final = 300.0
SETTLED: Final = 60.0
"""How long a stream has to live until its end counts as the first failure again."""


class Listener(Protocol):
    """Who wants to know."""

    def stream_opened(self) -> None:
        """Take in that what happens from now on is told."""

    def stream_told(self, changes: tuple[Notification, ...]) -> None:
        """Take in what a frame told."""

    def stream_closed(self, err: PlexError | None) -> None:
        """Take in that nothing is told any more; `err` is why it could not be opened."""


class Push:
    """The stream of one server. Polling is enough without it: nothing here is an outage."""

    def __init__(
        self,
        client: PlexClient,
        listener: Listener,
        *,
        delay: Callable[[int], float] | None = None,
    ) -> None:
        """Initialize; `delay` says how long to wait after so many failures, in seconds."""
        self._client = client
        self._listener = listener
        self._delay = delay or delay_after
        self._wanted = asyncio.Event()

    def want(self, wanted: bool) -> None:  # noqa: FBT001 - that is all there is to say
        """Say whether it makes sense to connect: a server that is away is left alone."""
        if wanted:
            self._wanted.set()
        else:
            self._wanted.clear()

    async def live(self) -> None:
        """Listen until cancelled."""
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            await self._wanted.wait()
            began, failure = loop.time(), None
            try:
                await self._listen()
            except PlexError as err:
                failure = err
            self._listener.stream_closed(failure)
            if loop.time() - began >= SETTLED:
                failures = 0
            failures += 1
            await asyncio.sleep(self._delay(failures))

    async def _listen(self) -> None:
        async with self._client.notifications() as notifications:
            self._listener.stream_opened()
            async for changes in notifications:
                self._listener.stream_told(changes)


def delay_after(failures: int) -> float:
    """Return how long to wait after so many failures in a row, in seconds.

    Up to twice as long each time, never twice the same: many Home Assistants may have lost one
    server together.
    """
    longest = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(failures - 1, 10))
    return uniform(longest / 2, longest)  # noqa: S311 - no secret
