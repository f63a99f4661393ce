"""What a run of a task costs that shows itself by frames."""

import asyncio
from dataclasses import dataclass
from functools import partial
import time

from .bursts import AFTERWARDS, listeners
from .listeners import BARE, INTROS, INTROS_TASK, THUMBS, THUMBS_TASK, Listener, Sign
from .meter import Cost, in_turn, metered, middle
from .table import ms, show, times, us


@dataclass(frozen=True, slots=True)
class Run:
    """What a run cost; the latencies are from the command to the server to what is shown."""

    cost: Cost
    frames: int | None
    begins: float
    ends: float
    changed: int
    unchanged: int


async def one_run(listener: Listener, items: int) -> Run:
    """Let a task begin, work on items, two at a time, and end; Butler's row tells of it."""
    server, before = listener.server, listener.writes
    frames = listener.frames
    for task, type_, count in ((INTROS_TASK, INTROS, items), (THUMBS_TASK, THUMBS, 1)):
        await server.control(
            "POST",
            "/profile",
            name=task,
            activity=type_,
            items=count,
            item_seconds=2,
            side_by_side=2,
        )
    begun, over = listener.shows(Sign.INTROS), listener.shows(Sign.INTROS_OVER)
    drained, idle = listener.shows(Sign.THUMBS), listener.shows(Sign.IDLE)
    async with metered() as cost:
        began = time.perf_counter()
        await server.begin(INTROS_TASK)
        begins = await begun - began
        await asyncio.sleep(AFTERWARDS)
        # All but the last two; another task tells that their frames were handled.
        await server.advance(items - 2)
        await server.begin(THUMBS_TASK)
        await drained
        await asyncio.sleep(AFTERWARDS)
        began = time.perf_counter()
        await server.advance(2)
        ends = await over - began
        await idle
        await asyncio.sleep(AFTERWARDS)
    changed, unchanged = (a - b for a, b in zip(listener.writes, before, strict=True))
    received = None if frames is None or listener.frames is None else listener.frames - frames
    return Run(cost, received, begins, ends, changed, unchanged)


async def run(items: int, rounds: int, seconds: float) -> None:
    """Show what a run costs that changes states."""
    async with listeners() as both:
        works = {name: partial(one_run, each, items) for name, each in both.items()}
        results = await in_turn(works, rounds, seconds)
    frames = results[BARE][0].frames or 0
    floor = middle(results[BARE], lambda r: r.cost.cpu)
    rows = [
        (
            name,
            str(len(found)),
            us(middle(found, lambda r: r.cost.cpu) / frames),
            times(middle(found, lambda r: r.cost.cpu), floor),
            ms(middle(found, lambda r: r.cost.stall)),
            ms(middle(found, lambda r: r.cost.stall_cpu)),
            " + ".join(
                f"{middle(found, of):.0f}" for of in (lambda r: r.changed, lambda r: r.unchanged)
            ),
            ms(middle(found, lambda r: r.begins)),
            ms(middle(found, lambda r: r.ends)),
        )
        for name, found in results.items()
    ]
    show(
        f"2. A run of {items:,} items beside Butler's busy row: {frames:,} frames",
        (
            "",
            "rounds",
            "CPU per frame",
            "",
            "longest stall",
            "the same, CPU",
            "states written: changed + unchanged",
            "begins to show after",
            "ends to show after",
        ),
        rows,
    )
