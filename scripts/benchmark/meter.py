"""What something costs: time on the wall, CPU, and how long the event loop was blocked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
import gc
from statistics import median
import time
from typing import Final

TICK: Final = 0.002
"""How often the event loop is looked at, in seconds; a shorter stall is not seen on the wall."""


@dataclass
class Cost:
    """What was measured, in seconds.

    `cpu` is that of this whole process, its threads included. `stall` is the longest time for
    which the event loop did not come round, `stall_cpu` the most CPU that its thread spent
    between two looks: on a busy machine the first also counts what others did meanwhile.
    """

    wall: float = 0
    cpu: float = 0
    stall: float = 0
    stall_cpu: float = 0


@asynccontextmanager
async def metered() -> AsyncIterator[Cost]:
    """Measure what happens inside."""
    cost = Cost()
    gc.collect()
    ticking = asyncio.create_task(_tick(cost))
    await asyncio.sleep(0)
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        yield cost
    finally:
        # Once more: a stall at the very end is one, too.
        await asyncio.sleep(TICK)
        cost.wall = time.perf_counter() - wall - TICK
        cost.cpu = time.process_time() - cpu
        ticking.cancel()


async def _tick(cost: Cost) -> None:
    while True:
        wall, cpu = time.perf_counter(), time.thread_time()
        await asyncio.sleep(TICK)
        cost.stall = max(cost.stall, time.perf_counter() - wall - TICK)
        cost.stall_cpu = max(cost.stall_cpu, time.thread_time() - cpu)


async def in_turn[T](
    contenders: Mapping[str, Callable[[], Awaitable[T]]], rounds: int, seconds: float
) -> dict[str, list[T]]:
    """Let each of them do its work `rounds` times, one after the other.

    Whoever has used up its `seconds` does no more rounds, but each does one.
    """
    results: dict[str, list[T]] = {name: [] for name in contenders}
    spent = dict.fromkeys(contenders, 0.0)
    for _ in range(rounds):
        for name, work in contenders.items():
            if spent[name] < seconds:
                began = time.perf_counter()
                results[name].append(await work())
                spent[name] += time.perf_counter() - began
    return results


def middle[T](results: Iterable[T], of: Callable[[T], float]) -> float:
    """Return the median of something of each result."""
    return median(of(result) for result in results)
