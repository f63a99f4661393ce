"""The streams of a server: a websocket whose frames report changes, or are lines of its log."""

import asyncio
from asyncio.trsock import TransportSocket
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
import socket as sockets
from typing import Any, Final

from aiohttp import (
    ClientError,
    ClientSession,
    ClientWebSocketResponse,
    ClientWSTimeout,
    WSCloseCode,
    WSMessage,
    WSMsgType,
)
from yarl import URL

from .errors import FloodError
from .failures import failure_of
from .flood import FloodLimit

HEARTBEAT: Final = 15.0
"""How long a server may send nothing before it is sent a ping, in seconds."""

LARGEST_FRAME: Final = 4 * 1024 * 1024
"""The largest frame that is accepted, in bytes; a larger one ends the stream before it is read."""

MOST_FRAMES: Final = 100_000
"""How many frames are a flood: more than ten times the highest rate reported, 400 a second."""
MOST_BYTES: Final = 64 * 1024 * 1024
"""How many bytes are a flood: more than fifty times the highest rate reported, 50 kB a second."""

_RECEIVE_BUFFER: Final = 64 * 1024
_FRAMES_AT_ONCE: Final = 10
_BYTES_AT_ONCE: Final = 64 * 1024
_CLOSE_TIMEOUT: Final = 1.0
_CLOSING: Final = ClientWSTimeout(ws_close=_CLOSE_TIMEOUT)


@asynccontextmanager
async def open_stream[T](
    session: ClientSession,
    url: URL,
    headers: Mapping[str, str],
    parse: Callable[[Any], T | None],
    *,
    time_limit: float,
    raw: bool = False,
    largest_frame: int = LARGEST_FRAME,
) -> AsyncGenerator[AsyncIterator[T]]:
    """Open a stream within `time_limit` seconds, and iterate over what its frames mean.

    `parse` is called with each text frame; if they are to be `raw`, with each frame of data, as
    bytes. A frame of which it returns None is left out. The iterator waits for frames without a
    limit. It ends when the server closes the connection or resets it, or no longer answers pings.
    Raises PlexError if the stream cannot be opened; the iterator raises FloodError after a frame that
    is too large, and if too much comes too fast.
    """
    failure = None
    try:
        async with asyncio.timeout(time_limit):
            socket = await session.ws_connect(
                url,
                headers=headers,
                heartbeat=HEARTBEAT,
                timeout=_CLOSING,
                max_msg_size=largest_frame,
                decode_text=not raw,
                # aiohttp would answer any number of pings at once.
                autoping=False,
            )
    except (ClientError, OSError) as err:
        failure = failure_of(err)
    # Not inside the except block: errors of aiohttp hold the headers, and with them the token.
    if failure:
        raise failure
    # All frames that arrive at once are taken apart at once, and dropped at once when it is closed.
    _on_connection(
        socket, lambda own: own.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, _RECEIVE_BUFFER)
    )
    results = _results(
        socket, parse, (WSMsgType.TEXT, WSMsgType.BINARY) if raw else (WSMsgType.TEXT,)
    )
    try:
        yield results
    finally:
        await results.aclose()
        # aiohttp waits for the answer as long as other frames arrive.
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_TIMEOUT):
                await socket.close()


async def _results[T](
    socket: ClientWebSocketResponse[Any],
    parse: Callable[[Any], T | None],
    types: tuple[WSMsgType, ...],
) -> AsyncGenerator[T]:
    flood = None
    all_frames, all_bytes = FloodLimit(MOST_FRAMES), FloodLimit(MOST_BYTES)

    async def result_of(message: WSMessage) -> T | None:
        all_frames.add(1)
        all_bytes.add(len(message.data))
        if message.type is WSMsgType.PING:
            await socket.pong(message.data)
        return parse(message.data) if message.type in types else None

    # A ping cannot be answered if the connection was closed behind it.
    with suppress(ClientError, OSError):
        async for message in _in_steps(socket):
            if flood:
                continue
            try:
                result = await result_of(message)
            except FloodError as err:
                # What has arrived already is dropped in small steps: aiohttp would do that at once.
                flood = err
                _on_connection(socket, lambda own: own.shutdown(sockets.SHUT_RDWR))
            else:
                if result is not None:
                    yield result
    if flood:
        raise flood
    if socket.close_code == WSCloseCode.MESSAGE_TOO_BIG:
        raise FloodError("The server has sent a frame that is larger than any that was seen")


async def _in_steps(socket: ClientWebSocketResponse[Any]) -> AsyncGenerator[WSMessage]:
    """Return frames; those that have arrived already, with switches to other tasks."""
    frames = size = 0
    async for message in socket:
        if message.type is WSMsgType.ERROR:
            return
        yield message
        frames += 1
        size += len(message.data)
        if frames >= _FRAMES_AT_ONCE or size >= _BYTES_AT_ONCE:
            frames = size = 0
            await asyncio.sleep(0)


def _on_connection(
    socket: ClientWebSocketResponse[Any], act: Callable[[TransportSocket], None]
) -> None:
    """Do something with the connection of a websocket, if it is not gone already."""
    own: TransportSocket | None = socket.get_extra_info("socket")
    if own is not None:
        with suppress(OSError):
            act(own)
