"""Reads that several callers share."""

import asyncio
from collections.abc import Awaitable, Callable
from copy import copy

from ..plex import PlexError


class SharedReads:
    """Reads the same again and again, for many callers at once.

    There is only one read at a time, because an older answer must not replace a younger one. Those
    who call while it is under way share the next one, and its failure.
    """

    def __init__(self, read: Callable[[], Awaitable[None]]) -> None:
        """Initialize with the function that reads."""
        self._read = read
        self._reading = asyncio.Lock()
        self._begun = 0
        self._last: tuple[int, PlexError | None] = (0, None)

    async def __call__(self) -> None:
        """Read, or share a read that somebody else has begun after the call. Raises PlexError."""
        begun_before = self._begun
        async with self._reading:
            number, failure = self._last
            if number > begun_before:
                if failure:
                    # Copied because each of those who waited adds a traceback of its own.
                    raise copy(failure)
                return
            self._begun += 1
            try:
                await self._read()
            except PlexError as err:
                self._last = (self._begun, copy(err))
                raise
            self._last = (self._begun, None)
