"""The client: what it sends, to whom, and what it makes of the answers."""

import ast
import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
import sys
from typing import Any

from aiohttp import ClientSession
import pytest
from yarl import URL

from custom_components.plex_butler import plex
from custom_components.plex_butler.plex import (
    Activity,
    ButlerTask,
    CannotConnectError,
    Identity,
    InvalidTaskNameError,
    NotPlexError,
    OtherServerError,
    PlexClient,
    PlexError,
    PlexTimeoutError,
    Preference,
    Preferences,
    PreferencesRefusedError,
    PreferenceValue,
    Server,
    StartResult,
    StopResult,
    TaskNotFoundError,
    UnauthorizedError,
)
from tests.plex.clients import CALLS, CLIENT_IDENTIFIER, COMMANDS, TOKEN, client_for
from tests.plex.scripted_server import (
    IDENTITY,
    MACHINE_IDENTIFIER,
    SILENCE,
    ScriptedServer,
    http,
    http_json,
    scripted_server,
)

TASKS = http_json({"ButlerTasks": {"ButlerTask": [{"name": "BackupDatabase", "interval": 3}]}})
ACTIVITIES = http_json({"MediaContainer": {"Activity": [{"uuid": "a", "type": "butler"}]}})
PREFERENCES = http_json(
    {"MediaContainer": {"Setting": [{"id": "ButlerStartHour", "value": 2, "enumValues": "1|2"}]}}
)

pytestmark = pytest.mark.usefixtures("socket_enabled")


@pytest.fixture(name="server")
async def server_fixture(socket_enabled: None) -> AsyncGenerator[ScriptedServer]:
    """A server that answers everything well."""
    async with scripted_server() as server:
        server.answers |= {request: [http(200)] for request in COMMANDS}
        server.answers["GET /"] = [http_json({"MediaContainer": {"friendlyName": "Attic"}})]
        server.answers["GET /butler"] = [TASKS]
        server.answers["GET /activities"] = [ACTIVITIES]
        server.answers["GET /:/prefs"] = [PREFERENCES]
        yield server


@pytest.fixture(name="client")
async def client_fixture(server: ScriptedServer) -> AsyncGenerator[PlexClient]:
    async with client_for(server.url) as client:
        yield client


async def test_what_a_server_tells(client: PlexClient) -> None:
    assert await client.identity() == Identity(MACHINE_IDENTIFIER, None, None)
    assert await client.server() == Server(MACHINE_IDENTIFIER, "Attic", None, None, None, None)
    assert await client.tasks() == (
        ButlerTask("BackupDatabase", "Backup Database", None, 3, None, None),
    )
    assert await client.activities() == (Activity("a", "butler", None),)
    assert await client.preferences() == Preferences({"ButlerStartHour": Preference(2, (1, 2))})


async def test_an_old_server_does_not_tell_activities(
    server: ScriptedServer, client: PlexClient
) -> None:
    server.answers["GET /activities"] = [http(404)]

    assert await client.activities() is None


async def test_a_server_may_list_no_preferences(server: ScriptedServer, client: PlexClient) -> None:
    server.answers["GET /:/prefs"] = [http(404)]

    assert await client.preferences() is None


async def test_preferences_are_set_in_one_request(
    server: ScriptedServer, client: PlexClient
) -> None:
    """By ids as the server writes them, booleans as digits."""
    request = "PUT /:/prefs?ButlerTaskA%26B%3F=0&ButlerTaskC=1&ButlerEndHour=5&XBehavior=a%20%2B%23"
    server.answers[request] = [http(200)]
    values: dict[str, PreferenceValue] = {
        "ButlerTaskA&B?": False,
        "ButlerTaskC": True,
        "ButlerEndHour": 5,
        "XBehavior": "a +#",
    }

    await client.set_preferences(values)
    assert server.asked == ["GET /identity", request]


@pytest.mark.parametrize("status", [400, 404])
async def test_preferences_that_a_server_refuses(
    server: ScriptedServer, client: PlexClient, status: int
) -> None:
    server.answers["PUT /:/prefs?ButlerStartHour=3"] = [http(status, b"<html>")]

    with pytest.raises(PreferencesRefusedError):
        await client.set_preferences({"ButlerStartHour": 3})


@pytest.mark.parametrize(
    ("status", "result"), [(200, StartResult.STARTED), (202, StartResult.ALREADY_RUNNING)]
)
async def test_start_task(
    server: ScriptedServer, client: PlexClient, status: int, result: StartResult
) -> None:
    server.answers["POST /butler/BackupDatabase"] = [http(status, b"<html>")]

    assert await client.start_task("BackupDatabase") is result


async def test_start_of_an_unknown_task(server: ScriptedServer, client: PlexClient) -> None:
    server.answers["POST /butler/BackupDatabase"] = [http(404, b"<html>")]

    with pytest.raises(TaskNotFoundError):
        await client.start_task("BackupDatabase")
    await client.activities()
    # Once more for the 404, which could be a proxy's; after that the server is no stranger.
    assert server.asked.count("GET /identity") == 2


@pytest.mark.parametrize(
    ("status", "result"), [(200, StopResult.STOPPED), (404, StopResult.NOT_RUNNING)]
)
async def test_stop_task(
    server: ScriptedServer, client: PlexClient, status: int, result: StopResult
) -> None:
    server.answers["DELETE /butler/BackupDatabase"] = [http(status)]

    assert await client.stop_task("BackupDatabase") is result


async def test_all_at_once(server: ScriptedServer, client: PlexClient) -> None:
    await client.start_all()
    await client.stop_all()

    assert server.asked == ["GET /identity", "POST /butler", "DELETE /butler"]


@pytest.mark.parametrize("request_", COMMANDS)
async def test_the_body_of_an_answer_to_a_command_is_not_read(
    server: ScriptedServer, client: PlexClient, request_: str
) -> None:
    """It may be HTML, or never come to an end."""
    server.answers[request_] = [b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n<ht" + SILENCE]

    async with asyncio.timeout(1):
        await COMMANDS[request_](client)


# What is sent

OPENAPI = {
    "GET /identity",
    "GET /",
    "GET /activities",
    "GET /butler",
    "GET /status/sessions",
    "POST /butler",
    "DELETE /butler",
    "POST /butler/BackupDatabase",
    "DELETE /butler/BackupDatabase",
    "GET /:/prefs",
    "PUT /:/prefs?ButlerStartHour=3",
}


async def test_every_request_is_one_that_openapi_knows(
    server: ScriptedServer, client: PlexClient
) -> None:
    """Its methods and paths; the header that it requires, and those that it describes."""
    for call in CALLS.values():
        await call(client)

    assert set(server.asked) == OPENAPI
    for request in server.requests:
        token = {} if request.path == "/identity" else {"x-plex-token": TOKEN}
        plex_headers = {k: v for k, v in request.headers.items() if k.startswith(("x-", "acc"))}
        assert plex_headers.pop("accept-encoding")
        assert plex_headers == token | {
            "accept": "application/json",
            "x-plex-client-identifier": CLIENT_IDENTIFIER,
            "x-plex-device": "Home Assistant",
            "x-plex-device-name": "Home Assistant",
            "x-plex-platform": "Home Assistant",
            "x-plex-product": "Home Assistant",
            "x-plex-version": "9.8.7",
        }
        assert "cookie" not in request.headers
        assert request.headers.get("content-length", "0") == "0"


@pytest.mark.parametrize("token", ["", " \n"])
async def test_an_empty_token_is_not_sent(server: ScriptedServer, token: str) -> None:
    async with client_for(server.url, token=token) as client:
        await client.tasks()

    assert not any("x-plex-token" in request.headers for request in server.requests)


async def test_blanks_around_a_token_are_not_sent(server: ScriptedServer) -> None:
    async with client_for(server.url, token=f" {TOKEN}\r\n") as client:
        await client.tasks()

    assert server.requests[-1].headers["x-plex-token"] == TOKEN


async def test_a_token_that_would_break_the_header_is_not_sent(server: ScriptedServer) -> None:
    async with client_for(server.url, token=f"{TOKEN}\r\nX-Other: 1") as client:
        with pytest.raises(UnauthorizedError) as caught:
            await client.tasks()

    assert server.asked == ["GET /identity"]
    assert TOKEN not in repr(caught.value)


async def test_what_stands_around_an_address_is_not_sent(server: ScriptedServer) -> None:
    url = server.url.with_user("me").with_password("secret").with_path("/plex/")
    server.answers["GET /plex/identity"] = [IDENTITY]
    server.answers["GET /plex/butler"] = [TASKS]
    async with client_for(url.with_query(a="secret").with_fragment("secret")) as client:
        await client.tasks()

    assert server.asked == ["GET /plex/identity", "GET /plex/butler"]
    assert "authorization" not in server.requests[0].headers


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("A/B", "/butler/A%2FB"),
        ("a..b", "/butler/a..b"),
        ("A B?c#d%2F", "/butler/A%20B%3Fc%23d%252F"),
        ("Größe", "/butler/Gr%C3%B6%C3%9Fe"),
        ("a;b=c&d+e", "/butler/a%3Bb%3Dc%26d%2Be"),
    ],
)
async def test_a_name_is_one_segment_of_the_path(
    server: ScriptedServer, client: PlexClient, name: str, path: str
) -> None:
    server.answers[f"POST {path}"] = server.answers[f"DELETE {path}"] = [http(200)]

    await client.start_task(name)
    await client.stop_task(name)

    assert server.asked == ["GET /identity", f"POST {path}", f"DELETE {path}"]


@pytest.mark.parametrize(
    "name", ["", " ", ".", "..", "/", "../butler", "a/..", "a\\..", "\x00", "a\nb", "\ud800"]
)
async def test_names_that_could_reach_another_address_are_refused(
    server: ScriptedServer, client: PlexClient, name: str
) -> None:
    for call in (client.start_task, client.stop_task):
        with pytest.raises(InvalidTaskNameError):
            await call(name)

    assert not server.requests


# Who gets the token


async def test_the_token_waits_for_the_identity(server: ScriptedServer, client: PlexClient) -> None:
    await client.tasks()
    await client.tasks()

    assert server.asked == ["GET /identity", "GET /butler", "GET /butler"]
    assert "x-plex-token" not in server.requests[0].headers


@pytest.mark.parametrize("call", [*CALLS.values()][1:])
async def test_another_server_gets_no_token(server: ScriptedServer, call: Any) -> None:
    async with client_for(server.url, machine_identifier="another") as client:
        for _ in range(2):
            with pytest.raises(OtherServerError) as caught:
                await call(client)
        assert (await client.identity()).machine_identifier == MACHINE_IDENTIFIER

    assert set(server.asked) == {"GET /identity"}
    assert not any("x-plex-token" in request.headers for request in server.requests)
    assert MACHINE_IDENTIFIER not in str(caught.value)


async def test_any_server_will_do_where_none_is_expected(server: ScriptedServer) -> None:
    async with client_for(server.url, machine_identifier=None) as client:
        assert await client.tasks()


async def test_a_server_that_contradicts_its_identity(
    server: ScriptedServer, client: PlexClient
) -> None:
    server.answers["GET /"] = [http_json({"MediaContainer": {"machineIdentifier": "another"}})]

    with pytest.raises(OtherServerError):
        await client.server()
    await client.tasks()
    assert server.asked == ["GET /identity", "GET /", "GET /identity", "GET /butler"]


@pytest.mark.parametrize("status", [401, 403, 500, 502, 503])
async def test_after_a_failure_a_server_is_a_stranger(
    server: ScriptedServer, client: PlexClient, status: int
) -> None:
    server.answers["GET /butler"] = [TASKS, http(status), TASKS]
    other = http_json({"MediaContainer": {"machineIdentifier": "another"}})
    server.answers["GET /identity"] = [IDENTITY, other]
    await client.tasks()
    with pytest.raises(PlexError):
        await client.tasks()

    with pytest.raises(OtherServerError):
        await client.tasks()


async def test_an_answer_that_is_none_makes_a_stranger(
    server: ScriptedServer, client: PlexClient
) -> None:
    server.answers["GET /butler"] = [http(200, b"<html/>"), TASKS]
    with pytest.raises(NotPlexError):
        await client.tasks()
    await client.tasks()

    assert server.asked == ["GET /identity", "GET /butler"] * 2


async def test_asking_who_it_is_makes_known_and_unknown(
    server: ScriptedServer, client: PlexClient
) -> None:
    other = http_json({"MediaContainer": {"machineIdentifier": "another"}})
    server.answers["GET /identity"] = [IDENTITY, other, IDENTITY]
    await client.identity()
    await client.tasks()
    assert server.asked == ["GET /identity", "GET /butler"]

    await client.identity()
    await client.tasks()
    assert server.asked == ["GET /identity", "GET /butler"] + ["GET /identity"] * 2 + [
        "GET /butler"
    ]


async def test_callers_at_the_same_time_share_one_question(
    server: ScriptedServer, client: PlexClient
) -> None:
    await asyncio.gather(client.tasks(), client.activities(), client.server(), client.start_all())

    assert server.asked.count("GET /identity") == 1


async def test_callers_at_the_same_time_share_one_failure(server: ScriptedServer) -> None:
    """A command is not queued behind one silent question after another."""
    server.answers["GET /identity"] = [SILENCE]
    async with client_for(server.url, request_timeout=0.1) as client:
        failures = await asyncio.gather(
            client.tasks(), client.start_all(), client.stop_all(), return_exceptions=True
        )

    assert server.asked == ["GET /identity"]
    assert [type(failure) for failure in failures] == [PlexTimeoutError] * 3
    assert all(getattr(failure, "connected", None) for failure in failures)
    assert len({id(failure) for failure in failures}) == 3


async def test_who_waits_for_a_caller_that_gives_up_asks_itself(
    server: ScriptedServer, client: PlexClient
) -> None:
    server.answers["GET /identity"] = [http(500), SILENCE, IDENTITY]
    with pytest.raises(CannotConnectError):
        await client.tasks()
    server.was_asked.clear()
    first = asyncio.create_task(client.tasks())
    second = asyncio.create_task(client.activities())
    await server.was_asked.wait()
    first.cancel()

    assert await second == (Activity("a", "butler", None),)
    assert server.asked == ["GET /identity"] * 3 + ["GET /activities"]


def test_a_client_does_not_show_its_token() -> None:
    client = PlexClient(
        ClientSession.__new__(ClientSession),
        URL("http://nas"),
        TOKEN,
        client_identifier=CLIENT_IDENTIFIER,
        machine_identifier=None,
        version="0",
    )
    assert TOKEN not in f"{client!r} {client}"


def test_the_package_stands_alone() -> None:
    for path in Path(plex.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                assert node.level < 2, path
                names = [node.module or ""] if not node.level else []
            for name in names:
                assert name.split(".")[0] in {"aiohttp", "yarl", *sys.stdlib_module_names}, path
