"""What reading a server's log costs, and how long a hostile one can block the event loop."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
import gc
from typing import Final

import aiohttp
from yarl import URL

from custom_components.plex_butler.plex import LogReader, PlexClient, PlexError, refuse_redirects

from .checks import check
from .hostile import FLOODS
from .listeners import BARE, INTEGRATION
from .meter import Cost, in_turn, metered, middle
from .servers import STREAM, Address, Server, hostile, server
from .table import ms, show, times, us

LOG: Final = f"{STREAM}?filters=log"
LAST: Final = "Database backup completed: 0"
"""The sign that all lines were handled."""
AT_ONCE: Final = 10_000
"""How many lines are sent for each command to the server."""
ITEM: Final = "Butler: Scheduling credits marker creation for: 79140"

type Send = Callable[[], Awaitable[None]]
type Take = Callable[[Address], Awaitable[None]]


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
    """Receive lines as Plex Butler does, until the last one."""
    reader = LogReader(lambda: {"BackupDatabase"}, Counter())
    async with _client(own.address) as client:
        async with client.log(reader) as lines:
            sending = asyncio.ensure_future(send())
            async for line in lines:
                if any(repr(each.sign) == "BackupCompleted(code=0)" for each in line):
                    break
        await sending


@asynccontextmanager
async def _client(address: Address) -> AsyncIterator[PlexClient]:
    async with aiohttp.ClientSession(middlewares=(refuse_redirects,)) as session:
        yield PlexClient(
            session,
            URL(address.url),
            address.token,
            client_identifier="benchmark",
            machine_identifier=address.machine_identifier,
            version="0",
        )


async def log(count: int, rounds: int, seconds: float) -> None:
    """Show what lines cost that are not ours, and lines of Butler."""
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


async def floods(seconds: float) -> None:
    """Show how long a hostile stream can block the event loop, and how soon it is cut off."""
    rows = []
    for flood in FLOODS:
        readers = {BARE: _take_bare, "its notifications": _take_changes, "its log": _take_log}
        for name, take in readers.items():
            async with hostile(flood) as address:
                ended = False

                async def cut_off(take: Take = take, address: Address = address) -> None:
                    nonlocal ended
                    with suppress(TimeoutError):
                        async with asyncio.timeout(seconds):
                            await take(address)
                            ended = True

                # What Python's garbage collector takes depends on all of this process.
                gc.collect()
                gc.freeze()
                cost = await _cost(cut_off)
                gc.unfreeze()
            after = ms(cost.wall) if ended else f"not within {seconds:.0f} s"
            rows.append((flood, name, after, ms(cost.cpu), ms(cost.stall), ms(cost.stall_cpu)))
    show(
        "11. A hostile stream",
        ("sends", "", "cut off after", "CPU", "longest stall", "the same, CPU"),
        rows,
    )


async def _take_bare(address: Address) -> None:
    async with aiohttp.ClientSession() as session:
        # It would answer pings for ever, before anybody else gets to do anything.
        socket = await session.ws_connect(address.url + LOG, decode_text=False, autoping=False)
        try:
            async for _ in socket:
                await asyncio.sleep(0)
        finally:
            # It would wait for the end of a flood.
            with suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await socket.close()


async def _take_changes(address: Address) -> None:
    async with _client(address) as client:
        await _take(client.notifications())


async def _take_log(address: Address) -> None:
    async with _client(address) as client:
        await _take(client.log(LogReader(lambda: {"BackupDatabase"}, Counter())))


async def _take(stream: AbstractAsyncContextManager[AsyncIterator[object]]) -> None:
    try:
        async with stream as results:
            async for _ in results:
                pass
    except PlexError as err:
        check(err.key == "flood", f"{err}")


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
