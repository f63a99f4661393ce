"""A burst of frames, and what handling it costs a listener."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
import time
from typing import Final

from .listeners import BARE, INTEGRATION, Listener, Sign, bare_listener, home_listener
from .meter import Cost, in_turn, metered, middle
from .servers import Server, server

SILENT: Final = "DeepMediaAnalysis"
"""A task that shows nothing but Butler's busy row: the sign that all frames were handled."""
SILENT_SECONDS: Final = 180
NO_TASKS: Final = "library.refresh.items"
"""Activities of no task: a frame of theirs changes no state, and asks for no poll."""
AFTERWARDS: Final = 0.3
"""How long after the last frame all is still counted, in seconds."""


@dataclass(frozen=True, slots=True)
class Burst:
    """What a burst of frames cost; `drained` is when all were handled, in seconds."""

    cost: Cost
    drained: float
    changed: int
    unchanged: int


async def burst(listener: Listener, act: Callable[[Server], Awaitable[None]]) -> Burst:
    """Let the server send something, and then that Butler is at work."""
    server, before = listener.server, listener.writes
    busy = listener.shows(Sign.BUSY)
    async with metered() as cost:
        began = time.perf_counter()
        await act(server)
        await server.begin(SILENT)
        drained = await busy - began
        await asyncio.sleep(AFTERWARDS)
    changed, unchanged = (a - b for a, b in zip(listener.writes, before, strict=True))
    idle = listener.shows(Sign.IDLE)
    await server.advance(SILENT_SECONDS)
    await idle
    # The next change shall find no rate limit.
    await asyncio.sleep(AFTERWARDS)
    return Burst(cost, drained, changed, unchanged)


async def nothing(server: Server) -> None:
    """Send no frame."""
    await server.begin_many(NO_TASKS, 0, "each")


@asynccontextmanager
async def listeners(*, listed: int = 0) -> AsyncIterator[dict[str, Listener]]:
    """Let both listen, each to a server of its own that lists so many items."""
    async with AsyncExitStack() as stack:
        own, other = await asyncio.gather(*(stack.enter_async_context(server()) for _ in "ab"))
        for each in (own, other):
            await each.begin_many(NO_TASKS, listed, "none")
        yield {
            BARE: await stack.enter_async_context(bare_listener(other)),
            INTEGRATION: await stack.enter_async_context(home_listener(own)),
        }


async def bursts(
    all_of_them: dict[str, Listener],
    act: Callable[[Server], Awaitable[None]],
    rounds: int,
    seconds: float,
) -> dict[str, list[Burst]]:
    """Let both take the same burst in turn."""
    works = {name: partial(burst, each, act) for name, each in all_of_them.items()}
    return await in_turn(works, rounds, seconds)


def cpu(burst: Burst) -> float:
    """Return the CPU time of a burst."""
    return burst.cost.cpu


def writes(results: list[Burst], none: list[Burst]) -> str:
    """Return how many states were written beside those that show Butler at work."""
    changed = middle(results, lambda b: b.changed) - middle(none, lambda b: b.changed)
    unchanged = middle(results, lambda b: b.unchanged) - middle(none, lambda b: b.unchanged)
    return f"{changed:.0f} + {unchanged:.0f}"
