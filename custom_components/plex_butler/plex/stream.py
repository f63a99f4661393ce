"""The notification stream of a server: one websocket, and what its frames tell."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
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

from .http import no_answer
from .models import Notification
from .parse import parse_notifications

HEARTBEAT: Final = 15.0
"""How often a silent server is asked whether it is still there, in seconds."""

_AT_ONCE: Final = 10
_CLOSING: Final = ClientWSTimeout(ws_close=1.0)


@asynccontextmanager
async def open_stream(
    session: ClientSession, url: URL, headers: dict[str, str], *, time_limit: float
) -> AsyncGenerator[AsyncIterator[tuple[Notification, ...]]]:
    """Open the stream within `time_limit` seconds; what it tells is waited for without a limit.

    What it yields ends where the server closes the connection or is not there any more. Raises
    PlexError if there is no stream to be had.
    """
    failure = None
    try:
        async with asyncio.timeout(time_limit):
            socket = await session.ws_connect(
                url, headers=headers, heartbeat=HEARTBEAT, timeout=_CLOSING
            )
    except (ClientError, OSError) as err:
        failure = no_answer(err)
    # Not inside the except block: aiohttp's errors come with the headers that hold the token.
    if failure:
        raise failure
    told = _told(socket)
    try:
        yield told
    finally:
        await told.aclose()
        await socket.close()


async def _told(socket: ClientWebSocketResponse) -> AsyncGenerator[tuple[Notification, ...]]:
    count = 0
    async for message in socket:
        if message.type is WSMsgType.TEXT and (changes := parse_notifications(message.data)):
            yield changes
        count += 1
        if count % _AT_ONCE == 0:
            # What has arrived already comes without a turn of the event loop; others want one.
            await asyncio.sleep(0)
