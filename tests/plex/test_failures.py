"""Everything that goes wrong between the client and a server, and that no token gets out by it."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
import socket
import ssl
from typing import Any, override

from aiohttp import ClientSession
from aiohttp.abc import AbstractResolver, ResolveResult
import pytest
import trustme

from custom_components.plex_butler.plex import (
    CannotConnectError,
    CommandNotConfirmedError,
    HostnameMismatchError,
    NoButlerError,
    NotOwnerError,
    NotPlexError,
    PlexClient,
    PlexError,
    PlexTimeoutError,
    StartingUpError,
    TlsError,
    UnauthorizedError,
)
from custom_components.plex_butler.plex.http import BODY_LIMIT
from tests.plex.clients import CALLS, CLIENT_IDENTIFIER, COMMANDS, READS, TOKEN, client_for
from tests.plex.scripted_server import (
    DROP,
    IDENTITY,
    MACHINE_IDENTIFIER,
    RESET,
    SILENCE,
    ScriptedServer,
    http,
    http_json,
    scripted_server,
)

TASKS = http_json({"ButlerTasks": {}})
MAINTENANCE_JSON = (
    b'{"code":503,"title":"Maintenance","status":"Plex Media Server is currently running startup '
    b'maintenance tasks."}'
)
MAINTENANCE_XML = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Response code="503" title="Maintenance" '
    b'status="Plex Media Server is currently running database migrations."/>'
)
STILL_STARTING = (
    b"<html><head><title>Bad Request</title></head><body>the server is still starting up. "
    b"Please retry later</body></html>"
)
UNAUTHORIZED = (
    b"<html><head><title>Unauthorized</title></head><body><h1>401 Unauthorized</h1></body></html>"
)

pytestmark = pytest.mark.usefixtures("socket_enabled")


@pytest.fixture(autouse=True)
def _no_token_in_the_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(0)
    yield
    logged = [record.getMessage() + str(record.exc_info) for record in caplog.get_records("call")]
    assert logged
    assert not [line for line in logged if TOKEN in line]


@pytest.fixture(name="server")
async def server_fixture(socket_enabled: None) -> AsyncGenerator[ScriptedServer]:
    async with scripted_server() as server:
        server.answers |= {request: [http(200)] for request in COMMANDS}
        server.answers["GET /butler"] = [TASKS]
        yield server


@pytest.fixture(name="client")
async def client_fixture(server: ScriptedServer) -> AsyncGenerator[PlexClient]:
    async with client_for(server.url) as client:
        yield client


async def failure_of[E: PlexError](kind: type[E], client: PlexClient, request: str) -> E:
    """Send a request, see it fail, and see that nothing holds the token but the client."""
    with pytest.raises(kind) as caught:
        await CALLS[request](client)
    assert type(caught.value) is kind
    link: BaseException | None = caught.value
    while link:
        assert isinstance(link, PlexError)
        assert TOKEN not in f"{link} {link!r} {link.args} {vars(link)}"
        assert "127.0.0.1" not in str(link)
        link = link.__cause__ or link.__context__
    return caught.value


# Statuses


@pytest.mark.parametrize("request_", [*READS, *COMMANDS])
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (http(401, UNAUTHORIZED, Content_Type="text/html"), UnauthorizedError),
        (http(403, b"<html><h1>403 Forbidden</h1></html>"), NotOwnerError),
        (http(503, MAINTENANCE_JSON), StartingUpError),
        (http(503, MAINTENANCE_XML), StartingUpError),
        (http(400, STILL_STARTING), StartingUpError),
        (http(400, b"<html>400 Bad Request</html>"), NotPlexError),
        (http(405), NotPlexError),
        (http(429), NotPlexError),
        (http(302, Location="/login"), NotPlexError),
    ],
    ids=lambda value: value.decode()[9:60] if isinstance(value, bytes) else "",
)
async def test_refusals(
    server: ScriptedServer,
    client: PlexClient,
    request_: str,
    answer: bytes,
    kind: type[PlexError],
) -> None:
    server.answers[request_] = [answer]

    await failure_of(kind, client, request_)
    assert server.asked == ["GET /identity", request_]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (201, NotPlexError),
        (500, NotPlexError),
        (502, CannotConnectError),
        (503, CannotConnectError),
        (504, CannotConnectError),
    ],
)
async def test_answers_that_leave_a_command_open(
    server: ScriptedServer, client: PlexClient, status: int, kind: type[PlexError]
) -> None:
    """A proxy may have passed the command on before it gave up."""
    for request in READS:
        server.answers[request] = [http(status, b"<html>Bad gateway</html>")]
        await failure_of(kind, client, request)
    for request in COMMANDS:
        server.answers[request] = [http(status, b"<html>Bad gateway</html>")]
        await failure_of(CommandNotConfirmedError, client, request)


@pytest.mark.parametrize("status", [401, 403, 404, 500, 302])
async def test_everybody_may_ask_who_a_server_is(
    server: ScriptedServer, client: PlexClient, status: int
) -> None:
    """So whoever wants a login for that is no Plex Media Server, and the token is not wrong."""
    server.answers["GET /identity"] = [http(status)]

    for request in CALLS:
        await failure_of(NotPlexError, client, request)
    assert set(server.asked) == {"GET /identity"}


async def test_a_server_without_a_butler_is_too_old(
    server: ScriptedServer, client: PlexClient
) -> None:
    server.answers["GET /butler"] = [http(404)]

    await failure_of(NoButlerError, client, "GET /butler")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("30", 30),
        ("0", 0),
        ("9" * 500, 86400),
        ("-1", None),
        ("1.5", None),
        ("nan", None),
        ("", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
    ],
)
async def test_retry_after(
    server: ScriptedServer, client: PlexClient, header: str, seconds: float | None
) -> None:
    server.answers["GET /identity"] = [http(503, MAINTENANCE_XML, Retry_After=header)]

    assert (await failure_of(StartingUpError, client, "GET /butler")).retry_after == seconds


async def test_starting_up_without_a_time(server: ScriptedServer, client: PlexClient) -> None:
    server.answers["POST /butler"] = [http(503, MAINTENANCE_XML)]

    assert (await failure_of(StartingUpError, client, "POST /butler")).retry_after is None


@pytest.mark.parametrize(
    "answer",
    [http(200, b"<html>Log in</html>"), http(200), b"SSH-2.0-OpenSSH_9.2p1\r\n" + DROP],
    ids=["page", "empty", "ssh"],
)
async def test_something_else_answers(
    server: ScriptedServer, client: PlexClient, answer: bytes
) -> None:
    server.answers["GET /identity"] = [answer]

    await failure_of(NotPlexError, client, "GET /butler")
    assert len(server.requests) == 1


async def test_what_is_not_http_leaves_a_command_open(
    server: ScriptedServer, client: PlexClient
) -> None:
    server.answers["POST /butler"] = [b"SSH-2.0-OpenSSH_9.2p1\r\n" + DROP]

    await failure_of(CommandNotConfirmedError, client, "POST /butler")


# Bodies


@pytest.mark.parametrize(
    "head", ["Transfer-Encoding: chunked", f"Content-Length: {10 * BODY_LIMIT}"]
)
async def test_an_endless_answer_is_not_read_to_its_end(
    server: ScriptedServer, client: PlexClient, head: str
) -> None:
    body = b" " * (BODY_LIMIT + 1)
    if "chunked" in head:
        body = b"%x\r\n%s\r\n" % (len(body), body)
    server.answers["GET /butler"] = [f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode() + body + SILENCE]

    async with asyncio.timeout(3):
        await failure_of(NotPlexError, client, "GET /butler")
        await server.closed_by_peer.wait()


async def test_the_largest_answer_is_read(server: ScriptedServer, client: PlexClient) -> None:
    server.answers["GET /butler"] = [http(200, b"[]".rjust(BODY_LIMIT))]

    assert await client.tasks() == ()


async def test_an_endless_refusal_is_not_read_to_its_end(
    server: ScriptedServer, client: PlexClient
) -> None:
    head = f"HTTP/1.1 503 No\r\nContent-Length: {BODY_LIMIT}\r\n\r\n".encode()
    server.answers["GET /butler"] = [head + b" " * (BODY_LIMIT // 2) + SILENCE]

    async with asyncio.timeout(3):
        await failure_of(CannotConnectError, client, "GET /butler")


async def test_an_answer_breaks_off(server: ScriptedServer, client: PlexClient) -> None:
    server.answers["GET /butler"] = [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[" + DROP]

    assert not (await failure_of(CannotConnectError, client, "GET /butler")).empty_reply


# Connections


@pytest.mark.parametrize("how", [DROP, RESET], ids=["drop", "reset"])
async def test_a_get_on_a_dropped_connection_is_sent_again(
    server: ScriptedServer, client: PlexClient, how: bytes
) -> None:
    server.answers["GET /butler"] = [TASKS, how, TASKS]
    await client.tasks()
    await client.tasks()

    sent = [request.connection for request in server.requests if request.path == "/butler"]
    assert sent == [0, 0, 1]


@pytest.mark.parametrize("how", [DROP, RESET], ids=["drop", "reset"])
@pytest.mark.parametrize("request_", COMMANDS)
async def test_a_command_on_a_dropped_connection_is_sent_once(
    server: ScriptedServer, client: PlexClient, request_: str, how: bytes
) -> None:
    server.answers[request_] = [how, http(200)]
    await client.tasks()

    await failure_of(CommandNotConfirmedError, client, request_)
    assert server.asked == ["GET /identity", "GET /butler", request_]
    assert server.connections == 1


@pytest.mark.parametrize("how", [DROP, RESET], ids=["drop", "reset"])
async def test_plain_http_that_is_dropped_is_told_apart(
    server: ScriptedServer, client: PlexClient, how: bytes
) -> None:
    """It may be a server whose secure connections are required."""
    server.answers["GET /identity"] = [how]

    for request in CALLS:
        assert (await failure_of(CannotConnectError, client, request)).empty_reply
    assert not any("x-plex-token" in request.headers for request in server.requests)


async def test_nobody_listens() -> None:
    async with scripted_server() as gone:
        pass
    async with client_for(gone.url) as client:
        for request in CALLS:
            failure = await failure_of(CannotConnectError, client, request)
            assert not failure.empty_reply
            assert "Connection refused" in str(failure)


async def test_an_unknown_name() -> None:
    class Nowhere(AbstractResolver):
        @override
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            raise OSError(None, "no such host")

        @override
        async def close(self) -> None:
            pass

    async with client_for("http://nas:32400", resolver=Nowhere()) as client:
        assert "name" in str(await failure_of(CannotConnectError, client, "POST /butler"))


async def test_no_connection_and_no_reason() -> None:
    def no_socket(*_: Any) -> socket.socket:
        raise OSError("for no number")

    async with client_for("http://127.0.0.1:1", socket_factory=no_socket) as client:
        await failure_of(CannotConnectError, client, "POST /butler")


async def test_a_silent_server_is_told_from_one_that_is_away(server: ScriptedServer) -> None:
    server.answers["GET /butler"] = [SILENCE]
    server.answers["GET /activities"] = [b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[" + SILENCE]
    async with client_for(server.url, request_timeout=0.1) as client:
        assert (await failure_of(PlexTimeoutError, client, "GET /butler")).connected
        assert (await failure_of(PlexTimeoutError, client, "GET /activities")).connected
    # Nothing on the other side takes part in TLS: there is no connection.
    async with client_for(server.url.with_scheme("https"), request_timeout=0.1) as client:
        assert not (await failure_of(PlexTimeoutError, client, "POST /butler")).connected


@pytest.mark.parametrize("request_", COMMANDS)
async def test_a_command_without_an_answer(server: ScriptedServer, request_: str) -> None:
    server.answers[request_] = [SILENCE]
    async with client_for(server.url, request_timeout=0.1) as client:
        await failure_of(CommandNotConfirmedError, client, request_)

    assert server.asked == ["GET /identity", request_]


async def test_a_command_that_never_left_is_not_an_open_one(server: ScriptedServer) -> None:
    server.answers["GET /identity"] = [SILENCE]
    async with client_for(server.url, request_timeout=0.1) as client:
        assert (await failure_of(PlexTimeoutError, client, "POST /butler")).connected


# TLS


@pytest.fixture(name="authority", scope="module")
def authority_fixture() -> trustme.CA:
    return trustme.CA()


def serving(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names).configure_cert(context)
    return context


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_https(authority: trustme.CA) -> None:
    async with scripted_server(serving(authority, "127.0.0.1")) as server:
        server.answers["GET /butler"] = [TASKS]
        async with client_for(server.url, tls=trusting(authority)) as client:
            assert await client.tasks() == ()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_certificate_for_another_name(authority: trustme.CA, host: str) -> None:
    async with scripted_server(serving(authority, "*.0123.plex.direct")) as server:
        url = server.url.with_host(host)
        async with client_for(url, tls=trusting(authority), family=socket.AF_INET) as client:
            for request in CALLS:
                await failure_of(HostnameMismatchError, client, request)

    assert not server.requests


async def test_a_certificate_that_is_not_trusted(authority: trustme.CA) -> None:
    async with (
        scripted_server(serving(trustme.CA(), "127.0.0.1")) as server,
        client_for(server.url, tls=trusting(authority)) as client,
    ):
        for request in CALLS:
            await failure_of(TlsError, client, request)

    assert not server.requests


async def test_https_where_http_is_spoken(authority: trustme.CA) -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(http(400))
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        async with client_for(f"https://127.0.0.1:{port}", tls=trusting(authority)) as client:
            await failure_of(TlsError, client, "POST /butler")


async def test_http_where_https_is_spoken(authority: trustme.CA) -> None:
    async with (
        scripted_server(serving(authority, "127.0.0.1")) as server,
        client_for(server.url.with_scheme("http")) as client,
    ):
        await failure_of(CannotConnectError, client, "POST /butler")


# Redirects


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
async def test_no_redirect_is_followed(server: ScriptedServer, status: int) -> None:
    async with scripted_server() as trap:
        redirect = http(status, Location=str(trap.url.with_path("/butler")))
        async with client_for(server.url) as client:
            for request in CALLS:
                server.answers["GET /identity"] = [IDENTITY]
                server.answers[request] = [redirect]
                await failure_of(NotPlexError, client, request)
        # Not without the middleware either.
        async with ClientSession() as session:
            client = PlexClient(
                session,
                server.url,
                TOKEN,
                client_identifier=CLIENT_IDENTIFIER,
                machine_identifier=MACHINE_IDENTIFIER,
                version="0",
            )
            for request in CALLS:
                server.answers["GET /identity"] = [IDENTITY]
                server.answers[request] = [redirect]
                await failure_of(NotPlexError, client, request)

    assert trap.connections == 0
    assert len(server.requests) > len(CALLS)
