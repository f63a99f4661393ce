"""Everything that goes wrong between the client and a server, and that no token gets out by it."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from datetime import UTC, datetime, timedelta
import socket
import ssl
from typing import Any, override

from aiohttp import ClientSession
from aiohttp.abc import AbstractResolver, ResolveResult
from freezegun.api import FrozenDateTimeFactory
import pytest
import trustme
from yarl import URL

from custom_components.plex_butler.plex import (
    CannotConnectError,
    CertificateExpiredError,
    CommandNotConfirmedError,
    CommandServerError,
    HostnameMismatchError,
    HttpsRequiredError,
    NoButlerError,
    NotOwnerError,
    NotPlexError,
    OtherServerError,
    PlexClient,
    PlexError,
    PlexTimeoutError,
    PreferencesRefusedError,
    ProxyRefusesError,
    ServerError,
    StartingUpError,
    TlsError,
    TooManyRequestsError,
    UnauthorizedError,
)
from custom_components.plex_butler.plex.http import BODY_LIMIT
from custom_components.plex_butler.plex.requests import SILENCE as SILENCE_SECONDS
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
SET = "PUT /:/prefs?ButlerStartHour=3"
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
        (http(401, UNAUTHORIZED, X_Plex_Protocol="1.0"), UnauthorizedError),
        (http(403, b"<h1>403 Forbidden</h1>", X_Plex_Protocol="1.0"), NotOwnerError),
        (http(401, UNAUTHORIZED, WWW_Authenticate="Basic"), ProxyRefusesError),
        (http(403, b"", WWW_Authenticate="Basic"), ProxyRefusesError),
        (http(503, MAINTENANCE_JSON), StartingUpError),
        (http(503, MAINTENANCE_XML), StartingUpError),
        (http(400, STILL_STARTING), StartingUpError),
        (http(400, b"The plain HTTP request was sent to HTTPS port"), HttpsRequiredError),
        (http(400, b"Client sent an HTTP request to an HTTPS server."), HttpsRequiredError),
        (http(400, b"speaking plain HTTP to an SSL-enabled server port."), HttpsRequiredError),
        (http(429), TooManyRequestsError),
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


@pytest.mark.parametrize("request_", [*READS, *COMMANDS])
@pytest.mark.parametrize(
    ("status", "kind", "if_proxy"),
    [
        (400, NotPlexError, NotPlexError),
        (401, UnauthorizedError, ProxyRefusesError),
        (403, NotOwnerError, ProxyRefusesError),
        (405, NotPlexError, NotPlexError),
        (500, ServerError, NotPlexError),
    ],
)
async def test_refusals_that_a_proxy_may_have_given(
    server: ScriptedServer,
    client: PlexClient,
    request_: str,
    status: int,
    kind: type[PlexError],
    if_proxy: type[PlexError],
) -> None:
    """They count if the right server identifies itself once more, without the token."""
    server.answers[request_] = [http(status, b"<html>")]
    is_command = request_ in COMMANDS
    if is_command and status == 500:
        kind = CommandServerError
    if "/:/prefs" in request_ and status in (400, 405):
        kind = PreferencesRefusedError

    await failure_of(kind, client, request_)
    assert server.asked == ["GET /identity", request_, "GET /identity"]
    assert "x-plex-token" not in server.requests[-1].headers

    server.answers["GET /identity"] = [http(404)]
    if is_command and if_proxy is NotPlexError:
        await failure_of(CommandNotConfirmedError, client, request_)
    else:
        failure = await failure_of(if_proxy, client, request_)
        assert not isinstance(failure, NotPlexError) or failure.no_server


@pytest.mark.parametrize("request_", [*READS, *COMMANDS])
async def test_an_error_of_the_servers_own(
    server: ScriptedServer, client: PlexClient, request_: str
) -> None:
    server.answers[request_] = [http(500, b"<html>", X_Plex_Protocol="1.0")]

    kind = CommandServerError if request_ in COMMANDS else ServerError
    await failure_of(kind, client, request_)
    assert server.asked == ["GET /identity", request_]


@pytest.mark.parametrize("request_", [*READS, *COMMANDS])
@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("identity", [SILENCE, http(503, MAINTENANCE_XML)])
async def test_a_token_is_not_wrong_while_nobody_knows_who_refused_it(
    server: ScriptedServer, request_: str, status: int, identity: bytes
) -> None:
    server.answers[request_] = [http(status)]
    server.answers["GET /identity"] = [IDENTITY, identity]
    kind: type[PlexError] = PlexTimeoutError if identity == SILENCE else StartingUpError
    if request_ in COMMANDS:
        # Whoever has refused it may have passed it on.
        kind = CommandNotConfirmedError
    async with client_for(server.url, request_timeout=0.1) as client:
        await failure_of(kind, client, request_)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        ("GET /butler", 404),
        ("GET /activities", 404),
        ("GET /status/sessions", 404),
        ("POST /butler/BackupDatabase", 200),
        ("POST /butler/BackupDatabase", 202),
        ("POST /butler/BackupDatabase", 404),
        ("DELETE /butler/BackupDatabase", 200),
        ("DELETE /butler/BackupDatabase", 404),
        ("POST /butler", 200),
        ("POST /butler", 404),
        ("DELETE /butler", 200),
        ("DELETE /butler", 404),
        ("GET /:/prefs", 404),
        (SET, 200),
        (SET, 400),
        (SET, 404),
    ],
)
@pytest.mark.parametrize(
    ("identity", "kind"),
    [
        (http(404), NotPlexError),
        (http(200, b"<html>Log in"), NotPlexError),
        (http(401), ProxyRefusesError),
        (http(500), CannotConnectError),
        (http(502), CannotConnectError),
        (http(521), CannotConnectError),
        (http_json({"MediaContainer": {"machineIdentifier": "another"}}), OtherServerError),
    ],
    ids=["404", "page", "401", "500", "502", "521", "other"],
)
async def test_what_a_proxy_answers_in_place_of_the_server_does_not_count(
    server: ScriptedServer,
    client: PlexClient,
    request_: str,
    status: int,
    identity: bytes,
    kind: type[PlexError],
) -> None:
    server.answers[request_] = [http(status, b"<html>Log in")]
    server.answers["GET /identity"] = [IDENTITY, identity]

    await failure_of(CommandNotConfirmedError if request_ in COMMANDS else kind, client, request_)
    assert server.asked == ["GET /identity", request_, "GET /identity"]
    assert "x-plex-token" not in server.requests[-1].headers
    # Nothing is sent before the right server is there again.
    failure = await failure_of(kind, client, request_)
    assert not isinstance(failure, NotPlexError) or failure.no_server
    assert server.asked[3:] == ["GET /identity"]


@pytest.mark.parametrize(
    ("status", "identity", "kind"),
    [
        (401, IDENTITY, UnauthorizedError),
        (403, IDENTITY, NotOwnerError),
        (401, http(404), ProxyRefusesError),
        (403, http(404), ProxyRefusesError),
    ],
)
async def test_refusals_of_the_stream(
    server: ScriptedServer, client: PlexClient, status: int, identity: bytes, kind: type[PlexError]
) -> None:
    server.answers["GET /:/websockets/notifications"] = [http(status)]
    server.answers["GET /identity"] = [IDENTITY, identity]

    with pytest.raises(kind):
        async with client.notifications():
            pass


@pytest.mark.parametrize("request_", COMMANDS)
async def test_an_answer_without_a_length_may_have_a_body(
    server: ScriptedServer, client: PlexClient, request_: str
) -> None:
    server.answers[request_] = [b"HTTP/1.1 200 OK\r\n\r\n" + DROP]

    await COMMANDS[request_](client)
    assert server.asked == ["GET /identity", request_, "GET /identity"]


@pytest.mark.parametrize("request_", COMMANDS)
async def test_a_command_after_a_silence_is_preceded_by_the_identity(
    server: ScriptedServer, client: PlexClient, request_: str, freezer: FrozenDateTimeFactory
) -> None:
    await client.tasks()
    freezer.tick(SILENCE_SECONDS)
    await COMMANDS[request_](client)
    assert server.asked == ["GET /identity", "GET /butler", request_]
    freezer.tick(SILENCE_SECONDS + 1)
    server.answers["GET /identity"] = [http(404)]
    await failure_of(NotPlexError, client, request_)
    assert server.asked[3:] == ["GET /identity"]


async def test_a_read_after_a_silence_is_not(
    server: ScriptedServer, client: PlexClient, freezer: FrozenDateTimeFactory
) -> None:
    await client.tasks()
    freezer.tick(SILENCE_SECONDS + 1)
    await client.tasks()
    assert server.asked == ["GET /identity", "GET /butler", "GET /butler"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [(201, NotPlexError)]
    + [(status, CannotConnectError) for status in (502, 503, 504, 520, 522, 525, 530)],
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


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, ProxyRefusesError),
        (403, ProxyRefusesError),
        (404, NotPlexError),
        (500, CannotConnectError),
        (302, NotPlexError),
    ],
)
async def test_everybody_may_ask_who_a_server_is(
    server: ScriptedServer, client: PlexClient, status: int, kind: type[PlexError]
) -> None:
    """So whoever wants a login for that is no Plex Media Server, and the token is not wrong."""
    server.answers["GET /identity"] = [http(status)]

    for request in CALLS:
        await failure_of(kind, client, request)
    assert set(server.asked) == {"GET /identity"}


@pytest.mark.parametrize(
    ("status", "kind"), [(401, UnauthorizedError), (403, NotOwnerError), (500, ServerError)]
)
async def test_plexs_own_header_proves_an_answer_to_be_the_servers(
    server: ScriptedServer, client: PlexClient, status: int, kind: type[PlexError]
) -> None:
    server.answers["GET /identity"] = [http(status, X_Plex_Protocol="1.0")]

    await failure_of(kind, client, "GET /identity")


async def test_a_server_without_a_butler_is_too_old(
    server: ScriptedServer, client: PlexClient
) -> None:
    for request in ("GET /butler", "POST /butler", "DELETE /butler"):
        server.answers[request] = [http(404)]
        await failure_of(NoButlerError, client, request)


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


@pytest.mark.parametrize(("date", "seconds"), [("07:26:30", 90), ("07:30:00", 0)])
async def test_retry_after_that_is_a_date_is_compared_with_that_of_the_answer(
    server: ScriptedServer, client: PlexClient, date: str, seconds: float
) -> None:
    server.answers["GET /identity"] = [
        http(
            503,
            MAINTENANCE_XML,
            Retry_After="Wed, 21 Oct 2026 07:28:00 GMT",
            Date=f"Wed, 21 Oct 2026 {date} GMT",
        )
    ]

    assert (await failure_of(StartingUpError, client, "GET /butler")).retry_after == seconds


@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_of_a_proxy(
    server: ScriptedServer, client: PlexClient, status: int
) -> None:
    server.answers["GET /butler"] = [http(status, Retry_After="30")]

    kind = TooManyRequestsError if status == 429 else CannotConnectError
    assert (await failure_of(kind, client, "GET /butler")).retry_after == 30


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
    before = len(server.requests)
    # The same where nothing on the other side takes part in TLS.
    for _ in range(2):
        async with client_for(server.url.with_scheme("https"), request_timeout=0.1) as client:
            assert (await failure_of(PlexTimeoutError, client, "POST /butler")).connected
        server.answers["GET /identity"] = [b""]
    assert len(server.requests) > before
    assert all("x-plex-token" not in request.headers for request in server.requests[before:])


async def test_server_that_goes_away_during_the_handshake_is_not_blocked() -> None:
    held: list[asyncio.StreamWriter] = []

    def hang(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)
        listener.close()

    listener = await asyncio.start_server(hang, "127.0.0.1", 0)
    url = URL(f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}")
    async with client_for(url, request_timeout=0.1) as client:
        assert not (await failure_of(PlexTimeoutError, client, "GET /identity")).connected
    listener.close_clients()


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


async def test_a_certificate_that_has_expired(authority: trustme.CA) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    authority.issue_cert("127.0.0.1", not_after=yesterday).configure_cert(context)
    async with (
        scripted_server(context) as server,
        client_for(server.url, tls=trusting(authority)) as client,
    ):
        for request in CALLS:
            await failure_of(CertificateExpiredError, client, request)

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
        failure = await failure_of(HttpsRequiredError, client, "POST /butler")
        assert failure.address == server.url


# Redirects


@pytest.mark.parametrize("status", [301, 302, 307, 308])
@pytest.mark.parametrize("request_", CALLS)
async def test_a_redirect_to_https_shows_the_address(
    server: ScriptedServer, request_: str, status: int
) -> None:
    url = server.url / "plex"
    server.answers["GET /plex/identity"] = [IDENTITY]
    request_ = request_.replace(" ", " /plex")
    server.answers[request_] = [http(status, Location="https://127.0.0.1:8443/plex?a=b")]
    async with client_for(url) as client:
        failure = await failure_of(HttpsRequiredError, client, request_.replace("/plex", ""))

    assert failure.address == URL("https://127.0.0.1:8443/plex")


async def test_a_port_for_https_shows_the_address(
    server: ScriptedServer, client: PlexClient
) -> None:
    server.answers["GET /identity"] = [http(400, b"Client sent an HTTP request to an HTTPS server")]
    failure = await failure_of(HttpsRequiredError, client, "GET /identity")

    assert failure.address == server.url.with_scheme("https")
    assert failure.address.port == server.url.port


@pytest.mark.parametrize(
    "location",
    [
        "https://login.example.org/",
        "https://[bad",
        "https://xn--zz--9.local/",
        "http://127.0.0.1/",
        "",
    ],
)
async def test_any_other_redirect_shows_none(
    server: ScriptedServer, client: PlexClient, location: str
) -> None:
    server.answers["GET /identity"] = [http(302, Location=location)]

    assert (await failure_of(NotPlexError, client, "GET /butler")).no_server


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
async def test_no_redirect_is_followed(server: ScriptedServer, status: int) -> None:
    async with scripted_server() as trap:
        redirect = http(status, Location=str(trap.url.with_path("/butler")))
        async with client_for(server.url) as client:
            for request in CALLS:
                server.answers["GET /identity"] = [IDENTITY]
                server.answers[request] = [redirect]
                if request == "GET /":
                    # A proxy may lead to the web app from here.
                    assert (await client.server()).friendly_name is None
                else:
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
