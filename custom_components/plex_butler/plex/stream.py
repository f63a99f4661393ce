"""The notification stream of a server: a websocket whose frames report changes."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import (
    ClientError,
    ClientSession,
    ClientWebSocketResponse,
    ClientWSTimeout,
    WSMsgType,
)
from yarl import URL

from .failures import failure_of
from .models import Notification
from .parse import parse_notifications

HEARTBEAT: Final = 15.0
"""How long a server may send nothing before it is sent a ping, in seconds."""

_FRAMES_AT_ONCE: Final = 10
_CLOSING: Final = ClientWSTimeout(ws_close=1.0)


@asynccontextmanager
async def open_stream(
    session: ClientSession, url: URL, headers: Mapping[str, str], *, time_limit: float
) -> AsyncGenerator[AsyncIterator[tuple[Notification, ...]]]:
    """Open the stream within `time_limit` seconds, and iterate over the changes frame by frame.

    There may be none in a frame.

    The iterator waits for changes without a limit. It ends when the server closes the connection or
    resets it, or no longer answers pings. Raises PlexError if the stream cannot be opened.
    """
    failure = None
    try:
        async with asyncio.timeout(time_limit):
            socket = await session.ws_connect(
                url, headers=headers, heartbeat=HEARTBEAT, timeout=_CLOSING
            )
    except (ClientError, OSError) as err:
        failure = failure_of(err)
    # Not inside the except block: errors of aiohttp hold the headers, and with them the token.
    if failure:
        raise failure
    changes = _changes(socket)
    try:
        yield changes
    finally:
        await changes.aclose()
        await socket.close()


async def _changes(socket: ClientWebSocketResponse) -> AsyncGenerator[tuple[Notification, ...]]:
    count = 0
    try:
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                yield parse_notifications(message.data)
            count += 1
            if count % _FRAMES_AT_ONCE == 0:
                # Frames that have arrived already are returned without a switch to other tasks.
                await asyncio.sleep(0)
    except ClientError, OSError:
        # A ping could not be answered, because the connection was closed behind it.
        return
