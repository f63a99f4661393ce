"""The simulated plex.tv: what it answers, and that clients which others wrote can sign in there.

PlexAPI asks for XML, plex-api-client for JSON.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
import json
from typing import Any, Final
from urllib.parse import parse_qs
from xml.etree import ElementTree as ET

from aiohttp import ClientError, ClientSession, ClientTimeout
from plex_api_client import PlexAPI
from plex_api_client.models.components import PlexDevice, UserPlexAccount
from plex_api_client.models.errors import SDKError, Unauthorized as SdkUnauthorized
from plexapi.exceptions import BadRequest, Unauthorized
from plexapi.myplex import MyPlexAccount, MyPlexPinLogin, MyPlexResource
import pytest
from yarl import URL

from tests.simulator import SimulatedPlex
from tests.simulator.plex_tv import SimulatedPlexTv
from tests.simulator.plex_tv_rows import connection, plex_direct

pytestmark = pytest.mark.usefixtures("socket_enabled")

CLIENT: Final = "5b6e2d9c-0d0f-4e43-9c44-3a3c5d1f7a10"
HASH: Final = "0123456789abcdef0123456789abcdef"
RESOURCES: Final = "/api/v2/resources?includeHttps=1&includeRelay=1&includeIPv6=1"


@pytest.fixture(name="plex_tv")
async def plex_tv_fixture(socket_enabled: None) -> AsyncGenerator[SimulatedPlexTv]:
    async with SimulatedPlexTv() as plex_tv:
        yield plex_tv


async def ask(
    plex_tv: SimulatedPlexTv,
    method: str,
    path: str,
    *,
    token: str = "",
    client: str = CLIENT,
    accept: str = "application/json",
) -> tuple[int, bytes, dict[str, str]]:
    headers = {
        "Accept": accept,
        "X-Plex-Client-Identifier": client,
        "X-Plex-Product": "A test",
        "X-Plex-Token": token,
    }
    async with (
        ClientSession(timeout=ClientTimeout(total=5)) as session,
        session.request(
            method,
            URL(plex_tv.url + path),
            headers={name: value for name, value in headers.items() if value},
            allow_redirects=False,
        ) as response,
    ):
        return response.status, await response.read(), dict(response.headers)


async def ask_json(plex_tv: SimulatedPlexTv, method: str, path: str, **sent: str) -> Any:
    status, body, headers = await ask(plex_tv, method, path, **sent)
    assert headers["Content-Type"] == "application/json"
    return status, json.loads(body)


async def signed_in(plex_tv: SimulatedPlexTv) -> str:
    """Sign in with plain requests, and return the account's token."""
    _, pin = await ask_json(plex_tv, "POST", "/api/v2/pins?strong=true")
    plex_tv.sign_in(pin["code"])
    _, pin = await ask_json(plex_tv, "GET", f"/api/v2/pins/{pin['id']}")
    return str(pin["authToken"])


def error(code: int, message: str, status: int) -> tuple[int, Any]:
    return status, {"errors": [{"code": code, "message": message, "status": status}]}


# --- PINs


async def test_a_pin_waits_for_its_user(plex_tv: SimulatedPlexTv) -> None:
    status, pin = await ask_json(plex_tv, "POST", "/api/v2/pins?strong=true")
    path = f"/api/v2/pins/{pin['id']}"
    assert status == 201
    assert (pin["product"], pin["clientIdentifier"]) == ("A test", CLIENT)
    assert (pin["expiresIn"], pin["authToken"], plex_tv.codes) == (1800, None, [pin["code"]])
    assert await ask_json(plex_tv, "GET", path) == (200, pin)
    assert not plex_tv.tokens

    token = plex_tv.sign_in(pin["code"])
    plex_tv.advance(60)
    answer = await ask_json(plex_tv, "GET", path)
    assert answer == (200, pin | {"authToken": token, "expiresIn": 1740})
    assert plex_tv.tokens == {token}


async def test_a_short_pin_can_be_typed(plex_tv: SimulatedPlexTv) -> None:
    _, pin = await ask_json(plex_tv, "POST", "/api/v2/pins")
    assert (len(pin["code"]), pin["expiresIn"]) == (4, 900)


@pytest.mark.parametrize("how", ["time", "hand", "stranger", "number", "word"])
async def test_a_pin_is_forgotten(plex_tv: SimulatedPlexTv, how: str) -> None:
    _, pin = await ask_json(plex_tv, "POST", "/api/v2/pins?strong=true")
    plex_tv.sign_in(pin["code"])
    path, client = f"/api/v2/pins/{pin['id']}", CLIENT
    match how:
        case "time":
            plex_tv.advance(1799)
            assert (await ask(plex_tv, "GET", path))[0] == 200
            plex_tv.advance(1)
        case "hand":
            plex_tv.expire(pin["code"])
        case "stranger":
            client = "another"
        case "number":
            path += "0"
        case _:
            path += "x"
    answer = await ask_json(plex_tv, "GET", path, client=client)
    assert answer == error(1020, "Code not found or expired", 404)


async def test_a_user_refuses(plex_tv: SimulatedPlexTv) -> None:
    _, pin = await ask_json(plex_tv, "POST", "/api/v2/pins?strong=true")
    plex_tv.refuse(pin["code"])
    answer = await ask_json(plex_tv, "GET", f"/api/v2/pins/{pin['id']}")
    assert answer == error(1001, "User could not be authenticated", 401)


# --- the account


async def test_who_the_user_is(plex_tv: SimulatedPlexTv) -> None:
    token = await signed_in(plex_tv)
    status, user = await ask_json(plex_tv, "GET", "/api/v2/user", token=token)
    assert (status, user["authToken"]) == (200, token)
    plex_tv.revoke()
    refused = error(1001, "User could not be authenticated", 401)
    assert await ask_json(plex_tv, "GET", "/api/v2/user", token=token) == refused


async def test_devices_of_the_account(plex_tv: SimulatedPlexTv, server: SimulatedPlex) -> None:
    plex_tv.add(server)
    shared = [connection("https://a.example:32400", local=False)]
    plex_tv.add(server, owned=False, name="Attic", clientIdentifier="b", connections=shared)
    token = await signed_in(plex_tv)
    status, rows = await ask_json(plex_tv, "GET", RESOURCES, token=token)
    assert status == 200
    assert [(row["name"], row["provides"][:6], row["owned"]) for row in rows] == [
        ("Television", "client", True),
        ("Cellar", "server", True),
        ("Attic", "server", False),
    ]
    assert [row["accessToken"] for row in rows[1:]] == [server.owner_token, server.shared_token]
    assert rows[1]["connections"] == [
        {
            "protocol": "http",
            "address": "127.0.0.1",
            "port": server.port,
            "uri": server.url,
            "local": True,
            "relay": False,
            "IPv6": False,
        }
    ]
    assert plex_tv.tokens == {token, server.owner_token, server.shared_token}
    for bad in ("", "bogus"):
        refused = error(1001, "User could not be authenticated", 401)
        assert await ask_json(plex_tv, "GET", RESOURCES, token=bad) == refused


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["http://192.0.2.5:32400"]),
        ("includeHttps=1", [f"https://192-0-2-5.{HASH}.plex.direct:32400"]),
        ("includeIPv6=1", ["http://192.0.2.5:32400", "http://[2001:db8::5]:32400"]),
        ("includeRelay=1", ["http://192.0.2.5:32400", "http://198.51.100.1:8443"]),
    ],
)
async def test_only_what_was_asked_for(
    plex_tv: SimulatedPlexTv, server: SimulatedPlex, query: str, expected: list[str]
) -> None:
    relay = plex_direct("198.51.100.1", HASH, port=8443, local=False, relay=True)
    every = [plex_direct("192.0.2.5", HASH), plex_direct("2001:db8::5", HASH), relay]
    plex_tv.add(server, connections=every)
    token = await signed_in(plex_tv)
    _, rows = await ask_json(plex_tv, "GET", f"/api/v2/resources?{query}", token=token)
    assert [row["uri"] for row in rows[-1]["connections"]] == expected


# --- faults


async def test_a_client_says_who_it_is(plex_tv: SimulatedPlexTv) -> None:
    missing = error(1000, "X-Plex-Client-Identifier is missing", 400)
    assert await ask_json(plex_tv, "POST", "/api/v2/pins", client="") == missing
    in_query = f"/api/v2/pins?X-Plex-Client-Identifier={CLIENT}"
    assert (await ask(plex_tv, "POST", in_query, client=""))[0] == 201


async def test_nothing_else_is_there(plex_tv: SimulatedPlexTv) -> None:
    assert await ask_json(plex_tv, "GET", "/api/v2/pins") == error(1002, "Not Found", 404)


async def test_xml_without_accept_and_always(
    plex_tv: SimulatedPlexTv, server: SimulatedPlex
) -> None:
    plex_tv.add(server, connections=[plex_direct("192.0.2.5", HASH)])
    token = await signed_in(plex_tv)

    async def xml(path: str, accept: str, sent: str = token) -> ET.Element:
        _, body, headers = await ask(plex_tv, "GET", path, token=sent, accept=accept)
        assert headers["Content-Type"].startswith("application/xml")
        return ET.fromstring(body)  # noqa: S314 - our own simulator wrote it

    row = (await xml(RESOURCES, "*/*"))[1]
    assert (row.tag, row.get("owned"), row.get("sourceTitle")) == ("resource", "1", None)
    listed = row.find("connections/connection")
    assert listed is not None
    assert listed.get("uri") == f"https://192-0-2-5.{HASH}.plex.direct:32400"
    plex_tv.faults.always_xml = True
    root = await xml("/api/v2/user", "application/json", "bogus")
    assert (root.tag, root[0].tag, root[0].get("code")) == ("errors", "error", "1001")


async def test_strings(plex_tv: SimulatedPlexTv) -> None:
    plex_tv.faults.strings = True
    _, rows = await ask_json(plex_tv, "GET", RESOURCES, token=await signed_in(plex_tv))
    assert (rows[0]["owned"], rows[0]["connections"][0]["port"]) == ("1", "32500")


async def test_down(plex_tv: SimulatedPlexTv) -> None:
    plex_tv.faults.bad_gateway = True
    assert (await ask(plex_tv, "GET", "/api/v2/user"))[0] == 502
    await plex_tv.stop_listening()
    with pytest.raises(ClientError):
        await ask(plex_tv, "GET", "/api/v2/user")
    await plex_tv.listen()
    plex_tv.faults.bad_gateway = False
    assert await signed_in(plex_tv)
    plex_tv.faults.empty_reply = True
    with pytest.raises(ClientError):
        await ask(plex_tv, "POST", "/api/v2/pins")
    statuses = [(each.method, each.status) for each in plex_tv.requests]
    assert statuses == [("GET", 502), ("POST", 201), ("GET", 200), ("POST", None)]


async def test_asked_too_often(plex_tv: SimulatedPlexTv) -> None:
    plex_tv.faults.rate_limited = True
    status, _, headers = await ask(plex_tv, "GET", "/api/v2/user")
    assert (status, headers["Retry-After"]) == (429, "30")
    plex_tv.faults.retry_after = None
    status, body, headers = await ask(plex_tv, "GET", "/api/v2/user")
    assert (status, headers.get("Retry-After")) == (429, None)
    assert b'"code": 1003' in body


async def test_slow_answers_and_other_ones(plex_tv: SimulatedPlexTv) -> None:
    plex_tv.faults.slow = 0.05
    started = asyncio.get_running_loop().time()
    assert (await ask(plex_tv, "POST", "/api/v2/pins"))[0] == 201
    assert asyncio.get_running_loop().time() - started >= 0.05
    plex_tv.faults.garbage = b"<html>"
    assert (await ask(plex_tv, "POST", "/api/v2/pins"))[:2] == (200, b"<html>")
    plex_tv.faults.redirect_to = "https://example.org/"
    assert (await ask(plex_tv, "POST", "/api/v2/pins"))[0] == 302


async def test_requests_can_be_forgotten_while_one_runs(plex_tv: SimulatedPlexTv) -> None:
    plex_tv.faults.slow = 0.05
    asked = asyncio.create_task(ask(plex_tv, "POST", "/api/v2/pins"))
    while not plex_tv.requests:
        await asyncio.sleep(0)
    plex_tv.requests.clear()
    assert (await asked)[0] == 201
    assert not plex_tv.requests


# --- PlexAPI


@pytest.fixture(name="_plexapi")
def plexapi_fixture(plex_tv: SimulatedPlexTv, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point PlexAPI to the simulated plex.tv."""
    of_account = ((MyPlexAccount, name) for name in ("key", "WEBHOOKS"))
    for kind, name in ((MyPlexPinLogin, "PINS"), *of_account, (MyPlexResource, "key")):
        known = getattr(kind, name)
        monkeypatch.setattr(kind, name, known.replace("https://plex.tv", plex_tv.url))


def login_with(**options: bool) -> Any:
    login: Any = MyPlexPinLogin
    return login(**options)


def account_of(token: str) -> Any:
    connect: Any = MyPlexAccount
    return connect(token=token)


@pytest.mark.usefixtures("_plexapi")
async def test_plexapi_signs_in_and_finds_its_servers(
    plex_tv: SimulatedPlexTv, server: SimulatedPlex
) -> None:
    remote = plex_direct("198.51.100.7", HASH, port=40001, local=False)
    plex_tv.add(server, connections=[connection(server.url), remote])
    login = login_with(oauth=True)
    url = URL(await asyncio.to_thread(login.oauthUrl))
    code = plex_tv.codes[-1]
    assert parse_qs(url.fragment.partition("?")[2])["code"] == [code]
    assert not await asyncio.to_thread(login.checkLogin)
    token = plex_tv.sign_in(code)
    assert await asyncio.to_thread(login.checkLogin)
    assert login.token == token

    account = await asyncio.to_thread(account_of, token)
    assert (account.username, account.authToken, account.subscriptionActive) == (
        "owner",
        token,
        True,
    )
    player, found = await asyncio.to_thread(account.resources)
    assert (player.name, player.provides.split(",")[0]) == ("Television", "client")
    assert (found.name, found.clientIdentifier) == ("Cellar", server.machine_identifier)
    assert (found.owned, found.presence, found.httpsRequired) == (True, True, False)
    assert found.createdAt.year == 2015
    assert found.preferred_connections()[0] == server.url
    assert found.preferred_connections()[-2:] == [remote["uri"], "http://198.51.100.7:40001"]
    # What it takes from plex.tv opens the server.
    plex = await asyncio.to_thread(found.connect, timeout=2, locations=["local"])
    assert plex.machineIdentifier == server.machine_identifier
    assert len(await asyncio.to_thread(plex.butlerTasks)) == len(server.butler.tasks)


@pytest.mark.usefixtures("_plexapi")
async def test_plexapi_sees_a_pin_expire(plex_tv: SimulatedPlexTv) -> None:
    login = login_with()
    code = await asyncio.to_thread(lambda: login.pin)
    assert len(code) == 4
    plex_tv.expire(code)
    assert not await asyncio.to_thread(login.checkLogin)
    assert login.expired


@pytest.mark.usefixtures("_plexapi")
async def test_plexapi_is_refused(plex_tv: SimulatedPlexTv) -> None:
    with pytest.raises(Unauthorized, match=r"^\(401\) unauthorized"):
        await asyncio.to_thread(account_of, "bogus")
    plex_tv.faults.rate_limited = True
    with pytest.raises(BadRequest, match=r"^\(429\) too_many.*API rate limit exceeded"):
        await asyncio.to_thread(account_of, "bogus")


@pytest.mark.usefixtures("_plexapi")
async def test_plexapi_changes_the_webhooks(plex_tv: SimulatedPlexTv) -> None:
    account = await asyncio.to_thread(account_of, await signed_in(plex_tv))
    others = ["https://example.org/a?b=c&d=%20", "http://192.0.2.9:8123/api/webhook/é"]
    plex_tv.webhooks = [*others]
    assert await asyncio.to_thread(account.webhooks) == others
    assert await asyncio.to_thread(account.addWebhook, "http://a/") == [*others, "http://a/"]
    assert plex_tv.webhooks == [*others, "http://a/"]
    assert await asyncio.to_thread(account.deleteWebhook, "http://a/") == others
    assert await asyncio.to_thread(account.setWebhooks, []) == []
    plex_tv.faults.no_plex_pass = True
    with pytest.raises(BadRequest, match=r"^\(403\) .*Plex Pass"):
        await asyncio.to_thread(account.webhooks)


async def test_webhooks_are_told_in_json(plex_tv: SimulatedPlexTv) -> None:
    token = await signed_in(plex_tv)
    plex_tv.webhooks = ["http://a/"]
    answer = await ask_json(plex_tv, "GET", "/api/v2/user/webhooks", token=token)
    assert answer == (200, [{"url": "http://a/"}])
    plex_tv.faults.no_plex_pass = True
    answer = await ask_json(plex_tv, "GET", "/api/v2/user/webhooks", token=token)
    assert answer == error(1043, "Plex Pass is required", 403)
    answer = await ask_json(plex_tv, "GET", "/api/v2/user/webhooks", token="bogus")
    assert answer == error(1001, "User could not be authenticated", 401)


# --- plex-api-client


async def sdk[T](plex_tv: SimulatedPlexTv, token: str, act: Callable[[PlexAPI, str], T]) -> T:
    """Let plex-api-client do something, in a thread; its methods take another address."""

    def connect_and_act() -> T:
        with PlexAPI(token=token, client_identifier=CLIENT, product="peer") as plex:
            return act(plex, f"{plex_tv.url}/api/v2")

    return await asyncio.to_thread(connect_and_act)


async def test_sdk_signs_in(plex_tv: SimulatedPlexTv) -> None:
    identity: Any = {"client_identifier": CLIENT}

    def create(plex: PlexAPI, url: str) -> Any:
        return plex.authentication.create_o_auth_pin(security=identity, request={}, server_url=url)

    def look(plex: PlexAPI, url: str) -> Any:
        return plex.authentication.get_o_auth_pin(
            security=identity, request={"pin_id": pin.id}, server_url=url
        ).object

    with pytest.raises(SDKError, match="Unexpected response received: Status 201"):
        await sdk(plex_tv, "", create)
    # It knows of no 201.
    plex_tv.faults.created = 200
    pin = (await sdk(plex_tv, "", create)).object
    assert (pin.code, pin.expires_in, pin.auth_token) == (plex_tv.codes[-1], 900, None)
    assert (pin.client_identifier, pin.product) == (CLIENT, "peer")
    token = plex_tv.sign_in(pin.code)
    assert (await sdk(plex_tv, "", look)).auth_token == token


async def test_sdk_finds_servers(plex_tv: SimulatedPlexTv, server: SimulatedPlex) -> None:
    plex_tv.add(server)
    plex_tv.add(server, owned=False, clientIdentifier="b")
    token = await signed_in(plex_tv)

    def resources(plex: PlexAPI, url: str) -> list[PlexDevice]:
        return plex.plex.get_server_resources(request={}, server_url=url).plex_devices or []

    def user(plex: PlexAPI, url: str) -> UserPlexAccount:
        told = plex.authentication.get_token_details(request={}, server_url=url)
        assert told.user_plex_account
        return told.user_plex_account

    _, own, shared = await sdk(plex_tv, token, resources)
    assert (own.client_identifier, own.owned) == (server.machine_identifier, True)
    assert (own.access_token, own.source_title) == (server.owner_token, None)
    assert (shared.owned, shared.owner_id, own.connections[0].uri) == (False, 7, server.url)
    assert (await sdk(plex_tv, token, user)).auth_token == token
    for act in (resources, user):
        with pytest.raises(SdkUnauthorized) as refused:
            await sdk(plex_tv, "bogus", act)
        assert refused.value.status_code == 401
        assert "User could not be authenticated" in refused.value.body
