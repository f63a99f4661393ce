"""When a stream brings so much that it is cut off."""

from time import monotonic
from typing import Final

from .errors import FloodError

FLOOD_SPAN: Final = 20.0
"""Within how many seconds a limit counts as a flood."""


class FloodLimit:
    """How much of something may come within `FLOOD_SPAN` seconds."""

    def __init__(self, most: int) -> None:
        """Initialize with nothing counted."""
        self._most = most
        self._count = 0
        self._since = monotonic()

    def add(self, count: int) -> None:
        """Count something that has come. Raises FloodError if that is too much."""
        self._count += count
        if self._count < self._most:
            return
        # Beginning anew each time is enough: what goes on for longer is found in the next span.
        now = monotonic()
        span, self._since = now - self._since, now
        self._count = 0
        if span < FLOOD_SPAN:
            raise FloodError("The server sends more than any that was seen")
