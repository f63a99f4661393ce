"""One server, polled by several at once."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Final

from aiohttp import web
from aiohttp.test_utils import TestServer
import pytest

from custom_components.plex_butler.butler.session import ButlerSession
from custom_components.plex_butler.butler.statistics import Statistics
from tests.plex.clients import client_for

pytestmark = pytest.mark.usefixtures("socket_enabled")

IDENTITY: Final = {"machineIdentifier": "m", "version": "1.43"}


class Puppet:
    """A server whose answers to `GET /activities` a test gives one by one, in any order."""

    def __init__(self) -> None:
        """Initialize without requests."""
        self.waiting: list[asyncio.Future[list[str]]] = []

    async def activities(self, request: web.Request) -> web.Response:
        """Wait for the uuids to answer with."""
        uuids = asyncio.get_running_loop().create_future()
        self.waiting.append(uuids)
        rows = [{"uuid": uuid, "type": "media.download", "progress": 5} for uuid in await uuids]
        return web.json_response({"MediaContainer": {"Activity": rows}})

    async def other(self, request: web.Request) -> web.Response:
        """Answer who it is, and that it has no tasks."""
        tasks: dict[str, Any] = {"ButlerTasks": {"ButlerTask": []}}
        return web.json_response(
            tasks if request.path == "/butler" else {"MediaContainer": IDENTITY}
        )


@pytest.fixture(name="puppet")
async def puppet_fixture(socket_enabled: None) -> AsyncGenerator[tuple[Puppet, ButlerSession]]:
    puppet = Puppet()
    app = web.Application()
    app.router.add_get("/activities", puppet.activities)
    app.router.add_get("/{path:.*}", puppet.other)
    async with (
        TestServer(app) as server,
        client_for(str(server.make_url("")), machine_identifier="m") as client,
    ):
        yield puppet, ButlerSession(client, Statistics())


async def test_an_older_answer_does_not_overwrite_a_younger_one(
    puppet: tuple[Puppet, ButlerSession],
) -> None:
    server, session = puppet
    polls = [asyncio.create_task(session.poll(server_updated=lambda: None)) for _ in range(2)]
    async with asyncio.timeout(5):
        while not server.waiting:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    # What is asked for last is answered first, where both are asked for at once.
    for uuids in (["old", "young"], ["old"]) if len(server.waiting) == 2 else (["old"],):
        server.waiting.pop().set_result(uuids)
        await asyncio.sleep(0.05)
    if server.waiting:
        server.waiting.pop().set_result(["old", "young"])
    async with asyncio.timeout(5):
        await asyncio.gather(*polls)
    assert session.tracker.listed == {"old", "young"}
