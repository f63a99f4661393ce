"""The simulated Plex Media Server as a process of its own, and its controls."""

import asyncio
from asyncio.subprocess import Process
from collections.abc import Callable
import json
from pathlib import Path
from typing import Any, Final

import aiohttp
from yarl import URL

from .connection import Json
from .process import REPOSITORY, ProcessDiedError, start_process, stop_process

START_TIMEOUT: Final = 30.0
TIMEOUT: Final = 30.0
STREAM: Final = "/:/websockets/notifications"


class SimulatorProcess:
    """`python -m tests.simulator` with what it tells when it is ready."""

    def __init__(self, output: Path, *arguments: str) -> None:
        """Take the file for what it writes, and its command line arguments."""
        self.url = ""
        self.token = ""
        self.machine_identifier = ""
        self.process: Process | None = None
        self._control = URL()
        self._output = output
        self._arguments = arguments

    async def start(self) -> None:
        """Start the process and wait until it listens.

        Raises:
            ProcessDiedError: It ended while starting.
            TimeoutError: It said nothing in half a minute.
        """
        self.process = await start_process(
            "tests.simulator",
            *self._arguments,
            cwd=REPOSITORY,
            errors=self._output,
            read_output=True,
        )
        async with asyncio.timeout(START_TIMEOUT):
            line = await self.process.stdout.readline() if self.process.stdout else b""
            if not line:
                await self.process.wait()
                raise ProcessDiedError("The simulator ended while starting", self._output)
        ready = json.loads(line)
        self.url = ready["url"]
        self.token = ready["token"]
        self.machine_identifier = ready["machine_identifier"]
        self._control = URL(ready["control_url"])

    async def stop(self) -> None:
        """Stop the process."""
        if self.process is not None:
            await stop_process(self.process)

    async def control(self, method: str, path: str, content: Any = None) -> Any:
        """Ask or change something behind the server's back."""
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(10)) as session,
            session.request(method, self._control.join(URL(path)), json=content) as response,
        ):
            response.raise_for_status()
            return await response.json()

    async def state(self) -> Json:
        """Return what really happens there."""
        state: Json = await self.control("GET", "/state")
        return state

    async def requests(self, path: str | None = None) -> list[Json]:
        """Return what arrived, in order."""
        requests: list[Json] = await self.control("GET", "/requests")
        return [request for request in requests if path in (None, request["path"])]

    async def begin(self, task: str) -> None:
        """Let a task begin as the schedule would: nobody else knows."""
        assert await self.control("POST", "/start", {"name": task}) == {"status": 200}

    async def advance(self, seconds: float) -> None:
        """Let time pass."""
        await self.control("POST", "/advance", {"seconds": seconds})

    async def set(self, **faults: Any) -> None:
        """Switch faults on or off."""
        await self.control("PATCH", "/faults", faults)

    async def until(self, path: str, look: Callable[[Any], bool]) -> None:
        """Wait until something holds of what the control listener tells.

        Raises:
            TimeoutError: It never did.
        """
        async with asyncio.timeout(TIMEOUT):
            while not look(await self.control("GET", path)):
                await asyncio.sleep(0.05)
