"""The simulated server as a process of its own, and its control listener."""

import asyncio
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
import json
from pathlib import Path
import signal
import sys
from typing import Any, Final

import aiohttp
import pytest
from yarl import URL

from tests.repository import ROOT
from tests.simulator.__main__ import main

pytestmark = pytest.mark.usefixtures("socket_enabled")

SILENT: Final = "DeepMediaAnalysis"
TCP: Final = Path("/proc/net/tcp")


@dataclass(frozen=True, slots=True)
class Simulator:
    """A process that has said that it is ready."""

    process: Process
    session: aiohttp.ClientSession
    ready: dict[str, str]

    async def control(self, method: str, path: str, content: Any = None) -> Any:
        """Ask its control listener."""
        url = self.ready["control_url"] + path
        async with self.session.request(method, url, json=content) as response:
            response.raise_for_status()
            return await response.json()

    async def plex(self, method: str, path: str, token: str | None = None) -> int:
        """Ask the server and return the status."""
        headers = {"X-Plex-Token": self.ready["token"] if token is None else token}
        url = self.ready["url"] + path
        async with self.session.request(method, url, headers=headers) as response:
            await response.read()
            return response.status


@asynccontextmanager
async def simulator(*arguments: str) -> AsyncGenerator[Simulator]:
    """Run the command, and see it end silently when it is told to."""
    command = [sys.executable, "-m", "tests.simulator", *arguments]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=PIPE, stderr=PIPE)
    assert process.stdout
    try:
        async with asyncio.timeout(20):
            line = await process.stdout.readline()
        connector = aiohttp.TCPConnector(force_close=True)
        timeout = aiohttp.ClientTimeout(5)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            yield Simulator(process, session, json.loads(line))
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(5):
            output, errors = await process.communicate()
    assert (process.returncode, output, errors) == (0, b"", b"")


async def test_it_says_where_it_is_and_serves_this_machine_alone() -> None:
    async with simulator("--token", "Ow-ner", "--name", "Attic") as running:
        assert running.ready.keys() == {"url", "control_url", "token", "machine_identifier"}
        assert running.ready["token"] == "Ow-ner"
        assert await running.plex("GET", "/butler") == 200
        assert await running.plex("GET", "/butler", "bogus") == 401
        async with running.session.get(f"{running.ready['url']}/identity") as response:
            assert running.ready["machine_identifier"] in await response.text()
        if TCP.exists():
            ports = [URL(running.ready[name]).port for name in ("url", "control_url")]
            assert [addresses(port) for port in ports] == [["0100007F"]] * 2


def addresses(port: int | None) -> list[str]:
    """Return on which addresses somebody listens at a port, as Linux writes them."""
    rows = [
        line.split()
        for table in (TCP, TCP.with_name("tcp6"))
        if table.exists()
        for line in table.read_text().splitlines()[1:]
    ]
    return [
        row[1].split(":")[0] for row in rows if row[3] == "0A" and row[1].endswith(f":{port:04X}")
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
async def test_arguments_and_a_signal_that_ends_it_whatever_hangs(number: signal.Signals) -> None:
    async with simulator(
        *("--unclaimed", "--no-plex-pass", "--users", "--speed", "0", "--now", "2026-11-22T12:00"),
        *("--fault", "row_always_100", "--fault", "retry_after=7", "--fault", "redirect_to="),
    ) as running:
        state = await running.control("GET", "/state")
        assert state["now"] == "2026-11-22T12:00:00"
        assert state["faults"]["row_always_100"] is True
        assert state["faults"]["retry_after"] == 7
        assert await running.plex("GET", "/butler", "") == 200
        await running.control("POST", "/claim")
        assert await running.plex("GET", "/butler", "") == 401
        assert await running.plex("GET", "/:/prefs/get?id=GenerateVADBehavior") == 404

        await running.control("PATCH", "/faults", {"hang": True})
        waiting = asyncio.create_task(running.plex("GET", "/identity"))
        async with asyncio.timeout(5):
            while len(await running.control("GET", "/requests")) < 3:
                await asyncio.sleep(0)
        running.process.send_signal(number)
        async with asyncio.timeout(2):
            assert await running.process.wait() == 0
        with pytest.raises(aiohttp.ClientConnectionError):
            await waiting


@pytest.mark.parametrize(
    "arguments", [["--fault", "nobody"], ["--profile", "x"], ["--speed", "?"], ["--now", "?"]]
)
def test_wrong_arguments(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["simulator", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert arguments[0] in capsys.readouterr().err


async def test_control() -> None:
    async with simulator("--speed", "0") as running:
        # Faults, and what arrived with whose token.
        await running.control("PATCH", "/faults", {"maintenance": True})
        assert await running.plex("GET", "/butler") == 503
        await running.control("PATCH", "/faults", {"maintenance": False})
        with pytest.raises(aiohttp.ClientResponseError, match="400"):
            await running.control("PATCH", "/faults", {"nobody": True})
        assert await running.plex("GET", "/butler?X-Plex-Token=bogus", "") == 401
        requests = await running.control("GET", "/requests")
        assert [(r["path"], r["status"], r["token"]) for r in requests] == [
            ("/butler", 503, "owner"),
            ("/butler", 401, "other"),
        ]
        assert [r["token_in_query"] for r in requests] == [False, True]
        assert running.ready["token"] not in json.dumps(requests)
        assert "bogus" not in json.dumps(requests)

        # Players.
        await running.control("POST", "/users/play", {"player": "Bedroom"})
        assert (await running.control("GET", "/state"))["sessions"] == 1
        await running.control("POST", "/users/play", {"player": "Bedroom", "state": "stopped"})
        assert (await running.control("GET", "/state"))["sessions"] == 0

        # Time and tasks.
        assert await running.plex("POST", f"/butler/{SILENT}") == 200
        await running.control("POST", "/advance", {"seconds": 179})
        assert (await running.control("GET", "/state"))["running"] == [SILENT]
        await running.control("POST", "/advance", {"seconds": 1})
        state = await running.control("GET", "/state")
        assert (state["running"], state["queued"]) == ([], [])
        assert state["history"] == [["started", SILENT], ["finished", SILENT]]
        await running.control("POST", "/task", {"name": "BrewCoffee", "interval": 1})
        assert await running.plex("POST", "/butler/BrewCoffee") == 200
        await running.control("POST", "/task", {"name": "BrewCoffee", "remove": True})
        assert await running.plex("POST", "/butler/BrewCoffee") == 404
        await running.control("POST", "/task", {"name": SILENT, "enabled": False})
        wanted = {"ButlerStartHour": 3, "ButlerTaskBackupDatabase": False, "Nobody": "x"}
        await running.control("POST", "/preferences", wanted)
        preferences = (await running.control("GET", "/state"))["preferences"]
        assert preferences["ButlerStartHour"] == 3
        assert preferences["ButlerTaskBackupDatabase"] is False
        assert "Nobody" not in preferences

        # What nobody asked for, and somebody who hears of it.
        stream = f"{running.ready['url']}/:/websockets/notifications"
        headers = {"X-Plex-Token": running.ready["token"]}
        async with running.session.ws_connect(stream, headers=headers) as listener:
            async with asyncio.timeout(5):
                while not (await running.control("GET", "/state"))["listeners"]:
                    await asyncio.sleep(0)
            for status in (200, 202):
                begun = await running.control("POST", "/start", {"name": "MusicAnalysis"})
                assert begun == {"status": status}
            closing = asyncio.create_task(running.control("POST", "/hang-up"))
            heard = [message.data async for message in listener]
            await closing
        assert any("media.generate.music.analysis" in data for data in heard)
        state = await running.control("GET", "/state")
        assert (state["listeners"], state["running"]) == (0, ["MusicAnalysis"])
        assert await running.control("POST", "/start", {"name": "nobody"}) == {"status": 404}

        # Users.
        await running.control("POST", "/users/scan_library", {"items": 1})
        await running.control("POST", "/users/play")
        for what in ("nobody", "_for"):
            with pytest.raises(aiohttp.ClientResponseError, match="404"):
                await running.control("POST", f"/users/{what}")

        # The process.
        await running.control("POST", "/stop-listening")
        with pytest.raises(aiohttp.ClientConnectorError):
            await running.plex("GET", "/identity")
        await running.control("POST", "/listen")
        assert await running.plex("GET", "/identity") == 200
        assert await running.plex("POST", "/butler/LoudnessAnalysis") == 200
        await running.control("POST", "/restart")
        assert not (await running.control("GET", "/state"))["running"]
        token = (await running.control("POST", "/revoke"))["token"]
        assert await running.plex("GET", "/butler") == 401
        assert await running.plex("GET", "/butler", token) == 200


async def test_demo_at_speed_with_users_and_nights() -> None:
    arguments = ("--profile", "demo", "--nightly", "--users", "--speed", "20000")
    async with simulator(*arguments, "--now", "2026-11-23T01:59") as running:
        async with asyncio.timeout(10):
            while len((state := await running.control("GET", "/state"))["history"]) < 3:
                await asyncio.sleep(0.01)
        assert state["history"][0] == ["started", "ButlerTaskGenerateAdMarkers"]
