"""The listener: one port on 127.0.0.1 that speaks http, https, or both."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
import socket
import ssl
from typing import Any, Final
from weakref import WeakSet

from aiohttp import web

from .answers import KEEP_ALIVE, dress

type Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

SHUTDOWN: Final = 0.1
"""How long a cut connection may take to end, in real seconds; to aiohttp 0 means for ever."""

_TLS_HANDSHAKE: Final = b"\x16"
_HOST: Final = "127.0.0.1"


class Front:
    """Takes connections and hands requests on.

    Without TLS it speaks http alone. With it, both on the same port, told apart by the first
    byte as a real server does; where secure connections are required, plain http is dropped
    without a byte.
    """

    def __init__(
        self,
        answer: Answer,
        port: int,
        tls: ssl.SSLContext | None,
        secure_required: bool,
    ) -> None:
        """Prepare; nothing listens yet. Port 0 takes a free one, and keeps it."""
        self.port = port
        self.secure_required = secure_required
        self._answer = answer
        self._tls = tls
        self._listener: socket.socket | None = None
        self._runner: web.AppRunner | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._seen: WeakSet[asyncio.Transport] = WeakSet()

    def is_reused(self, request: web.Request) -> bool:
        """Tell whether this connection has carried a request before."""
        assert request.transport
        reused = request.transport in self._seen
        self._seen.add(request.transport)
        return reused

    async def open(self) -> None:
        """Listen."""
        if self._runner:
            return
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        app.on_response_prepare.append(dress)
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handler_cancellation=True,
            keepalive_timeout=KEEP_ALIVE,
            shutdown_timeout=SHUTDOWN,
        )
        await self._runner.setup()
        self._listener = socket.create_server((_HOST, self.port))
        self._listener.setblocking(False)
        self.port = self._listener.getsockname()[1]
        asyncio.get_running_loop().add_reader(self._listener, self._accept, self._listener)

    async def close(self) -> None:
        """Cut all connections at once, whatever they wait for, and take no more."""
        if self._listener:
            asyncio.get_running_loop().remove_reader(self._listener)
            self._listener.close()
            self._listener = None
        server = self._runner.server if self._runner else None
        for connection in server.connections if server else ():
            if connection.transport:
                connection.transport.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            return await self._answer(request)
        finally:
            self._tasks.discard(task)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(BlockingIOError):
            connection, _ = listener.accept()
            connection.setblocking(False)
            task = asyncio.create_task(self._greet(connection))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _greet(self, connection: socket.socket) -> None:
        """Look at the first byte, and let the connection speak what it wants to."""
        try:
            is_tls = await _first_byte(connection) == _TLS_HANDSHAKE
            if self.secure_required and not is_tls:
                _hang_up(connection)
            elif self._runner and self._runner.server:
                await asyncio.get_running_loop().connect_accepted_socket(
                    self._runner.server, connection, ssl=self._tls if is_tls else None
                )
                return
        except OSError:
            pass  # reset, or no handshake came about
        except asyncio.CancelledError:
            connection.close()
            raise
        connection.close()


async def _first_byte(connection: socket.socket) -> bytes:
    """Return the first byte that arrives, and leave it where it is; none at the end."""
    loop = asyncio.get_running_loop()
    arrived = asyncio.Event()
    loop.add_reader(connection, arrived.set)
    try:
        await arrived.wait()
    finally:
        loop.remove_reader(connection)
    return connection.recv(1, socket.MSG_PEEK)


def _hang_up(connection: socket.socket) -> None:
    """Close a connection by an end, not by a reset: nothing may be left unread."""
    connection.shutdown(socket.SHUT_WR)
    with suppress(BlockingIOError):
        while connection.recv(65536):
            pass
