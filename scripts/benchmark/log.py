"""What reading a server's log costs, and how long a hostile one can block the event loop."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import aiohttp
from yarl import URL

from custom_components.plex_butler.plex import LogReader, PlexClient, PlexError, refuse_redirects

from .checks import check
from .listeners import BARE, INTEGRATION
from .meter import Cost, in_turn, metered, middle
from .servers import STREAM, Server, server
from .table import ms, show, times, us

LOG: Final = f"{STREAM}?filters=log"
LAST: Final = "Database backup completed: 0"
"""The sign that all lines were handled."""
AT_ONCE: Final = 10_000
"""How many lines are sent for each command to the server."""
ITEM: Final = "Butler: Scheduling credits marker creation for: 79140"
START: Final = "Butler: Starting task 'BackupDatabase'"
MEGABYTES: Final = 100

type Send = Callable[[], Awaitable[None]]


async def bare(own: Server, send: Send) -> None:
    """Receive lines until the last one, and do nothing with them."""
    headers = {"X-Plex-Token": own.address.token}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.ws_connect(own.address.url + LOG, decode_text=False) as socket,
    ):
        sending = asyncio.ensure_future(send())
        async for message in socket:
            if LAST.encode() in message.data:
                break
        await sending


async def integration(own: Server, send: Send) -> None:
    """Receive lines as Plex Butler does, until the last one or until it has cut the server off."""
    address = own.address
    reader = LogReader(lambda: {"BackupDatabase"}, Counter())
    async with aiohttp.ClientSession(middlewares=(refuse_redirects,)) as session:
        client = PlexClient(
            session,
            URL(address.url),
            address.token,
            client_identifier="benchmark",
            machine_identifier=address.machine_identifier,
            version="0",
        )
        async with client.log(reader) as lines:
            sending = asyncio.ensure_future(send())
            try:
                async for line in lines:
                    if any(repr(each.sign) == "BackupCompleted(code=0)" for each in line):
                        break
            except PlexError as err:
                check(err.key == "flood", f"{err}")
        await sending


async def log(count: int, rounds: int, seconds: float) -> None:
    """Show what lines cost that are not ours, lines of Butler, and what a flood does."""
    rows = []
    async with server() as own:
        for title, text in (("about other things", "Private"), ("of Butler, each", ITEM)):
            works = {
                name: partial(_cost, partial(read, own, partial(_write, own, text, count)))
                for name, read in ((BARE, bare), (INTEGRATION, integration))
            }
            results = await in_turn(works, rounds, seconds)
            floor = middle(results[BARE], _cpu)
            rows += [
                (
                    title,
                    name,
                    str(len(found)),
                    ms(middle(found, _cpu) / count * 10_000),
                    us(middle(found, _cpu) / count),
                    times(middle(found, _cpu), floor),
                    ms(middle(found, lambda cost: cost.stall_cpu)),
                )
                for name, found in results.items()
            ]
        show(
            f"10. {count:,} lines of the log",
            ("lines", "", "rounds", "CPU for 10,000", "for one", "", "longest stall, CPU"),
            rows,
        )
        floods = {
            "1,000,000 lines": partial(_write, own, "Private", 1_000_000),
            "10,000 starts of a task": partial(_write, own, START, 10_000),
            f"one line of {MEGABYTES} MB": partial(
                own.control, "POST", "/log", text="Butler: ", times=MEGABYTES << 17
            ),
        }
        cut_off = []
        for title, flood in floods.items():
            cost = await _cost(partial(integration, own, flood))
            cut_off.append((title, ms(cost.cpu), ms(cost.stall), ms(cost.stall_cpu)))
        show(
            "11. A hostile log, which is cut off",
            ("sends", "CPU", "longest stall", "the same, CPU"),
            cut_off,
        )


async def _cost(work: Callable[[], Awaitable[None]]) -> Cost:
    async with metered() as cost:
        await work()
    return cost


def _cpu(cost: Cost) -> float:
    return cost.cpu


async def _write(own: Server, text: str, count: int) -> None:
    for _ in range(0, count, AT_ONCE):
        await own.control("POST", "/log", text=text, lines=min(count, AT_ONCE))
    await own.control("POST", "/log", text=LAST)
