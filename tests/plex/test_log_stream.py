"""The stream of a server's log: who gets the token, who is refused, and what is cut off."""

from collections import Counter
from collections.abc import AsyncGenerator
import struct
from typing import Final

import pytest

from custom_components.plex_butler.plex import (
    LogReader,
    NotOwnerError,
    NotPlexError,
    OtherServerError,
    PlexClient,
    PlexError,
    TaskStarted,
)
from custom_components.plex_butler.plex.errors import FloodError
from tests.plex.clients import TOKEN, client_for
from tests.plex.scripted_server import http, scripted_server
from tests.simulator import SimulatedPlex
from tests.task_names import BACKUP

pytestmark = pytest.mark.usefixtures("socket_enabled")

STREAM: Final = "/:/websockets/notifications"


def reader() -> LogReader:
    """Return a reader for a server with one task."""
    return LogReader(lambda: {BACKUP}, Counter())


@pytest.fixture(name="expected_lingering_timers")
def expected_lingering_timers_fixture() -> bool:
    """Expect aiohttp's heartbeat: the other side's goodbye sets it going a last time."""
    return True


@pytest.fixture(name="server")
async def server_fixture(socket_enabled: None) -> AsyncGenerator[SimulatedPlex]:
    async with SimulatedPlex(owner_token=TOKEN) as server:
        yield server


async def failure_to_open(client: PlexClient, kind: type[PlexError]) -> None:
    with pytest.raises(kind) as caught:
        async with client.log(reader()):
            pytest.fail("there is a log")
    assert TOKEN not in repr(caught.value)
    assert caught.value.__context__ is None


async def test_signs_arrive_and_the_token_travels_in_the_header_alone(
    server: SimulatedPlex,
) -> None:
    async with client_for(server.url) as client, client.log(reader()) as lines:
        server.log.write("Request: GET /private")
        server.users.dvr_noise()
        server.butler.start(BACKUP)
        (line,) = await anext(lines)
    assert line.sign == TaskStarted(BACKUP)
    assert line.written == server.clock.now
    identity, upgrade = server.requests
    assert (identity.path, identity.headers.get("x-plex-token")) == ("/identity", None)
    assert (upgrade.path, upgrade.query) == (STREAM, {"filters": "log"})
    assert upgrade.headers["x-plex-token"] == TOKEN


async def test_another_server_gets_no_token(server: SimulatedPlex) -> None:
    server.faults.other_machine_identifier = True
    async with client_for(server.url) as client:
        await failure_to_open(client, OtherServerError)
    assert [request.path for request in server.requests] == ["/identity"]


async def test_redirect_is_refused() -> None:
    async with scripted_server() as trap, scripted_server() as server:
        path = f"GET {STREAM}?filters=log"
        server.answers[path] = [http(302, Location=str(trap.url))]
        async with client_for(server.url) as client:
            await failure_to_open(client, NotPlexError)
    assert server.asked[-1] == path
    assert trap.connections == 0


async def test_who_is_refused(server: SimulatedPlex) -> None:
    async with client_for(server.url, token=server.shared_token) as client:
        await failure_to_open(client, NotOwnerError)
    server.faults.no_websocket = True
    async with client_for(server.url) as client:
        await failure_to_open(client, NotPlexError)


@pytest.mark.parametrize("size", [(1 << 20) + 1, 100 << 20, 1 << 40])
async def test_frame_that_is_too_large_is_not_waited_for(server: SimulatedPlex, size: int) -> None:
    """Its length alone cuts the stream off."""
    async with client_for(server.url) as client, client.log(reader()) as lines:
        (socket,) = server.notifications.sockets
        assert socket._writer
        socket._writer.transport.write(b"\x81\x7f" + struct.pack("!Q", size) + b"Butler:")
        with pytest.raises(FloodError):
            await anext(lines)


async def test_flood_is_cut_off(server: SimulatedPlex) -> None:
    async with client_for(server.url) as client, client.log(reader()) as lines:
        for _ in range(1000):
            server.log.write(f"Butler: Starting task '{BACKUP}'")
        with pytest.raises(FloodError):
            async for _ in lines:
                pass
