"""What frames cost: a scan, a run, frames beside many listed items, and one frame of many rows."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
import time
from typing import Final

from .listeners import (
    BARE,
    INTEGRATION,
    INTROS,
    INTROS_TASK,
    THUMBS,
    THUMBS_TASK,
    Listener,
    Sign,
    bare_listener,
    home_listener,
)
from .meter import Cost, in_turn, metered, middle
from .servers import Server, server
from .table import ms, show, times, us

SILENT: Final = "DeepMediaAnalysis"
"""A task that shows nothing but Butler's busy row: the sign that all frames were handled."""
SILENT_SECONDS: Final = 180
NO_TASKS: Final = "library.refresh.items"
"""Activities of no task: a frame of theirs changes no state, and asks for no poll."""
AFTERWARDS: Final = 0.3
"""How long after the last frame all is still counted, in seconds."""
ENOUGH_ROWS: Final = 100
"""How many rows a frame needs for the CPU per row to be seen."""


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


async def scan(items: int, rounds: int, seconds: float) -> None:
    """Show what a library scan costs."""

    async def act(server: Server) -> None:
        await server.control("POST", "/users/scan_library", items=items, item_seconds=0)
        await server.advance(0)

    async with listeners() as both:
        none = await bursts(both, nothing, 2, seconds)
        results = await bursts(both, act, rounds, seconds)
    frames = 3 * items + 2
    floor = 0.0
    rows = []
    for name, found in results.items():
        each = (middle(found, cpu) - middle(none[name], cpu)) / frames
        floor = floor or each
        rows.append(
            (
                name,
                str(len(found)),
                f"{frames / middle(found, lambda b: b.drained):,.0f}",
                us(each),
                times(each, floor),
                ms(middle(found, lambda b: b.cost.stall)),
                ms(middle(found, lambda b: b.cost.stall_cpu)),
                writes(found, none[name]),
            )
        )
    show(
        f"1. A scan of {items:,} items: {frames:,} frames about activities, {items + 1:,} others",
        (
            "",
            "rounds",
            "frames/s",
            "CPU per frame",
            "",
            "longest stall",
            "the same, CPU",
            "states written: changed + unchanged",
        ),
        rows,
    )


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
    told = None if frames is None or listener.frames is None else listener.frames - frames
    return Run(cost, told, begins, ends, changed, unchanged)


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


async def beside(listed: list[int], items: int, rounds: int, seconds: float) -> None:
    """Show what a frame about a new item costs beside so many listed ones."""

    async def act(server: Server) -> None:
        await server.control("POST", "/users/dvr_noise", times=items)

    rows = []
    for count in listed:
        async with listeners(listed=count) as both:
            none = await bursts(both, nothing, 2, seconds)
            results = await bursts(both, act, rounds, seconds)
        floor = 0.0
        for name, found in results.items():
            each = (middle(found, cpu) - middle(none[name], cpu)) / (2 * items)
            floor = floor or each
            rows.append(
                (
                    f"{count:,}",
                    name,
                    str(len(found)),
                    us(each),
                    times(each, floor),
                    ms(middle(found, lambda b: b.cost.stall_cpu)),
                )
            )
    show(
        f"3. {2 * items:,} frames about {items:,} new items, beside many that are listed",
        ("listed", "", "rounds", "CPU per frame", "", "longest stall, CPU"),
        rows,
    )


async def ended(server: Server, size: int) -> None:
    """Tell in one frame that so many activities have ended."""
    await server.end_many(size, "one")


async def one_frame(sizes: list[int], rounds: int, seconds: float) -> None:
    """Show for how long one frame of many rows blocks the event loop."""
    rows = []
    async with listeners() as both:
        none = await bursts(both, nothing, 2, seconds)
        for size in sizes:

            async def act(server: Server, size: int = size) -> None:
                await server.begin_many(NO_TASKS, size, "one")

            results = {name: list[Burst]() for name in both}
            for _ in range(rounds):
                for name, found in (await bursts(both, act, 1, seconds)).items():
                    results[name] += found
                for listener in both.values():
                    await burst(listener, partial(ended, size=size))
                if results[INTEGRATION][-1].drained * len(results[INTEGRATION]) > seconds:
                    break
            for name, found in results.items():
                rows.append(
                    (
                        f"{size:,}",
                        name,
                        str(len(found)),
                        ms(middle(found, lambda b: b.cost.stall)),
                        ms(middle(found, lambda b: b.cost.stall_cpu)),
                        us((middle(found, cpu) - middle(none[name], cpu)) / size)
                        if size >= ENOUGH_ROWS
                        else "-",
                    )
                )
    show(
        "4. One frame with n new activities",
        ("n", "", "rounds", "blocks the loop", "the same, CPU", "CPU per row"),
        rows,
    )
