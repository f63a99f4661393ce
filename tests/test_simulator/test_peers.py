"""Clients that others wrote find in the simulated server what they expect of a real one.

PlexAPI asks for XML, plex-api-client for JSON. Where they fall short of the protocol, the tests
say how.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from plex_api_client import PlexAPI
from plex_api_client.models.components import Activity as SdkActivity, Setting as SdkSetting
from plex_api_client.models.errors import SDKError
from plexapi.alert import AlertListener
from plexapi.exceptions import BadRequest, NotFound, Unauthorized
from plexapi.server import PlexServer
from pydantic import ValidationError
import pytest

from tests.bare_http import session_of
from tests.simulator import SimulatedPlex

pytestmark = pytest.mark.usefixtures("socket_enabled")

SILENT: Final = "DeepMediaAnalysis"
CREDITS: Final = "ButlerTaskGenerateCreditsMarkers"


def commands(server: SimulatedPlex) -> list[tuple[str, str, int | None]]:
    """Return what else than a GET was asked."""
    return [(r.method, r.path, r.status) for r in server.requests if r.method != "GET"]


# --- PlexAPI


async def plexapi[T](server: SimulatedPlex, act: Callable[[Any], T], token: str | None = None) -> T:
    """Let PlexAPI, which has no types, do something; it blocks, so it does so in a thread."""

    def connect_and_act() -> T:
        connect: Any = PlexServer
        return act(connect(server.url, token or server.owner_token))

    return await asyncio.to_thread(connect_and_act)


async def test_plexapi_reads_who_the_server_is(server: SimulatedPlex) -> None:
    plex = await plexapi(server, lambda plex: plex)
    assert plex.friendlyName == server.friendly_name
    assert plex.machineIdentifier == server.machine_identifier
    assert plex.version == server.version
    assert (plex.myPlex, plex.myPlexSubscription, plex.multiuser) == (True, True, True)
    assert plex.updatedAt.year == 2020
    identity = await plexapi(server, lambda plex: plex.identity())
    assert (identity.machineIdentifier, identity.claimed) == (server.machine_identifier, True)


async def test_plexapi_lists_tasks(server: SimulatedPlex) -> None:
    rows = await plexapi(server, lambda plex: plex.butlerTasks())
    assert [
        (row.name, row.title, row.description, row.interval, row.enabled, row.scheduleRandomized)
        for row in rows
    ] == [
        (t.name, t.title, t.description, t.interval, t.enabled, t.schedule_randomized)
        for t in server.butler.tasks.values()
    ]


async def test_plexapi_starts_a_task(server: SimulatedPlex) -> None:
    await plexapi(server, lambda plex: plex.runButlerTask(SILENT))
    assert server.butler.running == {SILENT}
    # It knows of no 202 and takes it for a failure.
    with pytest.raises(BadRequest, match=r"^\(202\) accepted"):
        await plexapi(server, lambda plex: plex.runButlerTask(SILENT))
    # A name that is not listed it does not even send.
    with pytest.raises(BadRequest, match=r"^Invalid butler task"):
        await plexapi(server, lambda plex: plex.runButlerTask(SILENT.lower()))
    path = f"/butler/{SILENT}"
    assert commands(server) == [("POST", path, 200), ("POST", path, 202)]


async def test_plexapi_stops_tasks_by_its_query(server: SimulatedPlex) -> None:
    """It has no method for it."""

    def stop(plex: Any, path: str) -> object:
        return plex.query(path, method=plex._session.delete)

    server.butler.start(SILENT)
    server.butler.start(CREDITS)
    assert await plexapi(server, lambda plex: stop(plex, f"/butler/{SILENT}")) is None
    assert server.butler.running == {CREDITS}
    with pytest.raises(NotFound, match=r"^\(404\) not_found.*404 Not Found"):
        await plexapi(server, lambda plex: stop(plex, f"/butler/{SILENT}"))
    assert await plexapi(server, lambda plex: stop(plex, "/butler")) is None
    assert not server.butler.running


async def test_plexapi_reads_sessions(server: SimulatedPlex) -> None:
    assert await plexapi(server, lambda plex: plex.sessions()) == []
    server.users.play()
    server.users.play("paused", "Bedroom")
    sessions = await plexapi(server, lambda plex: plex.sessions())
    assert [(one.sessionKey, one.player.state, one.player.title) for one in sessions] == [
        (112, "playing", "Living room"),
        (113, "paused", "Bedroom"),
    ]
    assert [one.type for one in sessions] == ["movie", "movie"]
    server.users.play("stopped")
    assert len(await plexapi(server, lambda plex: plex.sessions())) == 1
    with pytest.raises(BadRequest, match=r"^\(403\)"):
        await plexapi(server, lambda plex: plex.sessions(), server.shared_token)


async def test_plexapi_reads_activities(server: SimulatedPlex) -> None:
    server.butler.start(CREDITS)
    server.users.scan_library()
    rows = await plexapi(server, lambda plex: plex.activities)
    assert [
        (row.uuid, row.type, row.title, row.subtitle, row.progress, row.cancellable) for row in rows
    ] == [
        (r["uuid"], r["type"], r["title"], r["subtitle"], r["progress"], r["cancellable"])
        for r in server.activities.rows()
    ]
    server.butler.reset()
    server.activities.reset()
    server.faults.no_row = True
    assert await plexapi(server, lambda plex: plex.activities) == []


async def test_plexapi_reads_and_sets_preferences(server: SimulatedPlex) -> None:
    def move_window(plex: Any) -> None:
        setting = plex.settings.get("butlerStartHour")
        assert (setting.value, setting.type, setting.group) == (2, "int", "butler")
        assert setting.enumValues[23] == "23\ua78900"
        setting.set(3)
        plex.settings.get("butlerTaskRefreshLibraries").set(True)
        plex.settings.save()

    await plexapi(server, move_window)
    rows = await plexapi(server, lambda plex: plex.settings.all())
    assert {row.id: row.value for row in rows} == server.preferences.values
    assert server.preferences.values["ButlerStartHour"] == 3
    assert server.butler.tasks["RefreshLibraries"].enabled


async def test_plexapi_sets_several_preferences_at_once_and_reads_too_soon(
    server: SimulatedPlex,
) -> None:
    server.faults.prefs_unreadable = 1

    def save(plex: Any) -> None:
        settings = plex.settings
        settings.get("butlerEndHour").set(7)
        settings.get("generateBIFBehavior").set("scheduled")
        settings.get("butlerTaskGarbageCollectBlobs").set(False)
        settings.save()  # reads them again at once

    with pytest.raises(BadRequest, match=r"^\(400\) bad_request"):
        await plexapi(server, save)
    sent = [request.query for request in server.requests if request.method == "PUT"]
    assert [query.keys() - {"X-Plex-Token"} for query in sent] == [
        {"ButlerEndHour", "GenerateBIFBehavior", "ButlerTaskGarbageCollectBlobs"}
    ]
    rows = await plexapi(server, lambda plex: plex.settings.all())
    values = {row.id: row.value for row in rows}
    assert (values["ButlerEndHour"], values["ButlerTaskGarbageCollectBlobs"]) == (7, False)
    assert server.butler.tasks["GenerateMediaIndexFiles"].enabled
    hidden = {row.id for row in rows if row.hidden}
    assert {"ButlerTaskGarbageCollectBlobs", "ButlerTaskRefreshEpgGuides"} <= hidden


async def test_plexapi_is_refused(server: SimulatedPlex) -> None:
    with pytest.raises(Unauthorized, match=r"^\(401\) unauthorized"):
        await plexapi(server, lambda plex: plex, "bogus")
    with pytest.raises(BadRequest, match=r"^\(403\) forbidden"):
        await plexapi(server, lambda plex: plex.butlerTasks(), server.shared_token)


async def test_plexapi_finds_the_websocket(server: SimulatedPlex) -> None:
    """Its listener wants a package that is not installed; its address has to be the right one."""
    url = await plexapi(server, lambda plex: plex.url(AlertListener.key, includeToken=True))
    async with session_of(server, "") as session, session.ws_connect(url) as socket:
        server.users.play()
        # As its listener reads a message.
        assert (await socket.receive_json(timeout=1))["NotificationContainer"]["type"] == "playing"


# --- plex-api-client


@contextmanager
def client(server: SimulatedPlex, token: str | None = None) -> Iterator[PlexAPI]:
    """Open a client with a token, the owner's if none is given."""
    with PlexAPI(
        token=token or server.owner_token, server_url=server.url, client_identifier="peer"
    ) as sdk:
        yield sdk


async def sdk[T](server: SimulatedPlex, act: Callable[[PlexAPI], T], token: str | None = None) -> T:
    """Let plex-api-client do something, in a thread."""

    def connect_and_act() -> T:
        with client(server, token) as sdk:
            return act(sdk)

    return await asyncio.to_thread(connect_and_act)


def start(plex: PlexAPI, task: str) -> int:
    request = {"butler_task": task}
    return plex.butler.start_task(request=request).status_code  # type: ignore[arg-type]


def stop(plex: PlexAPI, task: str) -> int:
    request = {"butler_task": task}
    return plex.butler.stop_task(request=request).status_code  # type: ignore[arg-type]


async def test_sdk_reads_who_the_server_is(server: SimulatedPlex) -> None:
    answer = (await sdk(server, lambda plex: plex.general.get_identity())).object
    assert answer
    assert answer.media_container
    identity = answer.media_container
    assert identity.machine_identifier == server.machine_identifier
    assert (identity.version, identity.claimed, identity.size) == (server.version, True, 0)


async def test_sdk_lists_tasks(server: SimulatedPlex) -> None:
    answer = (await sdk(server, lambda plex: plex.butler.get_tasks())).object
    assert answer
    assert answer.butler_tasks
    assert [
        (row.name, row.title, row.description, row.interval, row.enabled, row.schedule_randomized)
        for row in answer.butler_tasks.butler_task or ()
    ] == [
        (t.name, t.title, t.description, t.interval, t.enabled, t.schedule_randomized)
        for t in server.butler.tasks.values()
    ]


async def test_sdk_starts_and_stops_tasks(server: SimulatedPlex) -> None:
    assert await sdk(server, lambda plex: start(plex, SILENT)) == 200
    assert await sdk(server, lambda plex: start(plex, SILENT)) == 202
    assert server.butler.running == {SILENT}
    assert await sdk(server, lambda plex: stop(plex, SILENT)) == 200
    assert not server.butler.running
    for act in (start, stop):
        with pytest.raises(SDKError) as refused:
            # Described, but this server has none of that name.
            await sdk(server, lambda plex, act=act: act(plex, "GenerateBlurHashes"))  # type: ignore[misc]
        assert refused.value.status_code == 404
        assert "<h1>404 Not Found</h1>" in refused.value.body


async def test_sdk_refuses_names_that_are_not_described(server: SimulatedPlex) -> None:
    assert "ProcessAssets" in server.butler.tasks
    with pytest.raises(ValidationError):
        await sdk(server, lambda plex: start(plex, "ProcessAssets"))
    assert not commands(server)


async def test_sdk_starts_and_stops_all(server: SimulatedPlex) -> None:
    assert (await sdk(server, lambda plex: plex.butler.start_tasks())).status_code == 200
    assert server.butler.running
    assert (await sdk(server, lambda plex: plex.butler.stop_tasks())).status_code == 200
    assert not server.butler.running


async def test_sdk_reads_and_cancels_activities(server: SimulatedPlex) -> None:
    def list_them(plex: PlexAPI) -> list[SdkActivity]:
        answer = plex.activities.list_activities().object
        assert answer
        assert answer.media_container
        return answer.media_container.activity or []

    def cancel(plex: PlexAPI, uuid: str) -> int:
        return plex.activities.cancel_activity(request={"activity_id": uuid}).status_code

    server.butler.start(CREDITS)
    server.users.scan_library()
    rows = await sdk(server, list_them)
    assert [(r.uuid, r.type, r.progress, r.cancellable, r.context) for r in rows] == [
        (r["uuid"], r["type"], r["progress"], r["cancellable"], r.get("Context"))
        for r in server.activities.rows()
    ]
    noise = server.activities.begin("provider.subscriptions.process", "", cancellable=True)
    assert await sdk(server, lambda plex: cancel(plex, noise.uuid)) == 200
    with pytest.raises(SDKError, match="Status 400"):
        await sdk(server, lambda plex: cancel(plex, str(rows[0].uuid)))
    server.butler.reset()
    server.activities.reset()
    server.faults.no_row = True
    assert await sdk(server, list_them) == []


async def test_sdk_reads_preferences(server: SimulatedPlex) -> None:
    def read(plex: PlexAPI) -> list[SdkSetting]:
        answer = plex.preferences.get_all_preferences().media_container_with_settings
        assert answer
        assert answer.media_container
        return answer.media_container.setting or []

    rows = await sdk(server, read)
    assert {row.id: row.value for row in rows} == server.preferences.values
    assert {str(row.id): row.group for row in rows}["ButlerEndHour"] == "butler"


async def test_sdk_is_refused(server: SimulatedPlex) -> None:
    for token, status in (("bogus", 401), (server.shared_token, 403)):
        with pytest.raises(SDKError) as refused:
            await sdk(server, lambda plex: plex.butler.get_tasks(), token)
        assert refused.value.status_code == status
