"""The notification stream: what it tells, every way in which it ends, and where the token goes."""

import asyncio
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from hashlib import sha1
import json
import socket
import ssl
import struct
from typing import Any, Final

from aiohttp import ClientError, ClientSession
import pytest
import trustme
from yarl import URL

from custom_components.plex_butler.plex import (
    Activity,
    ActivityChanged,
    BackupCompleted,
    CannotConnectError,
    HostnameMismatchError,
    LogReader,
    Notification,
    NotOwnerError,
    NotPlexError,
    OtherServerError,
    PlexClient,
    PlexError,
    PlexTimeoutError,
    PreferencesChanged,
    StartingUpError,
    TlsError,
    UnauthorizedError,
    refuse_redirects,
)
from custom_components.plex_butler.plex.errors import FloodError
from custom_components.plex_butler.plex.flood import FLOOD_SPAN
from tests.bare_http import ask
from tests.plex.clients import CLIENT_IDENTIFIER, TOKEN, client_for
from tests.plex.scripted_server import IDENTITY, http, scripted_server
from tests.simulator import Faults, SimulatedPlex

pytestmark = pytest.mark.usefixtures("socket_enabled")
leaves_nothing = pytest.mark.parametrize("expected_lingering_timers", [False])

type Changes = AsyncIterator[tuple[Notification, ...]]
type Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

STREAM: Final = "/:/websockets/notifications"
MODULE: Final = "custom_components.plex_butler.plex.stream"
HEARTBEAT: Final = f"{MODULE}.HEARTBEAT"
INTROS: Final = "ButlerTaskGenerateIntroMarkers"
GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
ENDED: Final = ActivityChanged(Activity("a", "butler", 100), ended=True)
FRAME: Final = json.dumps(
    {"event": "ended", "Activity": {"uuid": "a", "type": "butler", "progress": 100}}
).join(('{"ActivityNotification":', "}"))


@pytest.fixture(autouse=True)
def _no_token_in_the_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(0)
    yield
    # Nothing but the records of this phase is to be had in the usual way.
    for record in caplog.get_records("call"):
        assert TOKEN not in caplog.handler.format(record)
        assert TOKEN not in repr(vars(record))


@pytest.fixture(name="expected_lingering_timers")
def expected_lingering_timers_fixture() -> bool:
    """Expect aiohttp's heartbeat: the other side's goodbye sets it going a last time."""
    return True


@pytest.fixture(name="server")
async def server_fixture(socket_enabled: None) -> AsyncGenerator[SimulatedPlex]:
    async with SimulatedPlex(owner_token=TOKEN) as server:
        yield server


def client_of(server: SimulatedPlex, **changes: Any) -> AbstractAsyncContextManager[PlexClient]:
    """Make a client for a simulated server, with the owner's token."""
    return client_for(**{"url": server.url} | changes)


async def until(happened: Callable[[], object]) -> None:
    """Wait for something that takes a moment on a real socket."""
    async with asyncio.timeout(5):
        while not happened():
            await asyncio.sleep(0.001)


async def next_of(changes: Changes) -> tuple[Notification, ...]:
    """Return what the next frame tells that tells anything."""
    async with asyncio.timeout(5):
        while not (told := await anext(changes)):
            pass
        return told


async def rest_of(changes: Changes) -> list[Notification]:
    """Return what is told until the stream ends."""
    async with asyncio.timeout(5):
        return [change async for told in changes for change in told]


def no_token_in(err: BaseException) -> None:
    """See that neither an error nor what it is chained to holds the token."""
    assert TOKEN not in f"{err} {err!r} {err.args} {vars(err)}"
    for link in (err.__cause__, err.__context__):
        if link:
            no_token_in(link)


async def failure_to_open[E: PlexError](kind: type[E], client: PlexClient) -> E:
    """See that no stream is to be had, and that nothing of aiohttp's comes along."""
    with pytest.raises(kind) as caught:
        async with asyncio.timeout(5), client.notifications():
            pytest.fail("there is a stream")
    failure = caught.value
    assert type(failure) is kind
    assert failure.__cause__ is None
    assert failure.__context__ is None
    no_token_in(failure)
    assert "127.0.0.1" not in str(failure)
    return failure


def asked(server: SimulatedPlex) -> list[str]:
    """Return which paths were asked for, and see who got the token, and where it stood."""
    for request in server.requests:
        expected = None if request.path == "/identity" else TOKEN
        assert request.headers.get("x-plex-token") == expected
        assert request.query == {}
    return [request.path for request in server.requests]


# What is told


async def test_changes_come_in_order(server: SimulatedPlex) -> None:
    server.butler.profiles[INTROS].items = 1
    async with client_of(server) as client, client.notifications() as changes:
        server.butler.start(INTROS)
        await server.advance(60)
        told = [await next_of(changes) for _ in range(6)]

    rows = [
        (change.activity.type, change.activity.progress, change.ended)
        for frame in told
        for change in frame
        if isinstance(change, ActivityChanged)
    ]
    intros = "media.generate.intros"
    assert rows == [
        ("butler", 0, False),
        (intros, 0, False),
        (intros, 50, False),
        (intros, 100, True),
        ("butler", 99, False),
        ("butler", 100, False),
    ]


async def test_many_changes_come_in_order(server: SimulatedPlex) -> None:
    async with client_of(server) as client, client.notifications() as changes:
        for number in range(2000):
            row = {"event": "updated", "Activity": {"uuid": number, "type": "butler"}}
            server.notifications.publish("activity", "ActivityNotification", [row] * 2)
        told = [await next_of(changes) for _ in range(2000)]

    assert told == [
        (ActivityChanged(Activity(str(number), "butler", None), ended=False),) * 2
        for number in range(2000)
    ]


async def test_what_is_not_ours_to_know_is_not_told(server: SimulatedPlex) -> None:
    async with client_of(server) as client, client.notifications() as changes:
        server.users.remote_access_flaps()
        server.users.play("resting")
        server.notifications.publish("activity", "ActivityNotification", [{"event": "paused"}])
        await ask(server, "PUT", "/:/prefs?ButlerStartHour=3")

        assert await next_of(changes) == (PreferencesChanged(),)


@pytest.mark.parametrize("quirk", ["numeric_uuids", "no_context"])
async def test_a_quirk_changes_nothing(server: SimulatedPlex, quirk: str) -> None:
    setattr(server.faults, quirk, True)
    async with client_of(server) as client, client.notifications() as changes:
        server.users.open_item_page()
        await server.advance(2)
        told = [await next_of(changes) for _ in range(3)]

    activities = [change.activity for (change,) in told if isinstance(change, ActivityChanged)]
    assert [activity.type for activity in activities] == ["library.refresh.items"] * 3
    assert len({activity.uuid for activity in activities}) == 1
    assert activities[0].uuid.isdigit() is server.faults.numeric_uuids


async def test_two_streams_tell_the_same(server: SimulatedPlex) -> None:
    async with (
        client_of(server) as client,
        client.notifications() as changes,
        client.notifications() as others,
    ):
        assert server.notifications.listeners == 2
        server.users.dvr_noise()
        told = [await next_of(changes) for _ in range(2)]
        assert told == [await next_of(others) for _ in range(2)]


# The token and the identity


async def test_the_token_travels_in_the_header_of_the_upgrade_alone(server: SimulatedPlex) -> None:
    async with client_of(server) as client, client.notifications():
        pass

    assert asked(server) == ["/identity", STREAM]
    upgrade = server.requests[1]
    assert upgrade.headers["upgrade"] == "websocket"
    assert upgrade.headers["x-plex-client-identifier"] == CLIENT_IDENTIFIER
    assert [value for value in upgrade.headers.values() if TOKEN in value] == [TOKEN]


async def test_a_base_path_of_a_proxy_is_kept() -> None:
    async with scripted_server() as server:
        server.answers["GET /plex%2Fa/identity"] = [IDENTITY]
        url = URL(f"{server.url}/plex%2Fa/?X-Plex-Token={TOKEN}#there", encoded=True)
        async with client_for(url) as client:
            await failure_to_open(NotPlexError, client)

    assert server.asked == ["GET /plex%2Fa/identity", f"GET /plex%2Fa{STREAM}"]
    assert server.requests[1].headers["x-plex-token"] == TOKEN


async def test_who_answers_is_asked_once_for_callers_at_the_same_time(
    server: SimulatedPlex,
) -> None:
    both_listen = asyncio.Barrier(2)

    async def listen(client: PlexClient) -> None:
        async with client.notifications():
            await both_listen.wait()

    async with client_of(server) as client, asyncio.timeout(5):
        await asyncio.gather(listen(client), client.tasks(), listen(client))

    assert sorted(asked(server)) == [STREAM, STREAM, "/butler", "/identity"]


async def test_a_websocket_follows_no_redirect(socket_enabled: None) -> None:
    """The upgrade would, were it not for the middleware."""
    async with (
        scripted_server() as server,
        scripted_server() as trap,
        ClientSession(middlewares=(refuse_redirects,)) as session,
    ):
        server.answers["GET /:/websockets/notifications"] = [http(302, Location=str(trap.url))]
        with pytest.raises(ClientError) as caught:
            await session.ws_connect(
                server.url / ":/websockets/notifications", headers={"X-Plex-Token": TOKEN}
            )

    assert trap.connections == 0
    assert TOKEN not in f"{caught.value!r} {caught.value.__context__!r}"


async def test_an_open_stream_vouches_for_the_server(server: SimulatedPlex) -> None:
    async with client_of(server) as client:
        await client.tasks()
        async with client.notifications():
            await client.activities()
            await client.tasks()

    assert asked(server) == ["/identity", "/butler", STREAM, "/activities", "/butler"]


@pytest.mark.parametrize("how", ["left", "hung up", "cut", "failed"])
async def test_after_an_open_stream_the_server_is_asked_who_it_is(
    server: SimulatedPlex, how: str
) -> None:
    async with client_of(server) as client:
        with suppress(ZeroDivisionError):
            async with client.notifications() as changes:
                match how:
                    case "hung up":
                        await server.notifications.hang_up()
                        assert await rest_of(changes) == []
                    case "cut":
                        await server.restart()
                        assert await rest_of(changes) == []
                    case "failed":
                        raise ZeroDivisionError
        await client.tasks()
        async with client.notifications():
            pass

    assert asked(server) == ["/identity", STREAM, "/identity", "/butler", STREAM]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("no_websocket", NotPlexError),
        ("unauthorized", UnauthorizedError),
        ("empty_reply", CannotConnectError),
    ],
)
async def test_after_a_failed_upgrade_the_server_is_asked_who_it_is(
    server: SimulatedPlex, fault: str, kind: type[PlexError]
) -> None:
    async with client_of(server) as client:
        await client.tasks()
        setattr(server.faults, fault, True)
        await failure_to_open(kind, client)
        setattr(server.faults, fault, False)
        server.requests.clear()
        await client.tasks()

    assert asked(server) == ["/identity", "/butler"]


async def test_another_machine_gets_neither_upgrade_nor_token(server: SimulatedPlex) -> None:
    server.faults.other_machine_identifier = True
    async with client_of(server) as client:
        await failure_to_open(OtherServerError, client)

    assert asked(server) == ["/identity"]


@pytest.mark.parametrize("opened", [True, False])
async def test_a_machine_that_takes_the_address_gets_no_token(
    server: SimulatedPlex, opened: bool
) -> None:
    async with client_of(server) as client:
        await client.tasks()
        if opened:
            async with client.notifications() as changes:
                await server.stop_listening()
                assert await rest_of(changes) == []
        else:
            await server.stop_listening()
            await failure_to_open(CannotConnectError, client)
        async with SimulatedPlex(port=server.port, machine_identifier="f" * 40) as stranger:
            with pytest.raises(OtherServerError):
                await client.tasks()
            await failure_to_open(OtherServerError, client)

    assert {request.path for request in stranger.requests} == {"/identity"}
    assert not any("x-plex-token" in request.headers for request in stranger.requests)


async def test_a_token_that_is_none_is_not_sent(server: SimulatedPlex) -> None:
    async with client_of(server, token=f"{TOKEN}\n\0") as client:
        await failure_to_open(UnauthorizedError, client)
    async with (
        SimulatedPlex(claimed=False) as unclaimed,
        client_of(unclaimed, token="") as client,
        client.notifications() as changes,
    ):
        unclaimed.users.dvr_noise()
        assert await next_of(changes)

    assert asked(server) == ["/identity"]
    assert not any("x-plex-token" in request.headers for request in unclaimed.requests)


# No stream is to be had


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"unauthorized": True}, UnauthorizedError),
        ({"forbidden": True}, NotOwnerError),
        ({"no_websocket": True}, NotPlexError),
        ({"maintenance": True}, CannotConnectError),
        ({"bad_gateway": True}, CannotConnectError),
        ({"login_page": True}, NotPlexError),
        ({"other_json": True}, NotPlexError),
        ({"redirect_to": "http://127.0.0.1:1/"}, NotPlexError),
        ({"hang": True}, PlexTimeoutError),
        ({"slow": 3}, PlexTimeoutError),
        ({"empty_reply": True}, CannotConnectError),
    ],
    ids=str,
)
async def test_refusals(
    server: SimulatedPlex, fault: dict[str, Any], kind: type[PlexError]
) -> None:
    async with client_of(server, request_timeout=0.3) as client:
        await client.tasks()
        for name, value in fault.items():
            setattr(server.faults, name, value)
        await failure_to_open(kind, client)
        assert set(asked(server)[2:]) == {STREAM}

        for name in fault:
            setattr(server.faults, name, getattr(Faults(), name))
        async with client.notifications() as changes:
            server.users.dvr_noise()
            assert await next_of(changes)


async def test_a_server_that_starts_up_has_no_stream(server: SimulatedPlex) -> None:
    server.faults.maintenance = True
    server.faults.retry_after = 30
    async with client_of(server) as client:
        assert (await failure_to_open(StartingUpError, client)).retry_after == 30


async def test_a_shared_users_token_is_told_of_nothing(server: SimulatedPlex) -> None:
    """The upgrade is not refused: it is the polls that say whose token it is."""
    token = server.shared_token
    async with client_of(server, token=token) as client, client.notifications() as changes:
        server.users.dvr_noise()
        await server.notifications.hang_up()
        assert await rest_of(changes) == []


@leaves_nothing
async def test_a_silent_server_is_given_up_in_time(server: SimulatedPlex) -> None:
    async with client_of(server, request_timeout=0.2) as client:
        await client.tasks()
        server.faults.hang = True
        tasks = asyncio.all_tasks()
        began = asyncio.get_running_loop().time()
        await failure_to_open(PlexTimeoutError, client)
        assert 0.2 <= asyncio.get_running_loop().time() - began < 1
        await until(lambda: asyncio.all_tasks() <= tasks)


async def test_an_answer_that_is_no_upgrade() -> None:
    upgraded = "Upgrade: websocket\r\nConnection: Upgrade\r\n"
    async with scripted_server() as server, client_for(server.url) as client:
        for answer in (
            b"HTTP/1.1 101 Switching\r\n\r\n",
            f"HTTP/1.1 101 Switching\r\n{upgraded}\r\n".encode(),
            f"HTTP/1.1 101 Switching\r\n{upgraded}Sec-WebSocket-Accept: x\r\n\r\n".encode(),
            b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n",
            http(204),
        ):
            server.answers[f"GET {STREAM}"] = [answer]
            await failure_to_open(NotPlexError, client)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(status: int) -> None:
    async with (
        scripted_server() as trap,
        scripted_server() as server,
        client_for(server.url) as client,
    ):
        for location in (str(trap.url.with_path(STREAM)), "/elsewhere"):
            server.answers[f"GET {STREAM}"] = [http(status, Location=location)]
            await failure_to_open(NotPlexError, client)

    assert trap.connections == 0
    assert set(server.asked) == {"GET /identity", f"GET {STREAM}"}


async def test_nobody_listens(server: SimulatedPlex) -> None:
    async with client_of(server) as client:
        await client.tasks()
        await server.stop_listening()
        assert "refused" in str(await failure_to_open(CannotConnectError, client))


@pytest.fixture(name="authority", scope="module")
def authority_fixture() -> trustme.CA:
    return trustme.CA()


@pytest.mark.parametrize(
    ("trusted", "name", "kind"),
    [
        (True, "127.0.0.1", None),
        (True, "*.0123.plex.direct", HostnameMismatchError),
        (False, "127.0.0.1", TlsError),
    ],
)
async def test_certificates(
    authority: trustme.CA, trusted: bool, name: str, kind: type[PlexError] | None
) -> None:
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(serving)
    trusting = ssl.create_default_context()
    (authority if trusted else trustme.CA()).configure_trust(trusting)
    async with SimulatedPlex(owner_token=TOKEN, tls=serving) as server:
        url = URL(server.url).with_scheme("https")
        async with client_of(server, url=url, tls=trusting) as client:
            if kind:
                await failure_to_open(kind, client)
                assert server.requests == []
            else:
                async with client.notifications() as changes:
                    server.users.dvr_noise()
                    assert await next_of(changes)
                assert asked(server) == ["/identity", STREAM]


# The end


@pytest.mark.parametrize("how", ["at once", "after news", "by an error"])
async def test_leaving_closes_the_stream(server: SimulatedPlex, how: str) -> None:
    async with client_of(server) as client:
        await client.tasks()
        tasks = asyncio.all_tasks()

        async def listen() -> None:
            async with client.notifications() as changes:
                assert server.notifications.listeners == 1
                if how != "at once":
                    server.users.dvr_noise()
                    async for _ in changes:
                        break
                if how == "by an error":
                    raise ZeroDivisionError

        if how == "by an error":
            with pytest.raises(ZeroDivisionError) as caught:
                await listen()
            no_token_in(caught.value)
        else:
            await listen()
        await until(lambda: not server.notifications.listeners)
        await until(lambda: asyncio.all_tasks() <= tasks)


@leaves_nothing
@pytest.mark.parametrize("stage", ["waiting", "connecting", "asking who it is"])
async def test_cancelling_leaves_nothing(server: SimulatedPlex, stage: str) -> None:
    async with client_of(server) as client:

        async def listen() -> None:
            async with client.notifications() as changes:
                await anext(changes)

        if stage != "asking who it is":
            await client.tasks()
        tasks = asyncio.all_tasks()
        server.faults.hang = stage != "waiting"
        server.requests.clear()
        listening = asyncio.create_task(listen())
        await until(lambda: server.requests)
        await until(lambda: server.notifications.listeners or stage != "waiting")
        listening.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await listening
        no_token_in(caught.value)
        await until(lambda: not server.notifications.listeners)
        await until(lambda: asyncio.all_tasks() <= tasks)

    assert asked(server) == ["/identity" if stage == "asking who it is" else STREAM]


@leaves_nothing
async def test_a_stream_ends_where_the_server_hangs_up(server: SimulatedPlex) -> None:
    async with client_of(server) as client, client.notifications() as changes:
        server.users.dvr_noise()
        told = [await next_of(changes) for _ in range(2)]
        await server.notifications.hang_up()
        assert await rest_of(changes) == []
        assert await rest_of(changes) == []
    assert len(told) == 2


@leaves_nothing
@pytest.mark.parametrize("how", ["stops", "restarts"])
async def test_a_stream_ends_where_the_server(server: SimulatedPlex, how: str) -> None:
    async with client_of(server) as client, client.notifications() as changes:
        server.users.dvr_noise()
        assert await next_of(changes)
        await (server.stop_listening() if how == "stops" else server.restart())
        await rest_of(changes)
        assert await rest_of(changes) == []


async def test_a_silent_server_that_answers_pings_is_listened_to(
    server: SimulatedPlex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HEARTBEAT, 0.04)
    async with client_of(server) as client, client.notifications() as changes:
        waiting = asyncio.ensure_future(next_of(changes))
        assert not (await asyncio.wait([waiting], timeout=0.4))[0]
        server.users.dvr_noise()
        assert await waiting


# The other side of one stream, byte by byte


@asynccontextmanager
async def peer(act: Peer) -> AsyncGenerator[URL]:
    """Run a server that upgrades and then acts as a test lays out; it says who it is besides."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while b"/identity " in (head := await reader.readuntil(b"\r\n\r\n")):
                writer.write(IDENTITY)
            lines = (line.split(": ") for line in head.decode().splitlines() if ": " in line)
            key = {name.lower(): value for name, value in lines}["sec-websocket-key"]
            accept = b64encode(sha1(f"{key}{GUID}".encode(), usedforsecurity=False).digest())
            writer.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n" % accept
            )
            await act(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1")
    try:
        yield URL(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    finally:
        server.close()
        server.abort_clients()
        await server.wait_closed()


def message(content: bytes | str, kind: int = TEXT, *, last: bool = True) -> bytes:
    """Return a websocket's message as a server sends it."""
    if isinstance(content, str):
        content = content.encode()
    size = len(content)
    length = bytes([size]) if size < 126 else b"\x7e" + struct.pack("!H", size)
    return bytes([0x80 * last | kind]) + length + content


def says(*parts: bytes) -> Peer:
    """Let a peer say something and hang up without a goodbye."""

    async def act(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"".join(parts))

    return act


NEWS: Final = message(FRAME)


@leaves_nothing
@pytest.mark.parametrize(
    ("parts", "count"),
    [
        ([], 0),
        ([NEWS, NEWS, NEWS], 3),
        ([NEWS, message(b"\x03\xe8", CLOSE), NEWS], 1),
        ([NEWS, message(b"", CLOSE)], 1),
        ([NEWS, NEWS[:-1]], 1),
        ([NEWS, NEWS[:1]], 1),
        ([message(FRAME, BINARY), NEWS], 1),
        ([message(FRAME[:9], last=False), message(FRAME[9:], 0), NEWS], 2),
        ([message(b"", TEXT), message("ping"), message("{"), NEWS], 1),
        ([message(b"x", PING), NEWS, message(b"", PONG)], 1),
        ([NEWS, message(FRAME.encode() + b"\xff"), NEWS], 1),
        ([NEWS, b"HTTP/1.1 200 OK\r\n\r\n", NEWS], 1),
        ([NEWS, message(b"", 5), NEWS], 1),
    ],
    ids=[
        "nothing",
        "news",
        "goodbye",
        "goodbye without a reason",
        "cut in a message",
        "cut in a head",
        "binary",
        "fragments",
        "no news",
        "ping and pong",
        "no characters",
        "no websocket any more",
        "reserved",
    ],
)
async def test_what_a_peer_says_is_told_until_it_makes_no_sense(
    parts: list[bytes], count: int
) -> None:
    async with (
        peer(says(*parts)) as url,
        client_for(url) as client,
        client.notifications() as changes,
    ):
        assert await rest_of(changes) == [ENDED] * count


async def test_a_frame_that_is_too_large_cuts_the_stream_off() -> None:
    too_large = b"\x81\x7f" + struct.pack("!Q", 5 << 20) + b" " * (5 << 20)
    async with (
        peer(says(NEWS, too_large, NEWS)) as url,
        client_for(url) as client,
        client.notifications() as changes,
    ):
        assert await next_of(changes) == (ENDED,)
        with pytest.raises(FloodError):
            await rest_of(changes)


@leaves_nothing
async def test_a_connection_that_is_reset_ends_the_stream() -> None:
    async def reset(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(NEWS)
        await listening.wait()
        writer.transport.abort()

    listening = asyncio.Event()
    async with peer(reset) as url, client_for(url) as client, client.notifications() as changes:
        assert await next_of(changes) == (ENDED,)
        listening.set()
        assert await rest_of(changes) == []


@leaves_nothing
async def test_a_ping_that_can_no_longer_be_answered_ends_the_stream() -> None:
    """It came in one burst with the end: aiohttp raises what it should return."""

    async def ping_and_go(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(NEWS + message(b"x", PING) + NEWS + message(b"\x03\xe8", CLOSE))
        writer.close()
        gone.set()

    gone = asyncio.Event()
    async with (
        peer(ping_and_go) as url,
        client_for(url) as client,
        client.notifications() as changes,
    ):
        assert await next_of(changes) == (ENDED,)
        await gone.wait()
        await asyncio.sleep(0.05)
        assert await rest_of(changes) == []


async def test_a_ping_is_answered_and_a_goodbye_is_said() -> None:
    heard = b""

    async def ask_and_hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heard
        writer.write(message(b"", PING) + NEWS)
        heard = await reader.readexactly(6) + await reader.readexactly(8)
        writer.write(message(b"\x03\xe8", CLOSE))
        heard += await reader.read()
        gone.set()

    gone = asyncio.Event()
    async with peer(ask_and_hear) as url, client_for(url) as client:
        async with client.notifications() as changes:
            assert await next_of(changes) == (ENDED,)
        async with asyncio.timeout(0.5):
            await gone.wait()
    assert (heard[0], heard[6], len(heard)) == (0x80 | PONG, 0x80 | CLOSE, 14)


async def test_a_peer_that_goes_on_for_ever_is_left_all_the_same() -> None:
    """Aiohttp waits for the answer to its goodbye, for a while that begins anew with each frame."""

    async def go_on(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not writer.is_closing():
            writer.write(NEWS)
            await asyncio.sleep(0.01)
        left.set()

    left = asyncio.Event()
    async with asyncio.timeout(5), peer(go_on) as url:
        async with client_for(url) as client, client.notifications() as changes:
            assert await next_of(changes) == (ENDED,)
        await left.wait()


class Turns:
    """Counts how often the event loop gets to something else."""

    def __init__(self) -> None:
        """Begin to count."""
        self.count = 0
        self._counting = asyncio.create_task(self._go_on())

    async def _go_on(self) -> None:
        while True:
            self.count += 1
            await asyncio.sleep(0)

    async def stop(self) -> int:
        """Stop, and return the count."""
        self._counting.cancel()
        await asyncio.wait([self._counting])
        return self.count


FLOODS: Final = {
    "news": (NEWS, b""),
    "starts": (
        message(
            json.dumps({"LogSentNotification": {"message": f"Butler: Starting task {INTROS!r}"}})
        ),
        b"",
    ),
    "one letter each": (message("x"), b""),
    "nothing each": (message(""), b""),
    "binary": (message("x", BINARY), b""),
    "pings": (message("", PING), b""),
    "pongs": (message("", PONG), b""),
    "parts of one that never ends": (message("x", 0, last=False), message("", last=False)),
}


@pytest.mark.parametrize("flood", FLOODS)
@pytest.mark.parametrize("log", [False, True], ids=["notifications", "log"])
async def test_flood_is_cut_off_and_blocks_nothing(
    monkeypatch: pytest.MonkeyPatch, flood: str, *, log: bool
) -> None:
    frame, first = FLOODS[flood]
    monkeypatch.setattr(f"{MODULE}.MOST_FRAMES", 10_000)

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while not writer.is_closing():
            writer.write(frame * 5_000)
            await writer.drain()

    async with peer(pour) as url, client_for(url) as client:
        opened = (
            client.log(LogReader(lambda: {INTROS}, Counter())) if log else client.notifications()
        )
        async with opened as results, asyncio.timeout(10):
            turns = Turns()
            with pytest.raises(FloodError):
                async for _ in results:
                    pass
            assert await turns.stop() > 20


@pytest.mark.parametrize("reset", [False, True])
async def test_what_has_arrived_is_dropped_in_small_steps(
    monkeypatch: pytest.MonkeyPatch, *, reset: bool
) -> None:
    """Also when the connection is gone before anybody looks."""
    monkeypatch.setattr(f"{MODULE}.MOST_FRAMES", 100)

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(NEWS * 5_000)
        if reset:
            await asyncio.sleep(0.1)
            own = writer.get_extra_info("socket")
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        await reader.read()

    async with peer(pour) as url, client_for(url) as client, client.notifications() as changes:
        await asyncio.sleep(0.2)
        turns = Turns()
        with pytest.raises(FloodError):
            await rest_of(changes)
        assert await turns.stop() > 50


@pytest.mark.parametrize("seconds", [FLOOD_SPAN, 0])
async def test_as_much_in_a_long_time_is_no_flood(
    monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    now = iter(range(1000))
    monkeypatch.setattr(
        "custom_components.plex_butler.plex.flood.monotonic", lambda: next(now) * seconds
    )
    monkeypatch.setattr(f"{MODULE}.MOST_FRAMES", 10)
    monkeypatch.setattr(f"{MODULE}.MOST_BYTES", 10 * len(FRAME))
    expected = nullcontext() if seconds else pytest.raises(FloodError)
    async with (
        peer(says(NEWS * 25)) as url,
        client_for(url) as client,
        client.notifications() as changes,
    ):
        with expected:
            assert len(await rest_of(changes)) == 25


async def test_many_bytes_are_a_flood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{MODULE}.MOST_BYTES", 25 * len(FRAME))
    for count, kind in ((24, TEXT), (25, TEXT), (25, BINARY)):
        expected = nullcontext() if count < 25 else pytest.raises(FloodError)
        async with (
            peer(says(message(FRAME, kind) * count)) as url,
            client_for(url) as client,
            client.notifications() as changes,
        ):
            with expected:
                assert len(await rest_of(changes)) == count


async def test_many_pings_at_once_block_nothing() -> None:
    async def ping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(message(b"", PING) * 5_000 + NEWS + message(b"\x03\xe8", CLOSE))
        await reader.read()

    async with (
        peer(ping) as url,
        client_for(url) as client,
        client.notifications() as changes,
    ):
        await asyncio.sleep(0.2)
        turns = Turns()
        assert await next_of(changes) == (ENDED,)
        assert await turns.stop() > 100


@pytest.mark.parametrize("kind", [TEXT, BINARY])
async def test_a_log_may_come_in_frames_of_both_kinds(kind: int) -> None:
    row = {"message": "Database backup completed: 0", "level": 3}
    frame = message(json.dumps({"LogSentNotification": row}), kind)
    async with (
        peer(says(frame)) as url,
        client_for(url) as client,
        client.log(LogReader(set, Counter())) as lines,
    ):
        assert [line.sign for found in [each async for each in lines] for line in found] == [
            BackupCompleted(0)
        ]


@leaves_nothing
async def test_a_peer_that_answers_no_ping_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HEARTBEAT, 0.1)

    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(NEWS)
        heard.extend(await reader.read())
        gone.set()

    gone, heard = asyncio.Event(), bytearray()
    async with peer(deaf) as url, client_for(url) as client:
        tasks = asyncio.all_tasks()
        async with client.notifications() as changes:
            assert await next_of(changes) == (ENDED,)
            assert await rest_of(changes) == []
            async with asyncio.timeout(1):
                await gone.wait()
        await until(lambda: asyncio.all_tasks() <= tasks)
    assert heard[0] == 0x80 | PING


@pytest.mark.parametrize("cancelled", [True, False])
async def test_a_peer_that_says_no_goodbye_is_not_waited_for(cancelled: bool) -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(NEWS)
        await reader.read()
        gone.set()

    async def listen() -> None:
        async with client.notifications() as changes:
            assert await next_of(changes) == (ENDED,)
            if cancelled:
                listening.cancel()
                await rest_of(changes)

    gone = asyncio.Event()
    async with peer(deaf) as url, client_for(url) as client:
        tasks = asyncio.all_tasks()
        listening = asyncio.create_task(listen())
        async with asyncio.timeout(2):
            await asyncio.wait([listening])
            await gone.wait()
        assert listening.cancelled() is cancelled
        await until(lambda: asyncio.all_tasks() <= tasks)
