"""The middleware that every session of a `PlexClient` needs."""

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientHandlerType,
    ClientOSError,
    ClientRequest,
    ClientResponse,
    ServerDisconnectedError,
)


class RedirectRefusedError(ClientError):
    """The answer was a redirect. A Plex Media Server sends none: it is a proxy's or a router's."""


class CommandDroppedError(ClientError):
    """The connection was dropped under a command, which may have arrived.

    Neither a ClientOSError nor a ServerDisconnectedError, on purpose: on those aiohttp sends
    everything that HTTP calls idempotent a second time, DELETE included.
    """


async def refuse_redirects(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Refuse every redirect, and never let anything but a GET be sent twice.

    A redirect would carry the token to wherever it points. `allow_redirects=False` is not enough,
    because a websocket's upgrade follows redirects and cannot be told not to.

    Raises RedirectRefusedError and CommandDroppedError, which are aiohttp's ClientError.
    """
    try:
        response = await handler(request)
    except ClientConnectorError:
        raise
    except ClientOSError, ServerDisconnectedError:
        if request.method == "GET":
            raise
        raise CommandDroppedError("The connection was dropped under a command") from None
    if 300 <= response.status < 400:
        response.close()
        raise RedirectRefusedError("The answer is a redirect, which is not followed")
    return response
