"""What the simulated server tells those who listen, by websocket and by event source."""

import json
from typing import Any, Final

import aiohttp
from aiohttp import ClientWebSocketResponse, StreamReader, WSMsgType
import pytest

from tests.bare_http import FIXTURES, ask, session_of, shape
from tests.simulator import SimulatedPlex, notifications

pytestmark = pytest.mark.usefixtures("socket_enabled")

FRAMES: Final = [json.loads(line) for line in (FIXTURES / "frames.jsonl").open()]
SOCKET: Final = "/:/websockets/notifications"
EVENTS: Final = "/:/eventsource/notifications"
INTROS: Final = "ButlerTaskGenerateIntroMarkers"


async def told(socket: ClientWebSocketResponse) -> dict[str, Any]:
    """Return the next container."""
    frame = await socket.receive(timeout=1)
    assert frame.type is WSMsgType.TEXT
    content = json.loads(frame.data)
    assert frame.data == json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    container: dict[str, Any] = content["NotificationContainer"]
    return container


async def told_activity(socket: ClientWebSocketResponse) -> tuple[str, dict[str, Any]]:
    """Return event and row of the next activity, whatever else is told before."""
    while (container := await told(socket))["type"] != "activity":
        pass
    (notification,) = container["ActivityNotification"]
    assert notification["uuid"] == notification["Activity"]["uuid"]
    return notification["event"], notification["Activity"]


async def event(events: StreamReader) -> tuple[str, Any]:
    """Return the next event of an event source."""
    first, second, _ = (await events.readuntil(b"\n\n")).decode().split("\n", 2)
    return first.removeprefix("event: "), json.loads(second.removeprefix("data: "))


@pytest.mark.parametrize("path", [SOCKET, "/:/websocket/notifications"])
async def test_websocket_begins_with_what_happens_and_no_hello(
    server: SimulatedPlex, path: str
) -> None:
    async with session_of(server) as session, session.ws_connect(server.url + path) as socket:
        server.users.remote_access_flaps()
        assert (await told(socket))["type"] == "reachability"


@pytest.mark.parametrize("path", [SOCKET, EVENTS])
@pytest.mark.parametrize("token", ["", "bogus"])
async def test_stranger_is_refused_at_the_door(
    server: SimulatedPlex, path: str, token: str
) -> None:
    async with session_of(server, token) as session:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(server.url + path)
        assert refused.value.status == 401
    assert (await ask(server, "GET", path, token=token)).status == 401


async def test_token_in_the_query_opens_the_websocket(server: SimulatedPlex) -> None:
    url = f"{server.url}{SOCKET}?X-Plex-Token={server.owner_token}"
    async with session_of(server, "") as session, session.ws_connect(url) as socket:
        server.users.play()
        assert (await told(socket))["type"] == "playing"


async def test_frames_are_those_of_real_servers(server: SimulatedPlex) -> None:
    """Each frame that was seen and that the simulator sends has the same fields and types."""
    seen = {json.dumps(shape(frame)) for frame in FRAMES}
    types = {frame["NotificationContainer"]["type"] for frame in FRAMES}
    got = []
    async with session_of(server) as session, session.ws_connect(server.url + SOCKET) as socket:
        users = server.users
        users.remote_access_flaps()
        users.play("stopped")
        users.dvr_noise()
        users.open_item_page()
        await server.advance(2)
        got = [{"NotificationContainer": await told(socket)} for _ in range(7)]
    assert all(json.dumps(shape(frame)) in seen for frame in got)
    assert {frame["NotificationContainer"]["type"] for frame in got} == types - {
        "log",
        "provider.content.change",
        "update.statechange",
    }
    assert got[2:4] == [with_uuid(frame, got[2]) for frame in FRAMES[1:3]]
    assert got[4:6] == [with_uuid(frame, got[4]) for frame in FRAMES[7:9]]


def with_uuid(frame: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Return an activity's frame with the uuid of another one."""

    def uuid(of: dict[str, Any]) -> str:
        (notification,) = of["NotificationContainer"]["ActivityNotification"]
        return str(notification["uuid"])

    changed: dict[str, Any] = json.loads(json.dumps(frame).replace(uuid(frame), uuid(other)))
    return changed


async def test_context_is_told_later_than_the_start(server: SimulatedPlex) -> None:
    async with session_of(server) as session, session.ws_connect(server.url + SOCKET) as socket:
        server.users.scan_library(items=2)
        event_, row = await told_activity(socket)
        assert (event_, row["type"]) == ("started", "library.update.section")
        assert "Context" not in row
        await server.advance(1)
        event_, row = await told_activity(socket)
        assert (event_, row["Context"]) == ("updated", {"librarySectionID": "12"})


async def test_run_of_a_task_is_told(server: SimulatedPlex) -> None:
    server.butler.profiles[INTROS].items = 1
    async with session_of(server) as session, session.ws_connect(server.url + SOCKET) as socket:
        assert (await ask(server, "POST", f"/butler/{INTROS}")).status == 200
        await server.advance(60)
        got = [await told_activity(socket) for _ in range(5)]
        rows = [(event_, row["type"], row["progress"]) for event_, row in got]
        intros = "media.generate.intros"
        assert rows == [
            ("updated", "butler", 0),
            ("started", intros, 0),
            ("updated", intros, 50),
            ("ended", intros, 100),
            ("updated", "butler", 99),
        ]
        assert (await told_activity(socket))[1]["progress"] == 100


async def test_stopped_item_ends_where_it_was(server: SimulatedPlex) -> None:
    async with session_of(server) as session, session.ws_connect(server.url + SOCKET) as socket:
        server.butler.start("LoudnessAnalysis")
        await server.advance(40)
        await ask(server, "DELETE", "/butler/LoudnessAnalysis")
        await server.advance(10)
        got = [await told_activity(socket) for _ in range(5)]
    assert [(event_, row["type"], row["progress"]) for event_, row in got[2:]] == [
        ("updated", "media.generate.loudness", 50),
        ("updated", "butler", 100),
        ("ended", "media.generate.loudness", 50),
    ]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"playing", "activity", "preference"}),
        ("?filters=", {"playing", "activity", "preference", "log"}),
        ("?filters=activity", {"activity"}),
        ("?filters=activity,log", {"activity", "log"}),
        ("?filters=-activity", {"playing", "preference", "log"}),
        ("?filters=-activity,-log", {"playing", "preference"}),
    ],
)
async def test_filters(server: SimulatedPlex, query: str, expected: set[str]) -> None:
    url = server.url + SOCKET + query
    async with (
        session_of(server) as session,
        session.ws_connect(url) as socket,
        session.ws_connect(server.url + SOCKET + "?filters=") as all_of_it,
    ):
        server.users.play()
        server.users.add_episode()
        await ask(server, "PUT", "/:/prefs?ButlerStartHour=3")
        server.notifications.publish("log", "LogSentNotification", [{"level": 3, "message": ""}])
        assert {(await told(all_of_it))["type"] for _ in range(4)} == {
            "playing", "activity", "preference", "log",
        }  # fmt: skip
        assert {(await told(socket))["type"] for _ in range(len(expected))} == expected


async def test_preferences_that_were_set_are_told(server: SimulatedPlex) -> None:
    async with session_of(server) as session, session.ws_connect(server.url + SOCKET) as socket:
        assert (await ask(server, "PUT", "/:/prefs?NoSuchName=1")).status == 200
        path = "/:/prefs?ButlerStartHour=3&NoSuchName=1&ButlerTaskRefreshLibraries=1"
        answer = await ask(server, "PUT", path)
        assert (answer.status, answer.body) == (200, b"")
        container = await told(socket)
    assert (container["type"], container["size"]) == ("preference", 2)
    rows = [(row["id"], row["type"], row["value"]) for row in container["Setting"]]
    assert rows == [("ButlerStartHour", "int", 3), ("ButlerTaskRefreshLibraries", "bool", 1)]
    # As a client was written for.
    assert [(type(row["default"]), type(row["value"])) for row in container["Setting"]] == [
        (str, int)
    ] * 2


async def test_preferences_that_somebody_else_changes_are_told(server: SimulatedPlex) -> None:
    async with session_of(server) as session, session.ws_connect(server.url + SOCKET) as socket:
        server.change_preferences({"NoSuchName": "1"})
        server.change_preferences({"GenerateBIFBehavior": "asap", "requestLimitsScale": "2"})
        container = await told(socket)
    assert [(row["id"], row["default"], row["value"]) for row in container["Setting"]] == [
        ("GenerateBIFBehavior", "never", "asap"),
        ("requestLimitsScale", "1.0", 2.0),
    ]


async def test_shared_user_is_told_of_nothing_that_is_the_owners(server: SimulatedPlex) -> None:
    async with (
        session_of(server, server.shared_token) as session,
        session.ws_connect(server.url + SOCKET) as socket,
    ):
        server.users.add_episode()
        await ask(server, "PUT", "/:/prefs?ButlerStartHour=3")
        server.users.play()
        assert (await told(socket))["type"] == "playing"


async def test_scan_makes_noise_beside_its_activities(server: SimulatedPlex) -> None:
    async with (
        session_of(server) as session,
        session.ws_connect(server.url + SOCKET + "?filters=progress,status") as socket,
    ):
        server.users.scan_library(items=1)
        await server.advance(5)
        assert (await told(socket))["ProgressNotification"] == [{"message": "Scanning Movies"}]
        (status,) = (await told(socket))["StatusNotification"]
        assert status["notificationName"] == "LIBRARY_UPDATE"


async def test_several_listeners_and_one_that_left(server: SimulatedPlex) -> None:
    async with session_of(server) as session, session.ws_connect(server.url + SOCKET) as socket:
        async with session.ws_connect(server.url + SOCKET) as other:
            server.users.play()
            assert await told(socket) == await told(other)
        server.users.dvr_noise()
        assert (await told(socket))["type"] == "activity"


async def test_websocket_ends_with_the_server(server: SimulatedPlex) -> None:
    async with session_of(server) as session, session.ws_connect(server.url + SOCKET) as socket:
        await server.restart()
        frame = await socket.receive(timeout=1)
        assert frame.type in (WSMsgType.CLOSED, WSMsgType.CLOSE, WSMsgType.ERROR)


async def test_event_source(server: SimulatedPlex, monkeypatch: pytest.MonkeyPatch) -> None:
    _, expected = (FIXTURES / "events.txt").read_text().strip().split("\n\n")
    async with session_of(server) as session, session.get(server.url + EVENTS) as response:
        assert response.headers["Content-Type"] == "text/event-stream"
        server.users.dvr_noise()
        (name, started), (_, ended) = [await event(response.content) for _ in range(2)]
        assert list(started) == ["ActivityNotification"]
        uuid = started["ActivityNotification"]["uuid"]
        real = json.loads(expected.splitlines()[1].removeprefix("data: "))
        known = real["ActivityNotification"]["uuid"]
        assert name == "activity"
        assert started == json.loads(json.dumps(real).replace(known, uuid))
        assert ended["ActivityNotification"]["event"] == "ended"
        monkeypatch.setattr(notifications, "PING_SECONDS", 0.01)
        server.users.play()
        assert (await event(response.content))[0] == "playing"
        assert await event(response.content) == ("ping", {})


async def test_event_source_has_filters(server: SimulatedPlex) -> None:
    async with (
        session_of(server) as session,
        session.get(f"{server.url}{EVENTS}?filters=activity") as response,
    ):
        server.users.play()
        server.users.add_episode()
        assert (await event(response.content))[0] == "activity"
