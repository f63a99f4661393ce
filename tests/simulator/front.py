"""The listener: one port on 127.0.0.1 that speaks http, https, or both."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
import ssl
from typing import Final, override

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
        tls, inner = self._tls, await self._site(0)

        async def sniff(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task
            self._pipes.add(task)
            task.add_done_callback(self._pipes.discard)
            outside = Plain(reader, writer)
            with suppress(ConnectionError, ssl.SSLError):
                first = await reader.read(1)
                if first == _TLS_HANDSHAKE:
                    outside = Tls(reader, writer, tls)
                    await outside.handshake(first)
                    await _splice(b"", outside, inner)
                elif first and not self.secure_required:
                    await _splice(first, outside, inner)
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
        await asyncio.gather(*self._pipes, return_exceptions=True)
        if self._runner:
            await self._runner.cleanup()
            self._runner = None

    async def _site(self, port: int) -> int:
        assert self._runner
        site = web.TCPSite(self._runner, _HOST, port)
        await site.start()
        bound: int = self._runner.addresses[-1][1]
        return bound


class Plain:
    """One side of a connection, as it is."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take both directions."""
        self._reader = reader
        self._writer = writer

    async def read(self) -> bytes:
        """Return what came; nothing at the end."""
        return await self._reader.read(65536)

    async def write(self, data: bytes) -> None:
        """Send."""
        self._writer.write(data)
        await self._writer.drain()


class Tls(Plain):
    """The server's side of a connection with TLS; a failed handshake ends it without a word."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext
    ) -> None:
        """Prepare for the handshake."""
        super().__init__(reader, writer)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    async def handshake(self, first: bytes) -> None:
        """Shake hands. Raises SSLError or ConnectionError if the other side does not want to."""
        self._incoming.write(first)
        await self._until_done(self._tls.do_handshake)

    @override
    async def read(self) -> bytes:
        try:
            return await self._until_done(lambda: self._tls.read(65536))
        except ssl.SSLZeroReturnError, ConnectionResetError:
            return b""

    @override
    async def write(self, data: bytes) -> None:
        self._tls.write(data)
        await super().write(self._outgoing.read())

    async def _until_done[T](self, step: Callable[[], T]) -> T:
        """Repeat a step of TLS until it has all that it needs from the other side."""
        while True:
            try:
                result = step()
            except ssl.SSLWantReadError:
                await super().write(self._outgoing.read())
                if not (data := await super().read()):
                    raise ConnectionResetError from None
                self._incoming.write(data)
                continue
            except ssl.SSLError:
                await super().write(self._outgoing.read())
                raise
            await super().write(self._outgoing.read())
            return result


async def _splice(first: bytes, outside: Plain, port: int) -> None:
    """Join a connection to the inner listener until either side closes."""
    reader, writer = await asyncio.open_connection(_HOST, port)
    inside = Plain(reader, writer)
    try:
        await inside.write(first)
        directions = {
            asyncio.create_task(_copy(outside, inside)),
            asyncio.create_task(_copy(inside, outside)),
        }
        try:
            await asyncio.wait(directions, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for direction in directions:
                direction.cancel()
            await asyncio.gather(*directions, return_exceptions=True)
    finally:
        writer.close()


async def _copy(source: Plain, target: Plain) -> None:
    with suppress(ConnectionError, ssl.SSLError):
        while data := await source.read():
            await target.write(data)


async def _hide_library(_: web.Request, response: web.StreamResponse) -> None:
    """Leave out the header with which aiohttp gives itself away."""
    response.headers.pop("Server", None)
