"""Measure what a library scan's frames cost Home Assistant, with a bare client as the peer.

    $(scripts/bootstrap current) -m scripts.benchmark

A simulated server, a process of its own, tells of a scan of thousands of items as fast as it can.
Once a Home Assistant with Plex Butler listens, once a client that does nothing but decode JSON.
Both have an event loop to themselves, whose longest stall is taken.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
import tempfile
import time
from typing import Any, Final
from unittest.mock import patch

import aiohttp
from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import frame
from homeassistant.loader import DATA_CUSTOM_COMPONENTS

from custom_components.plex_butler.const import CONF_CLIENT_IDENTIFIER, DOMAIN
import tests.early  # noqa: F401 - before the harness
from tests.live.simulator import SimulatorProcess

from pytest_homeassistant_custom_component.common import (  # isort: skip
    MockConfigEntry,
    async_test_home_assistant,
)

ITEMS: Final = 5000
TICK: Final = 0.001


class Resolver(aiohttp.ThreadedResolver):
    """A resolver that Home Assistant can close."""

    async def real_close(self) -> None:
        """Close it."""
        await self.close()


@dataclass
class Measured:
    """What one client did with the frames."""

    name: str
    frames: int = 0
    seconds: float = 0
    rate: float = 0
    stall: float = 0
    writes: int | None = None

    def line(self) -> str:
        """Return a row of the table."""
        writes = "-" if self.writes is None else f"{self.writes}"
        stall = f"{self.stall * 1000:.0f} ms"
        return f"| {self.name} | {self.frames} | {self.rate:,.0f} | {stall} | {writes} |"


@asynccontextmanager
async def stalls(measured: Measured) -> AsyncIterator[None]:
    """Take the longest time for which the event loop did not come round."""

    async def tick() -> None:
        last = time.perf_counter()
        while True:
            await asyncio.sleep(TICK)
            now = time.perf_counter()
            measured.stall = max(measured.stall, now - last - TICK)
            last = now

    ticking = asyncio.create_task(tick())
    try:
        yield
    finally:
        ticking.cancel()


async def scan(server: SimulatorProcess, items: int) -> None:
    """Let somebody scan a library, all of it in one moment."""
    await server.control("POST", "/users/scan_library", {"items": items, "item_seconds": 0})


async def drained(count: Callable[[], int], wanted: int, measured: Measured) -> None:
    """Wait until all frames were handled, timed from the first one seen."""
    while not (before := count()):
        await asyncio.sleep(TICK)
    began = time.perf_counter()
    while count() < wanted:
        await asyncio.sleep(TICK)
    measured.seconds = time.perf_counter() - began
    measured.frames = count()
    measured.rate = (measured.frames - before) / measured.seconds


async def measure_integration(server: SimulatorProcess, items: int) -> Measured:
    """Measure Home Assistant with the integration."""
    measured = Measured("Plex Butler in Home Assistant", writes=0)
    with (
        tempfile.TemporaryDirectory() as folder,
        # The other one would look for names in the network.
        patch(
            "homeassistant.helpers.aiohttp_client._async_make_resolver",
            return_value=Resolver(),
        ),
    ):
        async with async_test_home_assistant(config_dir=folder) as hass:
            hass.data.pop(DATA_CUSTOM_COMPONENTS, None)
            hass.loop.set_debug(False)
            frame.async_setup(hass)
            entry = MockConfigEntry(
                domain=DOMAIN,
                title="Cellar",
                unique_id=server.machine_identifier,
                data={
                    "url": server.url,
                    "token": server.token,
                    "verify_ssl": True,
                    CONF_CLIENT_IDENTIFIER: "benchmark",
                },
            )
            entry.add_to_hass(hass)
            if not await hass.config_entries.async_setup(entry.entry_id):
                raise SystemExit(f"The integration was not set up: {entry.reason}")
            await asyncio.sleep(1)
            count_writes(hass, measured)
            frames = entry.runtime_data.observations.frames
            async with stalls(measured):
                await scan(server, items)
                await drained(lambda: frames["there"] + frames["ended"], 2 * items, measured)
            await hass.async_stop(force=True)
    return measured


def count_writes(hass: HomeAssistant, measured: Measured) -> None:
    """Count the states that change."""

    @callback
    def count(_: Any) -> None:
        measured.writes = (measured.writes or 0) + 1

    hass.bus.async_listen(EVENT_STATE_CHANGED, count)


async def measure_bare_client(server: SimulatorProcess, items: int) -> Measured:
    """Measure a client that decodes each frame and does nothing else."""
    measured, seen = Measured("Bare client, JSON decoded"), [0]

    async def listen(socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            seen[0] += message.json()["NotificationContainer"]["type"] == "activity"

    async with (
        aiohttp.ClientSession(headers={"X-Plex-Token": server.token}) as session,
        session.ws_connect(f"{server.url}/:/websockets/notifications") as socket,
    ):
        listening = asyncio.create_task(listen(socket))
        async with stalls(measured):
            await scan(server, items)
            await drained(lambda: seen[0], 2 * items, measured)
        listening.cancel()
    return measured


async def main() -> None:
    """Measure both and print the table."""
    parser = argparse.ArgumentParser(prog="scripts/benchmark.py", description=__doc__)
    parser.add_argument("--items", type=int, default=ITEMS, help="of the scan; each has two frames")
    items = parser.parse_args().items
    with tempfile.TemporaryDirectory() as folder:
        server = SimulatorProcess(Path(folder) / "simulator.log", "--speed", "1")
        await server.start()
        try:
            results = [
                await measure(server, items)
                for measure in (measure_bare_client, measure_integration) * 2
            ]
        finally:
            await server.stop()
    print("| | frames | frames per second | longest stall | states written |")
    print("| --- | --- | --- | --- | --- |")
    for measured in results:
        print(measured.line())


if __name__ == "__main__":
    asyncio.run(main())
