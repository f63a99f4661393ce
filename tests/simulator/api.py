"""The endpoints: what each of them answers when nothing is wrong, and with which quirks."""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from aiohttp import web

from . import wire
from .answers import html, refusal

if TYPE_CHECKING:
    from .server import SimulatedPlex

_NOT_FOUND: Final = "404 Not Found"
_STREAMS: Final = ("/:/websockets/notifications", "/:/websocket/notifications")
_ACTIVITIES: Final = "/activities/"


class Api:
    """Answers the requests of those who may."""

    def __init__(self, server: SimulatedPlex) -> None:
        """Initialize for one server."""
        self._server = server

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        path = request.rel_url.raw_path
        faults = self._server.faults
        if (faults.no_activities and path.startswith("/activities")) or (
            faults.no_butler and path.startswith("/butler")
        ):
            return refusal(_NOT_FOUND)
        if request.method == "GET" and (answer := self._read(request, path)):
            return await answer
        if path.startswith("/:/prefs"):
            return await self._preferences(request, request.method, path)
        if request.method == "DELETE" and path.startswith(_ACTIVITIES):
            return self._status(self._server.activities.cancel(path.removeprefix(_ACTIVITIES)))
        if request.method in ("POST", "DELETE") and path.startswith("/butler"):
            return self._command(request.method, path)
        return refusal(_NOT_FOUND)

    def _read(
        self, request: web.Request, path: str
    ) -> Coroutine[Any, Any, web.StreamResponse] | None:
        """Answer a GET, if there is something to get."""
        server = self._server
        match path:
            case "/identity":
                return self._container(request, "MediaContainer", self._identity)
            case "/":
                return self._container(request, "MediaContainer", self._root)
            case "/butler":
                return self._tasks(request)
            case "/activities":
                rows = server.activities.rows()
                container = {"size": len(rows)} | ({"Activity": rows} if rows else {})
                return self._container(request, "MediaContainer", container)
            case "/:/eventsource/notifications":
                return server.notifications.event_source(request)
            case stream if stream in _STREAMS and not server.faults.no_websocket:
                return server.notifications.websocket(request)
        return None

    def _command(self, method: str, path: str) -> web.Response:
        """Start or stop; a path that is nothing but slashes or dots is the Butler as a whole."""
        butler = self._server.butler
        name = unquote(path.removeprefix("/butler").strip("/"))
        if name in ("", ".") and method == "POST":
            butler.start_all()
            return self._status(200)
        if name in ("", "."):
            butler.stop_all()
            return self._status(200)
        return self._status(butler.start(name) if method == "POST" else butler.stop(name))

    def _status(self, status: int) -> web.Response:
        """Answer a command: an empty page, or one of HTML; never JSON."""
        if status >= 400:
            return refusal({400: "400 Bad Request"}.get(status, _NOT_FOUND))
        body = b"<html><body></body></html>" if self._server.faults.html_after_command else b""
        return html(body, status)

    @property
    def _identity(self) -> dict[str, Any]:
        server = self._server
        other = "ffffffff" + "0" * 32
        identifier = other if server.faults.other_machine_identifier else server.machine_identifier
        return {
            "size": 0,
            "apiVersion": "1.2.3",
            "claimed": server.auth.claimed,
            "machineIdentifier": identifier,
            "version": server.version,
        }

    @property
    def _root(self) -> dict[str, Any]:
        server = self._server
        directories = ("activities", "butler", "library", "status", "transcode")
        return {
            "size": len(directories),
            "backgroundProcessing": True,
            "eventStream": True,
            "friendlyName": server.friendly_name,
            "machineIdentifier": self._identity["machineIdentifier"],
            "multiuser": True,
            "myPlex": server.auth.claimed,
            "myPlexSigninState": "ok" if server.auth.claimed else "none",
            "myPlexSubscription": True,
            "myPlexUsername": "owner@example.org",
            "platform": "Linux",
            "platformVersion": "12 (bookworm)",
            "transcoderActiveVideoSessions": 0,
            "updatedAt": 1605463238,
            "updater": True,
            "version": server.version,
            "Directory": [{"count": 1, "key": key, "title": key} for key in directories],
        }

    async def _tasks(self, request: web.Request) -> web.StreamResponse:
        faults = self._server.faults
        rows: list[Any] = []
        for task in self._server.butler.tasks.values():
            row: dict[str, Any] = {
                "name": task.name,
                "interval": task.interval * (86400 if faults.interval_in_seconds else 1),
                "scheduleRandomized": task.schedule_randomized,
                "enabled": task.enabled,
                "title": task.title,
                "description": task.description,
            }
            if faults.missing_enabled:
                del row["enabled"]
            rows.append(row)
        if faults.malformed_rows:
            rows = [{"title": "Nameless"}, {"name": 7}, {"name": None, "interval": "x"}, *rows]
        if faults.unusable_names:
            rows += [{"name": name, "title": "Trap"} for name in ("", ".", "..")]
        if faults.single_object:
            rows = rows[0]
        if faults.bare_list:
            rows = wire.with_strings(rows) if faults.strings else rows
            return web.json_response(rows)
        root = "MediaContainer" if faults.media_container_root else "ButlerTasks"
        return await self._container(request, root, {"ButlerTask": rows})

    async def _preferences(
        self, request: web.Request, method: str, path: str
    ) -> web.StreamResponse:
        preferences = self._server.preferences
        if method == "PUT" and path == "/:/prefs":
            return self._put(request)
        if method == "GET" and path == "/:/prefs":
            rows = list(preferences.rows())
        elif method == "GET" and path == "/:/prefs/get":
            try:
                rows = [preferences.row(request.query.get("id", ""))]
            except KeyError:
                return refusal(_NOT_FOUND)
        else:
            return refusal(_NOT_FOUND)
        return await self._container(
            request, "MediaContainer", {"size": len(rows), "Setting": rows}
        )

    def _put(self, request: web.Request) -> web.Response:
        """Set preferences. An unknown name is answered with 200 all the same (measured)."""
        server = self._server
        changed = []
        for name, value in request.query.items():
            if name.startswith("X-Plex-"):
                continue
            if server.preferences.put(name, value):
                changed.append(server.preferences.row(name))
            elif server.faults.refuse_unknown_preference:
                return refusal("400 Bad Request")
        if changed:
            server.notifications.publish("preference", "Setting", changed)
        return self._status(200)

    async def _container(
        self, request: web.Request, root: str, container: Mapping[str, Any]
    ) -> web.StreamResponse:
        """Write a container as the client asked for it."""
        faults = self._server.faults
        headers = {"X-Plex-Protocol": "1.0", "Cache-Control": "no-cache"}
        if "json" in request.headers.get("Accept", "") and not faults.always_xml:
            content = wire.with_strings(container) if faults.strings else container
            body, headers["Content-Type"] = wire.as_json(root, content), wire.JSON
        else:
            body, headers["Content-Type"] = wire.as_xml(root, container), wire.XML
        if faults.cut_body or faults.endless_body:
            return await self._badly(request, body, headers)
        return web.Response(body=body, headers=headers)

    async def _badly(
        self, request: web.Request, body: bytes, headers: dict[str, str]
    ) -> web.StreamResponse:
        """Begin a body, and cut it off or never end it."""
        response = web.StreamResponse(headers=headers)
        if self._server.faults.cut_body:
            response.content_length = len(body)
        await response.prepare(request)
        await response.write(body[: len(body) // 2])
        while self._server.faults.endless_body:
            await response.write(b" " * 65536)
            await asyncio.sleep(0)
        if request.transport:
            request.transport.close()
        return response
