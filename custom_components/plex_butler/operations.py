"""The requests of one config entry that are under way, and their end when it is unloaded."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class EntryUnloadedError(Exception):
    """The config entry was unloaded before, or while, a request was under way."""


class Operations:
    """The polls and commands of one config entry that are under way.

    Each of them has to end before the entry's connections are closed.
    """

    def __init__(self) -> None:
        """Initialize without an operation."""
        self._limits: set[asyncio.Timeout] = set()
        self._none_left = asyncio.Event()
        self._none_left.set()
        self._closed = False

    @property
    def closed(self) -> bool:
        """Return whether the config entry is unloaded, so that nothing may begin any more."""
        return self._closed

    @asynccontextmanager
    async def under_way(self) -> AsyncGenerator[None]:
        """Count what is done inside the `async with` block as an operation.

        Raises EntryUnloadedError at once if the config entry is unloaded; what is inside is
        cancelled, and EntryUnloadedError raised, if that happens meanwhile.
        """
        if self._closed:
            raise EntryUnloadedError
        limit = asyncio.timeout(None)
        try:
            async with limit:
                self._limits.add(limit)
                self._none_left.clear()
                try:
                    yield
                finally:
                    self._limits.discard(limit)
                    if not self._limits:
                        self._none_left.set()
        except TimeoutError:
            if limit.expired():
                raise EntryUnloadedError from None
            raise

    async def close(self) -> None:
        """Cancel every operation, wait until each has ended, and let none begin any more."""
        if not self._closed:
            self._closed = True
            now = asyncio.get_running_loop().time()
            for limit in self._limits:
                limit.reschedule(now)
        await self._none_left.wait()
