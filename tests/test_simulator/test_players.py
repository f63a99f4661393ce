"""Players: their sessions and what they report, as described by those who have watched real ones."""

from typing import Any, Final

import pytest

from tests.bare_http import ask, session_of
from tests.simulator import SimulatedPlex

pytestmark = pytest.mark.usefixtures("socket_enabled")

SOCKET: Final = "/:/websockets/notifications"


async def states(server: SimulatedPlex) -> list[str]:
    """Return the states of the sessions that are listed."""
    answer = (await ask(server, "GET", "/status/sessions")).json()["MediaContainer"]
    rows: list[dict[str, Any]] = answer.get("Metadata", [])
    assert len(rows) == answer["size"]
    return [row["Player"]["state"] for row in rows]


async def test_sessions_are_listed_until_they_are_stopped(server: SimulatedPlex) -> None:
    assert await states(server) == []
    server.users.play()
    server.users.play(player="Bedroom")
    server.users.play("paused")
    assert await states(server) == ["paused", "playing"]
    await server.restart()
    assert await states(server) == []
    server.users.play()
    server.users.play("stopped")
    server.users.play("stopped")
    assert await states(server) == []


async def test_players_report_every_few_seconds(server: SimulatedPlex) -> None:
    async with session_of(server) as session, session.ws_connect(server.url + SOCKET) as socket:

        async def told(count: int) -> list[tuple[str, str, int]]:
            frames = [await socket.receive_json(timeout=1) for _ in range(count)]
            rows = [
                frame["NotificationContainer"]["PlaySessionStateNotification"][0]
                for frame in frames
            ]
            return [(row["sessionKey"], row["state"], row["viewOffset"]) for row in rows]

        server.users.play(seconds=45)
        await server.advance(25)
        assert await told(3) == [("112", "playing", 381000 + 10000 * n) for n in range(3)]
        server.users.play("paused")
        await server.advance(25)
        assert await told(3) == [("112", "paused", 401000)] * 3
        server.users.play(seconds=15)
        await server.advance(60)
        assert await told(3) == [
            ("112", "playing", 401000),
            ("112", "playing", 411000),
            ("112", "stopped", 421000),
        ]
        assert await states(server) == []
        server.users.play()
        assert await told(1) == [("113", "playing", 381000)]


async def test_player_that_is_switched_off_is_listed_for_a_while(server: SimulatedPlex) -> None:
    async with session_of(server) as session, session.ws_connect(server.url + SOCKET) as socket:
        server.users.play()
        server.users.lose_player()
        await server.advance(170)
        assert await states(server) == ["playing"]
        await server.advance(20)
        assert await states(server) == []
        server.users.play(player="Bedroom")
        told = [await socket.receive_json(timeout=1) for _ in range(2)]
    rows = [frame["NotificationContainer"]["PlaySessionStateNotification"][0] for frame in told]
    assert [row["sessionKey"] for row in rows] == ["112", "113"]


async def test_player_that_comes_back_keeps_its_session(server: SimulatedPlex) -> None:
    server.users.play()
    server.users.lose_player()
    await server.advance(100)
    server.users.play()
    await server.advance(100)
    assert await states(server) == ["playing"]
    server.users.lose_player()
    await server.restart()
    await server.advance(200)
    assert await states(server) == []
