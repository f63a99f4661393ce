"""The middleware for every session that a client of this package uses."""

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientHandlerType,
    ClientOSError,
    ClientRequest,
    ClientResponse,
    ServerDisconnectedError,
)
from yarl import URL


class RedirectRefusedError(ClientError):
    """The answer is a redirect, which comes from a proxy or a router, not from a Plex server."""

    def __init__(self, requested: URL, location: str) -> None:
        """Initialize with the address of the request, and where it was led."""
        super().__init__("The answer is a redirect, which is not followed")
        self.requested = requested
        self.location = location


class CommandDroppedError(ClientError):
    """The connection was dropped after a command was sent, which may have arrived.

    Deliberately neither a ClientOSError nor a ServerDisconnectedError: after those aiohttp repeats
    every request whose method is idempotent in HTTP, including DELETE.
    """


async def refuse_redirects(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Refuse every redirect, and prevent aiohttp from repeating anything but a GET.

    With a redirect the token would be sent to wherever it points. `allow_redirects=False` is not
    enough, because the upgrade to a websocket has no such option and follows redirects.

    Raises RedirectRefusedError and CommandDroppedError, which are kinds of aiohttp's ClientError.
    """
    try:
        response = await handler(request)
    except ClientConnectorError:
        raise
    except ClientOSError, ServerDisconnectedError:
        if request.method == "GET":
            raise
        raise CommandDroppedError("The connection was dropped after a command was sent") from None
    if 300 <= response.status < 400:
        response.close()
        raise RedirectRefusedError(request.url, response.headers.get("Location", ""))
    return response
