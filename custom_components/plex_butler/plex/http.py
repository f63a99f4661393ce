"""One HTTP request and its answer."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ConnectionTimeoutError,
)
from yarl import URL

from .errors import (
    CannotConnectError,
    HttpsRequiredError,
    NotPlexError,
    PlexError,
    PlexTimeoutError,
    StartingUpError,
)
from .failures import failure_of, retry_after_of, status_failure

BODY_LIMIT: Final = 4 * 1024 * 1024
"""The largest body that is accepted, in bytes."""
REFUSAL_LIMIT: Final = 64 * 1024
"""How much is read at most of the body of a refusal, in bytes."""

# Parts of the answers of a server that starts or migrates its database (seen on 1.43).
_STARTING_UP: Final = (b"still starting up", b"Maintenance")
# Parts of the answers that ports for https give to plain http: nginx, Go (Traefik, Caddy) and Apache
# (inferred). Plex itself drops the connection.
_HTTPS_PORT: Final = (
    b"plain HTTP request was sent to HTTPS port",
    b"sent an HTTP request to an HTTPS server",
    b"speaking plain HTTP to an SSL-enabled server port",
)
_DEVICE: Final = "Home Assistant"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with an expected status. The body is empty if it was not read.

    `has_body` is True unless the answer says that its body is empty.
    """

    status: int
    body: bytes
    has_body: bool


def plex_headers(
    client_identifier: str, *, product: str, version: str, token: str | None = None
) -> dict[str, str]:
    """Return the headers that identify this client to a server or to plex.tv.

    Only the client identifier is required (OpenAPI).
    """
    headers = {
        "Accept": "application/json",
        "X-Plex-Client-Identifier": client_identifier,
        "X-Plex-Device": _DEVICE,
        "X-Plex-Device-Name": _DEVICE,
        "X-Plex-Platform": _DEVICE,
        "X-Plex-Product": product,
        "X-Plex-Version": version,
    }
    return headers | {"X-Plex-Token": token} if token else headers


def request_limits(seconds: float) -> ClientTimeout:
    """Return the time limits of a request that may take some seconds, half of them to connect."""
    return ClientTimeout(total=seconds, connect=seconds / 2)


async def exchange(
    session: ClientSession,
    method: str,
    url: URL,
    headers: Mapping[str, str],
    *,
    statuses: tuple[int, ...],
    limits: ClientTimeout,
    refusal: Callable[[ClientResponse], Awaitable[PlexError]],
    command: bool = False,
    form: Sequence[tuple[str, str]] | None = None,
) -> Answer:
    """Send a request, with the fields of a `form` if there is one, and read its answer.

    For an answer whose status is not in `statuses`, raises the error that `refusal` returns. Raises
    another PlexError if there is no answer, or none that can be read.

    The body of the answer to a `command` is not read. Raises CommandNotConfirmedError if a command
    was sent but not answered, because it may have taken effect.
    """
    if session.closed:
        raise CannotConnectError("The session is closed")
    body = b""
    failure = None
    try:
        async with session.request(
            method,
            url,
            headers=headers,
            data=form,
            allow_redirects=False,
            raise_for_status=False,
            timeout=limits,
        ) as response:
            if response.status not in statuses:
                failure = await refusal(response)
                failure.sent = command
            elif not command:
                body = await read_body(response, BODY_LIMIT)
    except (ClientError, OSError) as err:
        failure = failure_of(err, command=command)
    # Not inside the except block: errors of aiohttp hold the headers, and with them the token.
    if isinstance(failure, PlexTimeoutError) and not failure.connected and url.scheme == "https":
        failure.connected = await _takes_connections(session, url, limits)
    if failure:
        raise failure
    if len(body) > BODY_LIMIT:
        raise NotPlexError("The answer is larger than any that Plex gives")
    return Answer(response.status, body, response.content_length != 0)


async def _takes_connections(session: ClientSession, url: URL, limits: ClientTimeout) -> bool:
    """Return whether a port takes connections, but has not agreed on TLS in time.

    What answers nothing over http either is a server that is blocked. No token is sent.
    """
    plain = URL.build(scheme="http", host=url.raw_host or "", port=url.port, path="/identity")
    try:
        async with session.get(
            plain, allow_redirects=False, timeout=ClientTimeout(total=limits.connect)
        ):
            return True
    except ClientConnectorError, ConnectionTimeoutError:
        return False
    except ClientError, OSError:
        return True


async def takes_https(session: ClientSession, url: URL, limits: ClientTimeout) -> bool:
    """Return whether a port that drops plain http takes https, trusted or not. No token is sent."""
    try:
        async with session.get(url.with_scheme("https"), allow_redirects=False, timeout=limits):
            return True
    except ClientConnectorCertificateError:
        return True
    except ClientError, OSError:
        return False


async def read_body(response: ClientResponse, limit: int) -> bytes:
    """Read a body, but stop once it is larger than `limit` bytes."""
    chunks: list[bytes] = []
    size = 0
    while size <= limit and (chunk := await response.content.readany()):
        chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks)


async def server_refusal(response: ClientResponse) -> PlexError:
    """Return the error for an unexpected answer of a media server."""
    if response.status in (400, 503):
        body = await read_body(response, REFUSAL_LIMIT)
        if any(text in body for text in _STARTING_UP):
            failure = StartingUpError("The server is starting up: try again in a while")
            failure.retry_after = retry_after_of(response.headers)
            return failure
        if any(text in body for text in _HTTPS_PORT):
            return HttpsRequiredError("The port is one for https")
    return status_failure(response.status, response.headers, command=response.method != "GET")
