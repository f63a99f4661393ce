"""The streams of a server: a websocket whose frames report changes, or are lines of its log."""

import asyncio
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
    WSMsgType,
)
from yarl import URL

from .errors import FloodError
from .failures import failure_of

HEARTBEAT: Final = 15.0
"""How long a server may send nothing before it is sent a ping, in seconds."""

LARGEST_FRAME: Final = 4 * 1024 * 1024
"""The largest frame that is accepted, in bytes; a larger one ends the stream before it is read."""

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
    is too large.
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
    frames = size = 0
    try:
        async for message in socket:
            if message.type is WSMsgType.PING:
                await socket.pong(message.data)
            elif message.type in types and not flood:
                try:
                    result = parse(message.data)
                except FloodError as err:
                    # What has arrived already is dropped in small steps: aiohttp would do that at once.
                    flood, result = err, None
                    _shut_down(socket)
                if result is not None:
                    yield result
                size += len(message.data)
            frames += 1
            if frames >= _FRAMES_AT_ONCE or size >= _BYTES_AT_ONCE:
                # Frames that have arrived already are returned without a switch to other tasks.
                frames = size = 0
                await asyncio.sleep(0)
    except ClientError, OSError:
        # A ping could not be answered, because the connection was closed behind it.
        pass
    if flood:
        raise flood
    if socket.close_code == WSCloseCode.MESSAGE_TOO_BIG:
        raise FloodError("The server has sent a frame that is larger than any that was seen")


def _shut_down(socket: ClientWebSocketResponse[Any]) -> None:
    """Let nothing more arrive over a connection."""
    with suppress(OSError):
        socket.get_extra_info("socket").shutdown(sockets.SHUT_RDWR)
