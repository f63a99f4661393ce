"""What a poll costs: of an idle server, and of one whose list changes each time."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
import gc
import time
from typing import Any, Final

import aiohttp
from homeassistant.helpers.entity_platform import async_get_platforms
from homeassistant.helpers.update_coordinator import CoordinatorEntity
import orjson
from plex_api_client import PlexAPI
from plexapi.server import PlexServer

from .checks import check
from .home import DOMAIN, add_entry, home_assistant, quiet, set_up
from .listeners import BARE, INTEGRATION
from .meter import in_turn, middle
from .servers import Server, server
from .table import show, times, us

POLLED: Final = "library.update.item.metadata"
ITEMS: Final = 10

type Poll = Callable[[], Awaitable[None]]


async def polls(count: int, rounds: int, seconds: float) -> None:
    """Show what one poll costs, by the mean of `count` in each round."""
    pollers = {
        BARE: bare,
        INTEGRATION: integration,
        "PlexAPI": plexapi,
        "plex-api-client": plex_api_client,
    }
    rows = []
    async with AsyncExitStack() as stack:
        polled = await asyncio.gather(*(stack.enter_async_context(server()) for _ in pollers))
        ready = {
            name: (each, await stack.enter_async_context(poller(each)))
            for each, (name, poller) in zip(polled, pollers.items(), strict=True)
        }
        for title, items in (("an idle server", 0), (f"{ITEMS} other items each time", ITEMS)):
            works = {
                name: partial(cpu_of_a_poll, each, poll, items, count)
                for name, (each, poll) in ready.items()
            }
            results = await in_turn(works, rounds, seconds)
            floor = middle(results[BARE], float)
            for name, found in results.items():
                cpu = middle(found, float)
                rows.append((title, name, str(len(found)), us(cpu), times(cpu, floor)))
    show(
        f"5. A poll of the activities, the mean of {count}",
        ("of", "", "rounds", "CPU", ""),
        rows,
    )


async def cpu_of_a_poll(server: Server, poll: Poll, items: int, count: int) -> float:
    """Return the CPU time of one poll, threads included; what happens between two is left out."""
    spent = 0.0
    gc.collect()
    for _ in range(count):
        await server.begin_many(POLLED, items, "none")
        began = time.process_time()
        await poll()
        spent += time.process_time() - began
        await server.end_many(items, "none")
    return spent / count


@asynccontextmanager
async def integration(server: Server) -> AsyncIterator[Poll]:
    """Poll as Home Assistant does: by the coordinator of the integration's entities."""
    async with home_assistant() as hass:
        await set_up(hass, add_entry(hass, server.address))
        await server.listened_to()
        await quiet()
        coordinator = next(
            entity.coordinator
            for platform in async_get_platforms(hass, DOMAIN)
            for entity in platform.entities.values()
            if isinstance(entity, CoordinatorEntity)
        )

        async def poll() -> None:
            await coordinator.async_refresh()
            check(coordinator.last_update_success, "A poll failed")

        yield poll


@asynccontextmanager
async def bare(server: Server) -> AsyncIterator[Poll]:
    """Poll by aiohttp and orjson, and keep the activities by their uuid."""
    address = server.address
    headers = {"X-Plex-Token": address.token, "Accept": "application/json"}
    listed: dict[str, Any] = {}
    async with aiohttp.ClientSession(headers=headers) as session:

        async def poll() -> None:
            async with session.get(f"{address.url}/activities") as response:
                container = orjson.loads(await response.read())["MediaContainer"]
            listed.clear()
            listed.update({row["uuid"]: row for row in container.get("Activity", ())})

        yield poll


@asynccontextmanager
async def plexapi(server: Server) -> AsyncIterator[Poll]:
    """Poll by PlexAPI, which blocks: in a thread."""
    connect: Any = PlexServer
    plex = await asyncio.to_thread(connect, server.address.url, server.address.token)

    async def poll() -> None:
        rows = await asyncio.to_thread(lambda: plex.activities)
        check(rows, "PlexAPI lists nothing")

    yield poll


@asynccontextmanager
async def plex_api_client(server: Server) -> AsyncIterator[Poll]:
    """Poll by Plex's own SDK, in a thread as well."""
    address = server.address
    with PlexAPI(
        token=address.token, server_url=address.url, client_identifier="benchmark"
    ) as client:

        async def poll() -> None:
            answer = await asyncio.to_thread(client.activities.list_activities)
            check(answer.object, "plex-api-client lists nothing")

        yield poll
