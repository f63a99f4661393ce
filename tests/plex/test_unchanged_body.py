"""A body that has not changed since the last answer is not parsed again."""

from collections.abc import AsyncGenerator

from aiohttp import ClientSession, DummyCookieJar
import pytest
from yarl import URL

from custom_components.plex_butler.plex import NotPlexError, PlexClient, refuse_redirects
from custom_components.plex_butler.plex.memo import ParseMemo
from tests.simulator import SimulatedPlex


class Parser:
    """Parses a body as a tuple of its bytes, and remembers what it was called with."""

    def __init__(self) -> None:
        """Initialize; nothing has been parsed."""
        self.parsed: list[bytes] = []

    def __call__(self, body: bytes) -> tuple[int, ...]:
        self.parsed.append(body)
        if not body:
            raise NotPlexError("empty")
        return tuple(body)


def test_only_the_last_body_is_remembered() -> None:
    parser = Parser()
    memo = ParseMemo(parser)

    assert [memo(body) for body in (b"a", b"a", b"b", b"b", b"a")] == [
        (97,),
        (97,),
        (98,),
        (98,),
        (97,),
    ]
    assert parser.parsed == [b"a", b"b", b"a"]


def test_an_equal_body_gives_the_same_result() -> None:
    memo = ParseMemo(Parser())

    assert memo(b"body") is memo(bytes(bytearray(b"body")))


def test_a_body_that_cannot_be_parsed_is_an_error_each_time() -> None:
    parser = Parser()
    memo = ParseMemo(parser)
    memo(b"a")
    for _ in range(2):
        with pytest.raises(NotPlexError):
            memo(b"")

    assert memo(b"a") == (97,)
    assert parser.parsed == [b"a", b"", b""]


@pytest.fixture(name="client")
async def client_fixture(server: SimulatedPlex) -> AsyncGenerator[PlexClient]:
    async with ClientSession(
        cookie_jar=DummyCookieJar(), middlewares=(refuse_redirects,)
    ) as session:
        yield PlexClient(
            session,
            URL(server.url),
            server.owner_token,
            client_identifier="test",
            machine_identifier=server.machine_identifier,
            version="0",
        )


@pytest.mark.usefixtures("socket_enabled")
async def test_both_lists_are_remembered_beside_each_other(client: PlexClient) -> None:
    tasks, activities = await client.tasks(), await client.activities()

    assert tasks
    assert activities
    assert await client.tasks() is tasks
    assert await client.activities() is activities


@pytest.mark.usefixtures("socket_enabled")
async def test_changes_are_seen_at_once(server: SimulatedPlex, client: PlexClient) -> None:
    before = await client.activities()
    server.butler.start("LoudnessAnalysis")
    await server.advance(1)
    while_it_runs = await client.activities()
    server.faults.no_activities = True
    assert await client.activities() is None
    server.faults.no_activities = False

    assert while_it_runs != before
    assert await client.activities() is while_it_runs

    server.faults.missing_enabled = True
    assert {task.enabled for task in await client.tasks()} == {None}
    server.faults.missing_enabled = False
    assert {task.enabled for task in await client.tasks()} != {None}
