"""What frames cost: a scan's, beside many listed items, and one frame of many rows."""

import asyncio
from functools import partial
from typing import Final

from .bursts import NO_TASKS, Burst, burst, bursts, cpu, listeners, nothing, writes
from .listeners import INTEGRATION
from .meter import Cost, metered, middle
from .servers import Server
from .table import ms, show, times, us

LATER: Final = 5.5
"""For how long after a frame a poll may come that it asked for, in seconds."""
MANY_ROWS: Final = 1_000
"""How many rows a frame needs for such a poll to cost anything."""
ENOUGH_ROWS: Final = 100
"""How many rows a frame needs for the CPU per row to be seen."""


async def scan(items: int, rounds: int, seconds: float) -> None:
    """Show what a library scan costs."""

    async def act(server: Server) -> None:
        await server.control("POST", "/users/scan_library", items=items, item_seconds=0)
        await server.advance(0)

    async with listeners() as both:
        none = await bursts(both, nothing, rounds, seconds)
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


async def beside(sizes: dict[int, int], rounds: int, seconds: float) -> None:
    """Show what a frame about a new item costs.

    The keys are how many items are listed, the values how many come and go, one after the other.
    """
    rows = []
    for count, items in sizes.items():

        async def act(server: Server, items: int = items) -> None:
            await server.control("POST", "/users/dvr_noise", times=items)

        async with listeners(listed=count) as both:
            none = await bursts(both, nothing, rounds, seconds)
            results = await bursts(both, act, rounds, seconds)
        floor = 0.0
        for name, found in results.items():
            each = (middle(found, cpu) - middle(none[name], cpu)) / (2 * items)
            floor = floor or each
            rows.append(
                (
                    f"{count:,}",
                    f"{2 * items:,}",
                    name,
                    str(len(found)),
                    us(each),
                    times(each, floor),
                    ms(middle(found, lambda b: b.cost.stall_cpu)),
                )
            )
    show(
        "3. Frames about items that come and go, beside many that are listed",
        ("listed", "frames", "", "rounds", "CPU per frame", "", "longest stall, CPU"),
        rows,
    )


async def one_frame(sizes: list[int], rounds: int, seconds: float) -> None:
    """Show for how long one frame of many rows blocks the event loop, and the poll it may ask for."""
    rows = []
    async with listeners() as both:
        none = await bursts(both, nothing, rounds, seconds)
        for size in sizes:
            begun = {name: list[Burst]() for name in both}
            ended = {name: list[Burst]() for name in both}
            later = list[Cost]()
            for _ in range(rounds):
                for name, listener in both.items():
                    begun[name].append(await burst(listener, partial(begin, size=size)))
                if size >= MANY_ROWS:
                    async with metered() as cost:
                        await asyncio.sleep(LATER)
                    later.append(cost)
                for name, listener in both.items():
                    ended[name].append(await burst(listener, partial(end, size=size)))
                if sum(found.drained for found in begun[INTEGRATION]) > seconds:
                    break
            for name in both:
                each = (middle(begun[name], cpu) - middle(none[name], cpu)) / size
                after = later if name == INTEGRATION else []
                rows.append(
                    (
                        f"{size:,}",
                        name,
                        str(len(begun[name])),
                        ms(middle(begun[name], lambda b: b.cost.stall)),
                        ms(middle(begun[name], lambda b: b.cost.stall_cpu)),
                        us(each) if size >= ENOUGH_ROWS else "-",
                        ms(middle(after, lambda c: c.stall_cpu)) if after else "-",
                        ms(middle(ended[name], lambda b: b.cost.stall_cpu)),
                    )
                )
    show(
        "4. One frame with n new activities, and one with their ends",
        (
            "n",
            "",
            "rounds",
            "blocks the loop",
            "the same, CPU",
            "CPU per row",
            f"{LATER:.1f} s after it, CPU",
            "the ends, CPU",
        ),
        rows,
    )


async def begin(server: Server, size: int) -> None:
    """Tell in one frame that so many activities have begun."""
    await server.begin_many(NO_TASKS, size, "one")


async def end(server: Server, size: int) -> None:
    """Tell in one frame that so many activities have ended."""
    await server.end_many(size, "one")
