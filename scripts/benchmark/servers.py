"""Simulated servers, in a process of their own.

    python -m scripts.benchmark.servers 50 0.05

serves 50 servers, each of which waits 50 ms before every answer, and prints where they are.
"""

import asyncio
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
import json
from pathlib import Path
import signal
import sys
import tempfile
from typing import Any, Final

import aiohttp

from tests.live.process import REPOSITORY, start_process, stop_process
from tests.simulator import Faults, SimulatedPlex

from .checks import check
from .hostile import MACHINE_IDENTIFIER

STREAM: Final = "/:/websockets/notifications"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is, and the token that it takes."""

    url: str
    token: str
    machine_identifier: str


@dataclass(frozen=True, slots=True)
class Server:
    """A simulated server whose time stands still, with what a benchmark does to it."""

    address: Address
    _control: str
    _session: aiohttp.ClientSession

    async def control(self, method: str, path: str, **content: Any) -> Any:
        """Ask or change something behind the server's back."""
        async with self._session.request(method, self._control + path, json=content) as response:
            response.raise_for_status()
            return await response.json()

    async def begin(self, task: str) -> None:
        """Let a task begin as the schedule would."""
        begun = await self.control("POST", "/start", name=task)
        check(begun == {"status": 200}, f"{task} does not begin: {begun}")

    async def advance(self, seconds: float) -> None:
        """Let time pass for the server."""
        await self.control("POST", "/advance", seconds=seconds)

    async def begin_many(self, type_: str, count: int, frames: str) -> None:
        """Let many activities begin."""
        await self.control("POST", "/activities", type=type_, count=count, frames=frames)

    async def end_many(self, count: int, frames: str) -> None:
        """Let the newest activities end."""
        await self.control("DELETE", "/activities", count=count, frames=frames)

    async def listened_to(self) -> None:
        """Wait until somebody listens to the stream."""
        while not (await self.control("GET", "/state"))["listeners"]:
            await asyncio.sleep(0.05)


@asynccontextmanager
async def server() -> AsyncIterator[Server]:
    """Run one server."""
    async with (
        _process("tests.simulator", "--speed", "0") as ready,
        # Without a time limit: what is measured may block this event loop for many seconds.
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout()) as session,
    ):
        control = ready.pop("control_url")
        yield Server(Address(**ready), control, session)


@asynccontextmanager
async def servers(count: int, latency: float) -> AsyncIterator[list[Address]]:
    """Run many servers in one process; each waits `latency` seconds before every answer."""
    async with _process("scripts.benchmark.servers", str(count), str(latency)) as ready:
        yield [Address(**row) for row in ready]


@asynccontextmanager
async def hostile(flood: str) -> AsyncIterator[Address]:
    """Run a server whose stream is a flood."""
    async with _process("scripts.benchmark.hostile", flood) as port:
        yield Address(f"http://127.0.0.1:{port}", "token", MACHINE_IDENTIFIER)


@asynccontextmanager
async def _process(module: str, *arguments: str) -> AsyncIterator[Any]:
    """Run a module, and return the JSON that it prints when it is ready."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        process: Process = await start_process(
            module, *arguments, cwd=REPOSITORY, errors=log, read_output=True
        )
        try:
            line = await process.stdout.readline() if process.stdout else b""
            check(line, f"{module} ended: {log.read_text()}")
            yield json.loads(line)
        finally:
            await stop_process(process)


async def _serve(count: int, latency: float) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with AsyncExitStack() as stack:
        running = [
            await stack.enter_async_context(
                SimulatedPlex(
                    machine_identifier=f"{number:040x}",
                    friendly_name=f"Server {number}",
                    faults=Faults(slow=latency),
                )
            )
            for number in range(count)
        ]
        addresses = [Address(s.url, s.owner_token, s.machine_identifier) for s in running]
        print(json.dumps([asdict(address) for address in addresses]), flush=True)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), float(sys.argv[2])))
