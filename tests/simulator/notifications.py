"""The notification stream: websocket and event source."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager, suppress
import json
from typing import Any, Final

from aiohttp import web

from .auth import Access
from .faults import Faults

PING_SECONDS: Final = 10.0
"""How often an event source says that it lives, in real seconds (seen)."""

_OF_THE_OWNER: Final = frozenset({"activity", "log", "preference"})
"""What a shared user is not told (inferred)."""


class Notifications:
    """Everybody who listens, and what is sent to them."""

    def __init__(self, faults: Faults) -> None:
        """Begin without listeners."""
        self._faults = faults
        self._listeners: dict[asyncio.Queue[dict[str, Any]], tuple[Access, frozenset[str]]] = {}
        self.sockets: set[web.WebSocketResponse] = set()

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return len(self._listeners)

    async def hang_up(self) -> None:
        """Close every websocket, as a proxy does after a while; new ones are welcome."""
        for socket in tuple(self.sockets):
            await socket.close()

    def publish(self, type_: str, key: str, rows: list[dict[str, Any]]) -> None:
        """Tell everybody who may know it and whose filter lets it through."""
        if type_ == "log" and self._faults.no_log:
            return
        container = {"type": type_, "size": len(rows), key: rows}
        for queue, (access, filters) in self._listeners.items():
            may_know = access is Access.OWNER or type_ not in self._of_the_owner
            if may_know and _passes(type_, filters):
                queue.put_nowait(container)

    @property
    def _of_the_owner(self) -> frozenset[str]:
        return _OF_THE_OWNER - {"log"} if self._faults.log_for_everybody else _OF_THE_OWNER

    def refuses(self, request: web.Request, access: Access) -> int:
        """Tell with which status a stream of the log is refused, 0 if it is not."""
        if "log" not in _filters(request):
            return 0
        if access is not Access.OWNER and "log" in self._of_the_owner:
            return 403
        return self._faults.log_refused

    async def websocket(self, request: web.Request, access: Access) -> web.StreamResponse:
        """Serve a websocket until the client leaves."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        with self._listening(request, access) as queue:
            sender = asyncio.create_task(self._send(socket, queue))
            self.sockets.add(socket)
            try:
                async for _ in socket:
                    pass
            finally:
                self.sockets.discard(socket)
                sender.cancel()
                with suppress(asyncio.CancelledError):
                    await sender
        return socket

    async def event_source(self, request: web.Request, access: Access) -> web.StreamResponse:
        """Serve an event source: single objects, without a container."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        with self._listening(request, access) as queue, suppress(ConnectionError):
            async for event, data in _events(queue):
                await response.write(f"event: {event}\ndata: {_compact(data)}\n\n".encode())
        return response

    async def _send(
        self, socket: web.WebSocketResponse, queue: asyncio.Queue[dict[str, Any]]
    ) -> None:
        with suppress(ConnectionError):
            while True:
                container = await queue.get()
                if not self._faults.silent_websocket:
                    await socket.send_str(_compact({"NotificationContainer": container}))

    @contextmanager
    def _listening(
        self, request: web.Request, access: Access
    ) -> Iterator[asyncio.Queue[dict[str, Any]]]:
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._listeners[queue] = access, _filters(request)
        try:
            yield queue
        finally:
            del self._listeners[queue]


async def _events(queue: asyncio.Queue[dict[str, Any]]) -> AsyncGenerator[tuple[str, Any]]:
    while True:
        try:
            async with asyncio.timeout(PING_SECONDS):
                container = await queue.get()
        except TimeoutError:
            yield "ping", {}
            continue
        (key,) = container.keys() - {"type", "size"}
        for row in container[key]:
            yield container["type"], {key: row}


def _filters(request: web.Request) -> frozenset[str]:
    return frozenset(filter(None, request.query.get("filters", "-log").split(",")))


def _passes(type_: str, filters: frozenset[str]) -> bool:
    """Apply a filter: names let through, names with a dash keep out, none lets all through."""
    if f"-{type_}" in filters:
        return False
    wanted = {name for name in filters if not name.startswith("-")}
    return not wanted or type_ in wanted


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
