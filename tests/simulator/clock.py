"""The time of a simulated server: moved by hand, or running at any speed."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
import heapq
from itertools import count
from typing import Final

TICK: Final = 0.02
"""How often a running clock looks for what is due, in real seconds."""


@dataclass(order=True, slots=True)
class Event:
    """Something that will happen."""

    at: datetime
    number: int
    callback: Callable[[], None] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        """See to it that it does not happen."""
        self.cancelled = True


class Clock:
    """Simulated local time, and everything that is due at some of it."""

    def __init__(self, start: datetime) -> None:
        """Stand still at `start`, a naive local time as the server's own."""
        self.now = start
        self._events: list[Event] = []
        self._numbers = count()

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Event:
        """Let something happen in `seconds` of simulated time."""
        event = Event(self.now + timedelta(seconds=seconds), next(self._numbers), callback)
        heapq.heappush(self._events, event)
        return event

    def advance(self, seconds: float) -> None:
        """Move on, and let everything happen that is due, in its order and at its time."""
        until = self.now + timedelta(seconds=seconds)
        while self._events and self._events[0].at <= until:
            event = heapq.heappop(self._events)
            self.now = max(self.now, event.at)
            if not event.cancelled:
                event.callback()
        self.now = until

    async def run(self, speed: float) -> None:
        """Move on with real time, `speed` times as fast, for ever."""
        loop = asyncio.get_running_loop()
        last = loop.time()
        while True:
            await asyncio.sleep(TICK)
            now = loop.time()
            self.advance((now - last) * speed)
            last = now
