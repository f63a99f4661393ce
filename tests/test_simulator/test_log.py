"""What the simulated server writes into its log, and whom it shows that."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
import json
from typing import Any, Final

import aiohttp
from aiohttp import ClientWebSocketResponse
import pytest

from tests.bare_http import FIXTURES, ask, session_of
from tests.simulator import SimulatedPlex
from tests.simulator.log import Level
from tests.task_names import BACKUP, DEEP, OPTIMIZE

pytestmark = pytest.mark.usefixtures("socket_enabled")

LOG: Final = "/:/websockets/notifications?filters=log"
CREDITS: Final = "ButlerTaskGenerateCreditsMarkers"


@asynccontextmanager
async def log_of(
    server: SimulatedPlex, token: str | None = None, path: str = LOG
) -> AsyncGenerator[ClientWebSocketResponse]:
    async with (
        session_of(server, *(() if token is None else (token,))) as session,
        session.ws_connect(server.url + path) as socket,
    ):
        yield socket


async def lines(socket: ClientWebSocketResponse, count: int) -> list[str]:
    """Return the texts of so many lines."""
    return [row["message"] for row in [await line(socket) for _ in range(count)]]


async def line(socket: ClientWebSocketResponse) -> dict[str, Any]:
    """Return the next line."""
    container = json.loads((await socket.receive(timeout=1)).data)["NotificationContainer"]
    assert container["type"] == "log"
    (row,) = container["LogSentNotification"]
    return dict(row)


async def test_line_has_the_fields_that_were_seen(server: SimulatedPlex) -> None:
    seen = [json.loads(frame) for frame in (FIXTURES / "frames.jsonl").open()]
    (frame,) = (f for f in seen if f["NotificationContainer"]["type"] == "log")
    (expected,) = frame["NotificationContainer"]["LogSentNotification"]
    async with log_of(server) as socket:
        server.log.write("Beginning read from WebSocket")
        written = await line(socket)
    assert {k: type(v) for k, v in written.items()} == {k: type(v) for k, v in expected.items()}
    assert written["time"] == "Nov 23, 2026 20:00:00.000"
    assert (written["level"], written["message"]) == (3, expected["message"])


async def test_nothing_else_comes_along_and_it_comes_only_when_asked_for(
    server: SimulatedPlex,
) -> None:
    async with log_of(server) as socket, log_of(server, path=LOG.partition("?")[0]) as other:
        server.users.dvr_noise()
        server.log.write("one")
        server.users.dvr_noise()
        server.log.write("two")
        assert await lines(socket, 2) == ["one", "two"]
        for _ in range(4):
            frame = json.loads((await other.receive(timeout=1)).data)
            assert frame["NotificationContainer"]["type"] == "activity"


async def test_lines_are_those_that_were_described(server: SimulatedPlex) -> None:
    described = (FIXTURES / "log-lines.txt").read_text()
    server.butler.tasks[OPTIMIZE].schedule_randomized = True
    server.butler.profiles[BACKUP].duration = 1
    async with log_of(server) as socket:
        server.butler.start(BACKUP)
        await server.advance(1)
        server.faults.backup_fails = True
        server.butler.start(BACKUP)
        await server.advance(1)
        server.butler.start(CREDITS)
        written = await lines(socket, 3 + 4 + 3)
    assert written[:3] == [
        f"Butler: Starting task '{BACKUP}'",
        "Beginning database backup",
        "Database backup completed: 0",
    ]
    for text in written[1:3] + written[4:7]:
        assert f" - {text}\n" in described
    assert written[7] == f"Butler: Starting task '{CREDITS}'"
    assert written[8] == "Butler: Scheduling credits marker creation for: 79141"


async def test_scheduled_tasks_are_written_as_well() -> None:
    async with SimulatedPlex(nightly=True) as server, log_of(server) as socket:
        await server.advance(6 * 3600)
        assert await lines(socket, 2) == [
            "Butler: Scheduling randomized task 'AutomaticUpdates'",
            "Butler: Scheduling randomized task 'RefreshEpgGuides'",
        ]
        await server.advance(3 * 3600)
        seen = {BACKUP: False, "delayed": False}
        while not all(seen.values()):
            (text,) = await lines(socket, 1)
            seen[BACKUP] |= text == f"Butler: Starting task '{BACKUP}'"
            seen["delayed"] |= text.startswith("Butler: Running delayed task '")


async def test_optimization(server: SimulatedPlex) -> None:
    server.butler.profiles[OPTIMIZE].stalls = False
    async with log_of(server) as socket:
        server.butler.start(OPTIMIZE)
        await server.advance(1800)
        written = await lines(socket, 61)
    assert written[0] == f"Butler: Starting task '{OPTIMIZE}'"
    assert len(set(written[1:-1])) == 1
    assert written[-1] == "Database optimization: complete"


async def test_lines_of_debug_need_a_preference(server: SimulatedPlex) -> None:
    async with log_of(server) as socket:
        await ask(server, "PUT", "/:/prefs?logDebug=0")
        server.butler.start(DEEP)
        server.log.write("seen", Level.INFO)
        assert await lines(socket, 1) == ["seen"]


@pytest.mark.parametrize("rate", [5, 400, 0.5])
async def test_chatter(server: SimulatedPlex, rate: float) -> None:
    async with log_of(server) as socket:
        server.log.chatter(rate)
        await server.advance(10)
        assert len(await lines(socket, int(10 * rate))) == 10 * rate
        server.log.chatter(0)
        await server.advance(10)
        server.log.rotate()
        assert (await lines(socket, 1))[0].startswith("Plex Media Server v1.43")


async def test_start_is_more_than_a_banner(server: SimulatedPlex) -> None:
    async with log_of(server) as socket:
        server.log.restarted()
        assert (await lines(socket, 2))[1] == "HttpServer: Listening on port 32400"


async def test_who_may_read_it(server: SimulatedPlex) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with log_of(server, server.shared_token):
            pass
    assert refused.value.status == 403
