"""The listener: one port on 127.0.0.1 that speaks http, https, or both."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
import ssl
from typing import Final

from aiohttp import web

type Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

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
        self._runner: web.AppRunner | None = None
        self._sniffer: asyncio.Server | None = None
        self._pipes: set[asyncio.Task[None]] = set()
        self._seen: set[tuple[str, int]] = set()

    def is_reused(self, request: web.Request) -> bool:
        """Tell whether this connection has carried a request before."""
        assert request.transport
        peer = request.transport.get_extra_info("peername")
        if peer in self._seen:
            return True
        self._seen.add(peer)
        return False

    async def open(self) -> None:
        """Listen."""
        if self._runner:
            return
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        app.on_response_prepare.append(_hide_library)
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=0
        )
        await self._runner.setup()
        if self._tls is None:
            self.port = await self._site(self.port)
            return
        plain, secure = await self._site(0), await self._site(0, self._tls)

        async def sniff(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task
            self._pipes.add(task)
            task.add_done_callback(self._pipes.discard)
            with suppress(ConnectionError):
                first = await reader.read(1)
                if first == _TLS_HANDSHAKE:
                    await _splice(first, reader, writer, secure)
                elif first and not self.secure_required:
                    await _splice(first, reader, writer, plain)
            writer.close()

        self._sniffer = await asyncio.start_server(sniff, _HOST, self.port)
        self.port = self._sniffer.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Cut all connections and take no more."""
        if self._sniffer:
            self._sniffer.close()
            self._sniffer = None
        for pipe in self._pipes:
            pipe.cancel()
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    async def _site(self, port: int, tls: ssl.SSLContext | None = None) -> int:
        assert self._runner
        site = web.TCPSite(self._runner, _HOST, port, ssl_context=tls)
        await site.start()
        bound: int = self._runner.addresses[-1][1]
        return bound


async def _splice(
    first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int
) -> None:
    """Join a connection to an inner listener until either side closes."""
    inner_reader, inner_writer = await asyncio.open_connection(_HOST, port)
    inner_writer.write(first)
    try:
        async with asyncio.TaskGroup() as group:
            there = group.create_task(_copy(reader, inner_writer))
            back = group.create_task(_copy(inner_reader, writer))
            await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
            there.cancel()
            back.cancel()
    finally:
        inner_writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()


async def _hide_library(_: web.Request, response: web.StreamResponse) -> None:
    """Leave out the header with which aiohttp gives itself away."""
    response.headers.pop("Server", None)
