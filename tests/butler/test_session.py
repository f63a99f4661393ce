"""One server, polled by several at once, and beside its stream."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Final

from aiohttp import web
from aiohttp.test_utils import TestServer
import pytest

from custom_components.plex_butler.butler.session import MOST_READS, ButlerSession
from custom_components.plex_butler.butler.statistics import Statistics
from custom_components.plex_butler.plex import (
    MOST_ACTIVITIES,
    Activity,
    ActivityChanged,
    CannotConnectError,
)
from tests.plex.clients import client_for

pytestmark = pytest.mark.usefixtures("socket_enabled")

IDENTITY: Final = {"machineIdentifier": "m", "version": "1.43"}


class Puppet:
    """A server whose answers to `GET /activities` a test gives one by one, in any order."""

    def __init__(self) -> None:
        """Initialize without requests."""
        self.waiting: list[asyncio.Future[list[str]]] = []
        self.reads = 0
        self.commands = 0
        self.latency: float | None = None
        self.breaks = False

    async def activities(self, request: web.Request) -> web.Response:
        """Wait for the uuids to answer with; or for `latency`, to answer that there are none."""
        self.reads += 1
        if self.breaks:
            await asyncio.sleep(0.05)
            raise web.HTTPServiceUnavailable
        if self.latency is not None:
            await asyncio.sleep(self.latency)
            return web.json_response({"MediaContainer": {"Activity": []}})
        uuids = asyncio.get_running_loop().create_future()
        self.waiting.append(uuids)
        rows = [{"uuid": uuid, "type": "media.download", "progress": 5} for uuid in await uuids]
        return web.json_response({"MediaContainer": {"Activity": rows}})

    async def command(self, request: web.Request) -> web.Response:
        """Answer that it was done, after a fifth of `latency`."""
        self.commands += 1
        await asyncio.sleep((self.latency or 0) / 5)
        return web.Response()

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
    app.router.add_post("/{path:.*}", puppet.command)
    app.router.add_delete("/{path:.*}", puppet.command)
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


async def until_asked(server: Puppet) -> None:
    """Wait until the activities are asked for."""
    async with asyncio.timeout(5):
        while not server.waiting:
            await asyncio.sleep(0.01)


async def answer(server: Puppet, *uuids: str) -> None:
    """Answer to the one who asks, or asks next, for the activities."""
    await until_asked(server)
    server.waiting.pop().set_result(list(uuids))


async def test_starts_share_the_read_of_the_activities(
    puppet: tuple[Puppet, ButlerSession],
) -> None:
    server, session = puppet
    server.latency = 0.05
    async with asyncio.timeout(1.5):
        await asyncio.gather(
            *(session.start(f"Task{number}", before_sending=nothing) for number in range(21))
        )
    assert server.commands == 21
    assert server.reads <= 1 + MOST_READS


async def test_start_shares_no_read_that_was_sent_before_it(
    puppet: tuple[Puppet, ButlerSession],
) -> None:
    server, session = puppet
    polling = asyncio.create_task(session.poll(server_updated=nothing))
    await until_asked(server)
    starting = asyncio.create_task(session.start("BackupDatabase", before_sending=nothing))
    await asyncio.sleep(0.05)
    await answer(server)
    await polling
    await until_asked(server)
    assert server.commands == 0
    await answer(server, "listed before the start")
    await starting
    assert session.tracker.listed == {"listed before the start"}


async def test_read_that_is_cancelled_is_shared_by_nobody(
    puppet: tuple[Puppet, ButlerSession],
) -> None:
    server, session = puppet
    server.latency = 0
    await session.poll(server_updated=nothing)
    server.latency = None
    polls = [asyncio.create_task(session.poll(server_updated=nothing)) for _ in range(3)]
    await answer(server, "first")
    await polls[0]
    await until_asked(server)
    polls[1].cancel()
    await asyncio.wait([polls[1]])
    server.waiting.clear()
    await answer(server, "third")
    async with asyncio.timeout(5):
        await polls[2]
    assert session.tracker.listed == {"third"}


async def test_starts_share_the_failure_of_a_read(puppet: tuple[Puppet, ButlerSession]) -> None:
    server, session = puppet
    server.breaks = True
    failures = await asyncio.gather(
        *(session.start(f"Task{number}", before_sending=nothing) for number in range(21)),
        return_exceptions=True,
    )
    assert {type(failure) for failure in failures} == {CannotConnectError}
    assert (server.commands, server.reads) == (0, 2)


async def test_stops_that_keep_coming_keep_no_start_waiting(
    puppet: tuple[Puppet, ButlerSession],
) -> None:
    server, session = puppet
    server.latency = 0.05

    async def stop_for_ever() -> None:
        while True:
            await asyncio.gather(
                session.stop("BackupDatabase", before_sending=nothing), asyncio.sleep(0.01)
            )

    stopping = [asyncio.create_task(stop_for_ever()) for _ in range(3)]
    try:
        async with asyncio.timeout(2):
            await session.start("OptimizeDatabase", before_sending=nothing)
    finally:
        for task in stopping:
            task.cancel()
        await asyncio.wait(stopping)
    assert server.reads == MOST_READS


def nothing() -> None:
    """Prevent no start."""


async def test_changes_between_polls_are_not_kept(puppet: tuple[Puppet, ButlerSession]) -> None:
    server, session = puppet
    poll = asyncio.create_task(session.poll(server_updated=nothing))
    async with asyncio.timeout(5):
        while not server.waiting:
            await asyncio.sleep(0.01)
        server.waiting.pop().set_result([])
        await poll
    for number in range(MOST_ACTIVITIES + 1):
        activity = Activity(f"{number}", "media.download", 5)
        changes = ActivityChanged(activity, ended=False), ActivityChanged(activity, ended=True)
        assert not session.stream_changed(changes)
