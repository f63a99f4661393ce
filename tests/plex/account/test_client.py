"""Signing in at plex.tv: what is sent, what comes of it, what goes wrong, and what never gets out."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
import ssl
from typing import Any, Final
from urllib.parse import parse_qs

from aiohttp import ClientSession, DummyCookieJar, TCPConnector
import pytest
import trustme
from yarl import URL

from custom_components.plex_butler.plex import PlexError, refuse_redirects
from custom_components.plex_butler.plex.account.client import PLEX_TV, PlexAccount
from custom_components.plex_butler.plex.account.errors import (
    AccountError,
    NotPlexTvError,
    PinExpiredError,
    PlexTvDownError,
    RateLimitedError,
    SignInRefusedError,
)
from custom_components.plex_butler.plex.account.models import AccountServer, Connection, Pin
from custom_components.plex_butler.plex.http import BODY_LIMIT
from tests.plex.scripted_server import (
    DROP,
    RESET,
    SILENCE,
    ScriptedServer,
    http,
    http_json,
    scripted_server,
)
from tests.simulator import SimulatedPlex
from tests.simulator.plex_tv import SimulatedPlexTv

pytestmark = pytest.mark.usefixtures("socket_enabled")

CLIENT: Final = "5b6e2d9c-0d0f-4e43-9c44-3a3c5d1f7a10"
TOKEN: Final = "Acc-ount_Tok3n"
PIN: Final = Pin(604178290, "strong-code-of-25-letters", 1800)

type Call = Callable[[PlexAccount], Awaitable[Any]]

CALLS: Final[dict[str, Call]] = {
    "POST /api/v2/pins?strong=true": PlexAccount.create_pin,
    "GET /api/v2/pins/604178290": lambda account: account.token(PIN),
    "GET /api/v2/resources?includeHttps=1&includeRelay=1&includeIPv6=1": (
        lambda account: account.servers(TOKEN)
    ),
    "GET /api/v2/user/webhooks": lambda account: account.replace_webhook(TOKEN, ("own",), None),
}
CREATE, POLL, LIST, _ = CALLS


@pytest.fixture(name="secrets")
def secrets_fixture() -> set[str]:
    """Everything that may not get out; the tests add to it."""
    return {TOKEN, PIN.code, str(PIN.id)}


@pytest.fixture(autouse=True)
def _no_secret_in_the_log(caplog: pytest.LogCaptureFixture, secrets: set[str]) -> Iterator[None]:
    caplog.set_level(0)
    yield
    logged = [record.getMessage() + str(record.exc_info) for record in caplog.get_records("call")]
    assert logged
    assert not [line for line in logged if any(secret in line for secret in secrets)]


@pytest.fixture(name="server")
async def scripted_fixture(socket_enabled: None) -> AsyncGenerator[ScriptedServer]:
    async with scripted_server() as server:
        yield server


@pytest.fixture(name="plex_tv")
async def plex_tv_fixture(socket_enabled: None) -> AsyncGenerator[SimulatedPlexTv]:
    async with SimulatedPlexTv() as plex_tv:
        yield plex_tv


@asynccontextmanager
async def account_at(
    url: URL | str, *, request_timeout: float = 5, tls: ssl.SSLContext | bool = True
) -> AsyncGenerator[PlexAccount]:
    """Make a client and a session as Home Assistant makes it."""
    async with ClientSession(
        connector=TCPConnector(ssl=tls),
        cookie_jar=DummyCookieJar(),
        middlewares=(refuse_redirects,),
    ) as session:
        yield PlexAccount(
            session,
            client_identifier=CLIENT,
            version="9.8.7",
            url=URL(url),
            request_timeout=request_timeout,
        )


async def failure_of[E: AccountError](kind: type[E], call: Awaitable[Any]) -> E:
    """See a request fail, and see that nothing holds a secret."""
    with pytest.raises(kind) as caught:
        await call
    assert type(caught.value) is kind
    link: BaseException | None = caught.value
    while link:
        assert isinstance(link, PlexError)
        shown = f"{link} {link!r} {link.args} {vars(link)}"
        assert not [s for s in (TOKEN, PIN.code, str(PIN.id), CLIENT, "127.0.0.1") if s in shown]
        link = link.__cause__ or link.__context__
    return caught.value


# What comes of it


@pytest.mark.parametrize("how", ["json", "strings"])
async def test_from_nothing_to_the_servers(
    plex_tv: SimulatedPlexTv, server: SimulatedPlex, secrets: set[str], how: str
) -> None:
    plex_tv.faults.strings = how == "strings"
    async with SimulatedPlex(machine_identifier="b", friendly_name="Attic") as attic:
        owner = attic.owner_token
        plex_tv.add(attic, owned=False, httpsRequired=True, presence=False)
        shared = attic.shared_token
        async with SimulatedPlex() as cellar, account_at(plex_tv.url) as account:
            plex_tv.add(cellar)
            pin = await account.create_pin()
            assert (pin.code, pin.expires_in) == (plex_tv.codes[0], 1800)
            assert await account.token(pin) is None
            token = plex_tv.sign_in(pin.code)
            assert await account.token(pin) == token
            servers = await account.servers(token)
            secrets |= plex_tv.tokens | {pin.code, str(pin.id), owner}
            assert plex_tv.tokens == {token, shared, cellar.owner_token}

    at = Connection(URL(attic.url), "127.0.0.1", attic.port, local=True, relay=False, ipv6=False)
    assert servers[0] == AccountServer(
        name="Attic",
        machine_identifier="b",
        owned=False,
        token=shared,
        https_required=True,
        presence=False,
        connections=(at,),
    )
    assert [(each.name, each.owned, each.token) for each in servers[1:]] == [
        ("Cellar", True, cellar.owner_token)
    ]
    assert not [secret for secret in secrets if secret in f"{pin!r} {servers!r} {account!r}"]


async def test_a_pin_that_is_answered_with_200(plex_tv: SimulatedPlexTv) -> None:
    plex_tv.faults.created = 200
    async with account_at(plex_tv.url) as account:
        assert await account.create_pin()


async def test_the_page_to_sign_in_at(plex_tv: SimulatedPlexTv) -> None:
    async with account_at(plex_tv.url) as account:
        url = account.sign_in_url(Pin(1, "a&b#c", None))
        await account.create_pin()

    assert str(url) == (
        f"https://app.plex.tv/auth#?clientID={CLIENT}&code=a%26b%23c"
        "&context%5Bdevice%5D%5Bproduct%5D=Plex+Butler"
    )
    assert parse_qs(str(url).partition("#?")[2]) == {
        "clientID": [CLIENT],
        "code": ["a&b#c"],
        "context[device][product]": ["Plex Butler"],
    }


async def test_nothing_else_is_sent(plex_tv: SimulatedPlexTv) -> None:
    async with account_at(plex_tv.url) as account:
        pin = await account.create_pin()
        token = plex_tv.sign_in(pin.code)
        await account.token(pin)
        await account.servers(token)

    asked = [(each.method, each.path, each.query) for each in plex_tv.requests]
    assert asked == [
        ("POST", "/api/v2/pins", {"strong": "true"}),
        ("GET", f"/api/v2/pins/{pin.id}", {}),
        (
            "GET",
            "/api/v2/resources",
            {"includeHttps": "1", "includeRelay": "1", "includeIPv6": "1"},
        ),
    ]
    for each in plex_tv.requests:
        plex_headers = {k: v for k, v in each.headers.items() if k.startswith(("x-", "accept"))}
        assert plex_headers.pop("accept-encoding")
        assert plex_headers == {
            "accept": "application/json",
            "x-plex-client-identifier": CLIENT,
            "x-plex-device": "Home Assistant",
            "x-plex-device-name": "Home Assistant",
            "x-plex-platform": "Home Assistant",
            "x-plex-product": "Plex Butler",
            "x-plex-version": "9.8.7",
        } | ({"x-plex-token": token} if each.path.endswith("resources") else {})
        assert "cookie" not in each.headers
        assert each.headers.get("content-length", "0") == "0"


async def test_plex_tv_itself_is_asked_over_https() -> None:
    assert str(PLEX_TV) == "https://plex.tv"

    asked: list[URL] = []

    async def note(request: Any, _: Any) -> Any:
        asked.append(request.url)
        raise ConnectionRefusedError

    async with ClientSession(middlewares=(note,)) as session:
        account = PlexAccount(session, client_identifier=CLIENT, version="0")
        for call in CALLS.values():
            await failure_of(PlexTvDownError, call(account))
    assert {(url.scheme, url.host, url.port) for url in asked} == {("https", "plex.tv", 443)}


# What goes wrong


async def test_nobody_signs_in(plex_tv: SimulatedPlexTv) -> None:
    async with account_at(plex_tv.url) as account:
        pin = await account.create_pin()
        plex_tv.advance(1799)
        assert await account.token(pin) is None
        plex_tv.advance(1)
        await failure_of(PinExpiredError, account.token(pin))


async def test_the_user_refuses(plex_tv: SimulatedPlexTv) -> None:
    async with account_at(plex_tv.url) as account:
        pin = await account.create_pin()
        plex_tv.refuse(pin.code)
        await failure_of(SignInRefusedError, account.token(pin))


async def test_a_token_that_is_good_no_more(plex_tv: SimulatedPlexTv) -> None:
    async with account_at(plex_tv.url) as account:
        pin = await account.create_pin()
        token = plex_tv.sign_in(pin.code)
        plex_tv.revoke()
        await failure_of(SignInRefusedError, account.servers(token))


@pytest.mark.parametrize("request_", CALLS)
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (302, NotPlexTvError),
        (304, NotPlexTvError),
        (400, NotPlexTvError),
        (401, SignInRefusedError),
        (403, SignInRefusedError),
        (422, SignInRefusedError),
        (429, RateLimitedError),
        (451, NotPlexTvError),
        (500, PlexTvDownError),
        (502, PlexTvDownError),
        (503, PlexTvDownError),
        (521, PlexTvDownError),
    ],
)
async def test_refusals(
    server: ScriptedServer, request_: str, status: int, kind: type[AccountError]
) -> None:
    server.answers[request_] = [http(status, b"<html>no</html>", Location="/login")]
    async with account_at(server.url) as account:
        await failure_of(kind, CALLS[request_](account))

    assert server.asked == [request_]


@pytest.mark.parametrize("status", [404, 410])
async def test_only_a_pin_can_be_forgotten(server: ScriptedServer, status: int) -> None:
    for request in CALLS:
        server.answers[request] = [http(status)]
    async with account_at(server.url) as account:
        await failure_of(PinExpiredError, account.token(PIN))
        await failure_of(NotPlexTvError, account.create_pin())
        await failure_of(NotPlexTvError, account.servers(TOKEN))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("30", 30), ("0", 0), ("9" * 500, 86400), ("-1", None), ("soon", None), (None, None)],
)
async def test_asked_too_often(
    plex_tv: SimulatedPlexTv, header: str | None, seconds: float | None
) -> None:
    plex_tv.faults.rate_limited = True
    plex_tv.faults.retry_after = header
    async with account_at(plex_tv.url) as account:
        for call in CALLS.values():
            assert (await failure_of(RateLimitedError, call(account))).retry_after == seconds


async def test_plex_tv_is_off_and_on_again(plex_tv: SimulatedPlexTv) -> None:
    async with account_at(plex_tv.url) as account:
        pin = await account.create_pin()
        await plex_tv.stop_listening()
        for call in CALLS.values():
            failure = await failure_of(PlexTvDownError, call(account))
            assert "Connection refused" in str(failure)
        await plex_tv.listen()
        assert await account.token(pin) is None


@pytest.mark.parametrize("how", [DROP, RESET], ids=["drop", "reset"])
@pytest.mark.parametrize("request_", CALLS)
async def test_connections_that_are_dropped(
    server: ScriptedServer, request_: str, how: bytes
) -> None:
    server.answers[request_] = [how]
    async with account_at(server.url) as account:
        await failure_of(PlexTvDownError, CALLS[request_](account))


@pytest.mark.parametrize(
    "answer", [SILENCE, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[" + SILENCE]
)
async def test_no_answer_in_time(server: ScriptedServer, answer: bytes) -> None:
    for request in CALLS:
        server.answers[request] = [answer]
    async with asyncio.timeout(3), account_at(server.url, request_timeout=0.1) as account:
        for call in CALLS.values():
            await failure_of(PlexTvDownError, call(account))


@pytest.mark.parametrize("request_", CALLS)
@pytest.mark.parametrize(
    "answer",
    [
        http(200, b"<html>Log in</html>"),
        http(200, b"<!DOCTYPE html><html>Log in</html>"),
        http(200),
        http(200, b"\xff\xfe"),
        http(200, b"[" * 100000),
        http_json({"status": "ok"}),
        http_json("ok"),
        http_json(None),
        http_json([{"status": "ok"}]),
        b"SSH-2.0-OpenSSH_9.2p1\r\n" + DROP,
    ],
    ids=lambda value: value.decode(errors="replace")[-30:] if isinstance(value, bytes) else "",
)
async def test_something_else_answers(server: ScriptedServer, request_: str, answer: bytes) -> None:
    server.answers[request_] = [answer]
    async with account_at(server.url) as account:
        await failure_of(NotPlexTvError, CALLS[request_](account))


@pytest.mark.parametrize("request_", CALLS)
async def test_an_endless_answer_is_not_read_to_its_end(
    server: ScriptedServer, request_: str
) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {10 * BODY_LIMIT}\r\n\r\n".encode()
    server.answers[request_] = [head + b" " * (BODY_LIMIT + 1) + SILENCE]
    async with asyncio.timeout(3), account_at(server.url) as account:
        await failure_of(NotPlexTvError, CALLS[request_](account))


async def test_the_largest_answer_is_read(server: ScriptedServer) -> None:
    server.answers[LIST] = [http(200, b"[]".rjust(BODY_LIMIT))]
    async with account_at(server.url) as account:
        assert await account.servers(TOKEN) == ()


async def test_a_certificate_of_somebody_else() -> None:
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(serving)
    async with scripted_server(serving) as server, account_at(server.url) as account:
        for call in CALLS.values():
            await failure_of(NotPlexTvError, call(account))

    assert not server.requests


async def test_no_redirect_is_followed(server: ScriptedServer) -> None:
    async with scripted_server() as trap:
        for request in CALLS:
            server.answers[request] = [http(307, Location=str(trap.url / "api/v2"))]
        async with account_at(server.url) as account:
            for call in CALLS.values():
                await failure_of(NotPlexTvError, call(account))
        # Not without the middleware either.
        async with ClientSession() as session:
            account = PlexAccount(session, client_identifier=CLIENT, version="0", url=server.url)
            for call in CALLS.values():
                await failure_of(NotPlexTvError, call(account))

    assert trap.connections == 0
    assert len(server.requests) == 2 * len(CALLS)


@pytest.mark.parametrize("rest", ["", " ", "\r\nX-Other: 1", "\u00e9", "\x00"])
async def test_a_token_that_would_break_the_header_is_not_sent(
    plex_tv: SimulatedPlexTv, rest: str
) -> None:
    async with account_at(plex_tv.url) as account:
        await account.create_pin()
        token = TOKEN + rest if rest else ""
        await failure_of(SignInRefusedError, account.servers(token))

    assert [each.path for each in plex_tv.requests] == ["/api/v2/pins"]


async def test_a_token_that_nobody_could_send_is_none(server: ScriptedServer) -> None:
    server.answers[POLL] = [http_json({"id": PIN.id, "authToken": f"{TOKEN}\r\nX-Other: 1"})]
    async with account_at(server.url) as account:
        await failure_of(NotPlexTvError, account.token(PIN))
