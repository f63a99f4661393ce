"""How long many servers take to be set up, beside one of them."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, nullcontext
from functools import partial
from typing import Final

import aiohttp
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component

from .checks import check
from .home import (
    DOMAIN,
    MockConfigEntry,
    add_entry,
    home_assistant,
    quiet,
    set_up,
    without_platforms,
)
from .listeners import BARE, INTEGRATION
from .meter import Cost, in_turn, metered, middle
from .servers import Address, servers
from .table import ms, show, times

LATENCY: Final = 0.05
"""How long each server waits before an answer, in seconds."""


async def setups(count: int, rounds: int, seconds: float) -> None:
    """Show how long one server takes to be set up, and so many together."""
    rows = []
    async with servers(count, LATENCY) as addresses:
        for name, take in (
            (BARE, bare),
            (f"{INTEGRATION} without entities", partial(integration, entities=False)),
            (INTEGRATION, partial(integration, entities=True)),
            (f"{INTEGRATION}, entities new", partial(integration, entities=True, new=True)),
        ):
            results = await take(addresses, rounds, seconds)
            one, many = (results[key] for key in ("one", "many"))
            wall = middle(one, lambda c: c.wall), middle(many, lambda c: c.wall)
            cpu = middle(one, lambda c: c.cpu), middle(many, lambda c: c.cpu)
            rows.append(
                (
                    name,
                    str(len(many)),
                    ms(wall[0]),
                    ms(wall[1]),
                    times(wall[1], wall[0]),
                    ms(cpu[0]),
                    ms(cpu[1]),
                    ms(middle(many, lambda c: c.stall)),
                )
            )
    show(
        f"7. Set-up of {count} servers at {LATENCY * 1000:.0f} ms latency beside one",
        ("", "rounds", "one", f"all {count}", "", "CPU of one", f"of all {count}", "longest stall"),
        rows,
    )


async def integration(
    addresses: list[Address], rounds: int, seconds: float, *, entities: bool, new: bool = False
) -> dict[str, list[Cost]]:
    """Set entries up as Home Assistant does when it starts: all at once.

    Their entities are in the registry already, unless they are to be `new`: there was a set-up
    before the first measured one.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(nullcontext() if entities else without_platforms())
        hass = await stack.enter_async_context(home_assistant())
        entries = [add_entry(hass, address) for address in addresses]
        check(await async_setup_component(hass, DOMAIN, {}), "The integration was not set up")
        await hass.async_block_till_done()
        works = {
            "one": partial(set_up_anew, hass, entries[:1], new=new),
            "many": partial(set_up_anew, hass, entries, new=new),
        }
        return await in_turn(works, rounds, seconds)


async def set_up_anew(hass: HomeAssistant, entries: list[MockConfigEntry], *, new: bool) -> Cost:
    """Unload what is loaded, forget its entities if they are to be new, and set entries up."""
    loaded = hass.config_entries.async_loaded_entries(DOMAIN)
    await asyncio.gather(*(hass.config_entries.async_unload(e.entry_id) for e in loaded))
    if new:
        for entry in entries:
            er.async_get(hass).async_clear_config_entry(entry.entry_id)
    await quiet()
    async with metered() as cost:
        await asyncio.gather(*(set_up(hass, entry) for entry in entries))
    await quiet()
    return cost


async def bare(addresses: list[Address], rounds: int, seconds: float) -> dict[str, list[Cost]]:
    """Send the same requests, one after the other to each server, to all servers at once."""
    works: dict[str, Callable[[], Awaitable[Cost]]] = {
        "one": partial(ask_all, addresses[:1]),
        "many": partial(ask_all, addresses),
    }
    return await in_turn(works, rounds, seconds)


async def ask_all(addresses: list[Address]) -> Cost:
    """Ask some servers for everything."""
    async with metered() as cost:
        await asyncio.gather(*(ask(address) for address in addresses))
    return cost


async def ask(address: Address) -> None:
    """Ask one server for everything."""
    headers = {"X-Plex-Token": address.token, "Accept": "application/json"}
    async with aiohttp.ClientSession(headers=headers) as session:
        for path in ("/identity", "/", "/butler", "/activities"):
            async with session.get(address.url + path) as response:
                await response.json()
