"""What the control listener changes by the hundred: activities, tasks, and how a task works."""

from collections.abc import AsyncGenerator
from typing import Any, Final

import aiohttp
from aiohttp.test_utils import TestClient, TestServer
import pytest

from tests.simulator import SimulatedPlex
from tests.simulator.control import Control

pytestmark = pytest.mark.usefixtures("socket_enabled")

INTROS: Final = "media.generate.intros"


@pytest.fixture
async def control(server: SimulatedPlex) -> AsyncGenerator[TestClient[Any, Any]]:
    """The control listener of the server."""
    async with TestClient(TestServer(Control(server).app())) as client:
        yield client


@pytest.fixture
async def listener(server: SimulatedPlex) -> AsyncGenerator[aiohttp.ClientWebSocketResponse]:
    """Somebody who listens to the server's stream."""
    url = f"{server.url}/:/websockets/notifications"
    headers = {"X-Plex-Token": server.owner_token}
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, headers=headers) as socket,
    ):
        yield socket


async def send(
    control: TestClient[Any, Any], method: str, path: str, content: dict[str, Any]
) -> None:
    async with control.request(method, path, json=content) as response:
        assert response.status == 200


async def frames(listener: aiohttp.ClientWebSocketResponse, count: int) -> list[list[str]]:
    """Return the events of so many frames, after which there is none."""
    told = [(await listener.receive_json(timeout=5))["NotificationContainer"] for _ in range(count)]
    with pytest.raises(TimeoutError):
        await listener.receive(timeout=0.05)
    for container in told:
        assert container["type"] == "activity"
        assert container["size"] == len(container["ActivityNotification"])
    return [[row["event"] for row in container["ActivityNotification"]] for container in told]


def listed(server: SimulatedPlex) -> list[str]:
    return [row["type"] for row in server.activities.rows()]


@pytest.mark.parametrize(
    ("how", "begun", "ended"),
    [
        ("each", [["started"]] * 3, [["ended"]] * 2),
        ("one", [["started"] * 3], [["ended"] * 2]),
        ("none", [], []),
    ],
)
async def test_many_activities(
    server: SimulatedPlex,
    control: TestClient[Any, Any],
    listener: aiohttp.ClientWebSocketResponse,
    how: str,
    begun: list[list[str]],
    ended: list[list[str]],
) -> None:
    await send(control, "POST", "/activities", {"type": INTROS, "count": 3, "frames": how})
    assert listed(server) == [INTROS] * 3 + ["butler"]
    assert len({row["uuid"] for row in server.activities.rows()}) == 4
    assert await frames(listener, len(begun)) == begun
    oldest = server.activities.rows()[0]
    await send(control, "DELETE", "/activities", {"count": 2, "frames": how})
    assert listed(server) == [INTROS, "butler"]
    assert server.activities.rows()[0] == oldest
    assert await frames(listener, len(ended)) == ended
    # Without any, there is nothing to tell.
    await send(control, "DELETE", "/activities", {"count": 0, "frames": how})
    assert await frames(listener, 0) == []


async def test_many_that_come_and_go(
    server: SimulatedPlex,
    control: TestClient[Any, Any],
    listener: aiohttp.ClientWebSocketResponse,
) -> None:
    await send(control, "POST", "/users/dvr_noise", {"times": 3})
    assert listed(server) == ["butler"]
    assert await frames(listener, 6) == [["started"], ["ended"]] * 3


async def test_many_tasks(server: SimulatedPlex, control: TestClient[Any, Any]) -> None:
    before = list(server.butler.tasks)
    await send(control, "POST", "/tasks", {"name": "Chore", "count": 3})
    assert list(server.butler.tasks) == [*before, "Chore0", "Chore1", "Chore2"]
    assert server.butler.start("Chore2") == 200


async def test_how_a_task_works(server: SimulatedPlex, control: TestClient[Any, Any]) -> None:
    name = "ButlerTaskGenerateIntroMarkers"
    profile = {"activity": INTROS, "items": 5, "item_seconds": 2, "side_by_side": 4}
    await send(control, "POST", "/profile", {"name": name} | profile)
    server.butler.start(name)
    assert listed(server) == [INTROS] * 4 + ["butler"]
    await server.advance(2)
    assert listed(server) == [INTROS, "butler"]
    await server.advance(2)
    assert server.butler.history == [("started", name), ("finished", name)]
