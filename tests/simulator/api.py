"""The endpoints: what each of them answers when nothing is wrong, and with which quirks."""

import asyncio
from collections.abc import Coroutine, Mapping
from contextlib import suppress
import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from aiohttp import web

from . import wire
from .answers import page, refusal
from .auth import Access
from .tasks import UNKNOWN_TASK

if TYPE_CHECKING:
    from .server import SimulatedPlex

_BAD_REQUEST: Final = "400 Bad Request"
_NOT_FOUND: Final = "404 Not Found"
_STREAMS: Final = ("/:/websockets/notifications", "/:/websocket/notifications")
_ACTIVITIES: Final = "/activities/"
_PREFERENCES: Final = "/:/prefs"


class Api:
    """Answers the requests of those who may."""

    def __init__(self, server: SimulatedPlex) -> None:
        """Initialize for one server."""
        self._server = server

    async def answer(self, request: web.Request, access: Access) -> web.StreamResponse:
        """Answer one request of somebody who may ask this."""
        path, faults = _path(request), self._server.faults
        if (faults.no_activities and _is_in(path, "/activities")) or (
            faults.no_butler and _is_in(path, "/butler")
        ):
            return refusal(_NOT_FOUND)
        if _is_in(path, _PREFERENCES) and (refused := self._refuse_preferences(request)):
            return refusal(refused)
        if request.method in ("GET", "HEAD"):
            answer = self._read(request, path, access)
            return await answer if answer else refusal(_NOT_FOUND)
        if request.method == "OPTIONS":
            return page(b"", 200)
        if request.method == "PUT" and path == _PREFERENCES:
            return self._put(request)
        if request.method == "DELETE" and path.startswith(_ACTIVITIES):
            return self._status(self._server.activities.cancel(path.removeprefix(_ACTIVITIES)))
        if request.method in ("POST", "DELETE") and _is_in(path, "/butler"):
            return self._command(request.method, path)
        return refusal(_NOT_FOUND)

    def _read(
        self, request: web.Request, path: str, access: Access
    ) -> Coroutine[Any, Any, web.StreamResponse] | None:
        """Answer a GET, if there is something to get."""
        server = self._server
        match path:
            case "/identity":
                return self._container(request, "MediaContainer", self._identity)
            case "/":
                return self._container(request, "MediaContainer", self._root(access))
            case "/butler":
                return self._tasks(request)
            case "/activities":
                # All of them are the owner's; others see only their own (OpenAPI).
                rows = server.activities.rows() if access is Access.OWNER else []
                container = {"size": len(rows)} | ({"Activity": rows} if rows else {})
                return self._container(request, "MediaContainer", container)
            case "/status/sessions" if not server.faults.no_sessions:
                return self._sessions(request)
            case preferences if preferences == _PREFERENCES:
                return self._settings(request, list(server.preferences.rows()))
            case "/:/prefs/get" if not server.faults.no_prefs_get:
                with suppress(KeyError):
                    row = server.preferences.row(request.query.get("id", ""))
                    return self._settings(request, [row])
            case "/:/eventsource/notifications":
                return server.notifications.event_source(request, access)
            case stream if stream in _STREAMS and not server.faults.no_websocket:
                return self._stream(request, access)
        return None

    def _stream(
        self, request: web.Request, access: Access
    ) -> Coroutine[Any, Any, web.StreamResponse]:
        notifications = self._server.notifications
        if status := notifications.refuses(request, access):
            return _refused(status)
        return notifications.websocket(request, access)

    def _command(self, method: str, path: str) -> web.Response:
        """Start or stop; a path without a name is the Butler as a whole."""
        butler = self._server.butler
        self._reveal()
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
            return refusal({400: _BAD_REQUEST}.get(status, _NOT_FOUND))
        body = b"<html><body></body></html>" if self._server.faults.html_after_command else b""
        return page(body, status)

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

    def _root(self, access: Access) -> dict[str, Any]:
        server = self._server
        directories = ["activities", "butler", "library", "transcode", "updater"]
        if access is not Access.OWNER:
            directories.remove("butler")
        return {
            "size": len(directories),
            "backgroundProcessing": True,
            "eventStream": True,
            "friendlyName": server.preferences.values["FriendlyName"] or server.friendly_name,
            "machineIdentifier": self._identity["machineIdentifier"],
            "multiuser": True,
            "myPlex": server.auth.claimed,
            "myPlexSigninState": "ok" if server.auth.claimed else "none",
            "myPlexSubscription": server.has_plex_pass,
            "myPlexUsername": "owner@example.org",
            "platform": "Linux",
            "platformVersion": "12 (bookworm)",
            "transcoderActiveVideoSessions": 0,
            "updatedAt": 1605463238,
            "updater": True,
            "version": server.version,
            "Directory": [{"count": 1, "key": key, "title": key} for key in directories],
        }

    def _reveal(self) -> None:
        """List a task that nobody has heard of while that is switched on."""
        tasks = self._server.butler.tasks
        if self._server.faults.unknown_task:
            tasks.setdefault(UNKNOWN_TASK.name, UNKNOWN_TASK)
        elif tasks.get(UNKNOWN_TASK.name) is UNKNOWN_TASK:
            self._server.butler.remove_task(UNKNOWN_TASK.name)

    async def _tasks(self, request: web.Request) -> web.StreamResponse:
        faults = self._server.faults
        self._reveal()
        rows: list[Any] = []
        for task in self._server.butler.tasks.values():
            row: dict[str, Any] = {
                "name": task.name,
                "interval": task.interval,
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
            del rows[1:]
        root = "MediaContainer" if faults.media_container_root else "ButlerTasks"
        return await self._container(request, root, {"ButlerTask": rows})

    def _settings(
        self, request: web.Request, rows: list[dict[str, Any]]
    ) -> Coroutine[Any, Any, web.StreamResponse]:
        return self._container(request, "MediaContainer", {"size": len(rows), "Setting": rows})

    def _refuse_preferences(self, request: web.Request) -> str | None:
        """Return with what a request for the preferences is refused, if it is."""
        titles = {403: "403 Forbidden", 404: _NOT_FOUND, 500: "500 Internal Server Error"}
        if status := self._server.faults.prefs_status:
            return titles[status]
        too_soon = request.method == "GET" and self._server.preferences.refuses_to_be_read()
        return _BAD_REQUEST if too_soon else None

    def _sessions(self, request: web.Request) -> Coroutine[Any, Any, web.StreamResponse]:
        """List the sessions; the rows have the names of their types in XML only (seen)."""
        rows = self._server.players.rows()
        json_wanted = wire.wants_json(request) and not self._server.faults.always_xml
        listed = {"Metadata" if json_wanted else "Video": rows} if rows else {}
        return self._container(request, "MediaContainer", {"size": len(rows)} | listed)

    def _put(self, request: web.Request) -> web.Response:
        """Set preferences. An unknown name is answered with 200 all the same (measured)."""
        server = self._server
        values = {k: v for k, v in request.query.items() if not k.startswith("X-Plex-")}
        known = all(server.preferences.is_listed(name) for name in values)
        if server.faults.refuse_unknown_preference and not known:
            return refusal(_BAD_REQUEST)
        server.change_preferences(values)
        return self._status(200)

    async def _container(
        self, request: web.Request, root: str, container: Mapping[str, Any]
    ) -> web.StreamResponse:
        """Write a container as the client asked for it."""
        faults = self._server.faults
        if wire.wants_json(request) and not faults.always_xml:
            content = wire.with_strings(container) if faults.strings else container
            if faults.single_object:
                content = wire.with_single_objects(content)
            response = page(wire.as_json(root, content), 200, wire.JSON)
            if faults.bare_list and "ButlerTask" in content:
                response.body = json.dumps(content["ButlerTask"]).encode()
        else:
            response = page(wire.as_xml(root, container), 200, wire.XML)
        if faults.control_characters:
            assert isinstance(response.body, bytes)
            response.body = wire.with_control_characters(response.body)
        if faults.cut_body or faults.endless_body:
            return await self._badly(request, response)
        return response

    async def _badly(self, request: web.Request, whole: web.Response) -> web.StreamResponse:
        """Begin a body, and cut it off or never end it."""
        assert isinstance(whole.body, bytes)
        headers = {k: v for k, v in whole.headers.items() if k != "Content-Length"}
        response = web.StreamResponse(headers=headers)
        if self._server.faults.cut_body:
            response.content_length = len(whole.body)
        await response.prepare(request)
        await response.write(whole.body[: len(whole.body) // 2])
        while self._server.faults.endless_body:
            await response.write(b" " * 65536)
            await asyncio.sleep(0)
        if request.transport:
            request.transport.close()
        return response


async def _refused(status: int) -> web.Response:
    return refusal({403: "403 Forbidden"}.get(status, _NOT_FOUND))


def _path(request: web.Request) -> str:
    """Return the path as it came, without a slash at its end, which nobody minds (inferred)."""
    return request.rel_url.raw_path.removesuffix("/") or "/"


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")
