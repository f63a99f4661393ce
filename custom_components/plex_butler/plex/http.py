"""One HTTP request and its answer, and the errors for every way in which that can fail."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
import os
from typing import Final

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientError,
    ClientOSError,
    ClientResponse,
    ClientResponseError,
    ClientSession,
    ClientSSLError,
    ClientTimeout,
    ConnectionTimeoutError,
    ServerDisconnectedError,
    WSServerHandshakeError,
)
from yarl import URL

from .errors import (
    CannotConnectError,
    CommandNotConfirmedError,
    HostnameMismatchError,
    NotOwnerError,
    NotPlexError,
    PlexError,
    PlexTimeoutError,
    StartingUpError,
    TlsError,
    UnauthorizedError,
)
from .middleware import RedirectRefusedError

BODY_LIMIT: Final = 4 * 1024 * 1024
"""The largest body that is accepted, in bytes."""

_REFUSAL_LIMIT: Final = 64 * 1024
# Parts of the answers of a server that starts or migrates its database (seen on 1.43).
_STARTING_UP: Final = (b"still starting up", b"Maintenance")
_LONGEST_RETRY_AFTER: Final = 86400.0
# OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH.
_OTHER_NAME: Final = (62, 64)
_DEVICE: Final = "Home Assistant"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with an expected status. The body is empty if it was not read."""

    status: int
    body: bytes


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
) -> Answer:
    """Send a request and read its answer.

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
            allow_redirects=False,
            raise_for_status=False,
            timeout=limits,
        ) as response:
            if response.status not in statuses:
                failure = await refusal(response)
            elif not command:
                body = await _read_body(response, BODY_LIMIT)
    except (ClientError, OSError) as err:
        failure = failure_of(err, command=command)
    # Not inside the except block: errors of aiohttp hold the headers, and with them the token.
    if failure:
        raise failure
    if len(body) > BODY_LIMIT:
        raise NotPlexError("The answer is larger than any that Plex gives")
    return Answer(response.status, body)


async def _read_body(response: ClientResponse, limit: int) -> bytes:
    """Read a body, but stop once it is larger than `limit` bytes."""
    chunks: list[bytes] = []
    size = 0
    while size <= limit and (chunk := await response.content.readany()):
        chunks.append(chunk)
        size += len(chunk)
    return b"".join(chunks)


async def server_refusal(response: ClientResponse) -> PlexError:
    """Return the error for an unexpected answer of a media server."""
    command = response.method != "GET"
    if response.status in (400, 503):
        body = await _read_body(response, _REFUSAL_LIMIT)
        if any(text in body for text in _STARTING_UP):
            return StartingUpError(
                "The server is starting up: try again in a while",
                retry_after=retry_after_of(response),
            )
    return _status_failure(response.status, command=command)


def retry_after_of(response: ClientResponse) -> float | None:
    """Return the Retry-After of an answer in seconds, at most a day.

    None if there is none, or if it is a date, the other form that HTTP allows.
    """
    text = response.headers.get("Retry-After", "")
    return min(float(text), _LONGEST_RETRY_AFTER) if text.isdecimal() else None


def _status_failure(status: int, *, command: bool = False) -> PlexError:
    """Return the error for an unexpected status (OpenAPI; 401 and 403 seen)."""
    if status == 401:
        return UnauthorizedError("The server refuses the token: get a new one")
    if status == 403:
        return NotOwnerError("The token is not the server owner's: only that one may do this")
    if status in (502, 503, 504):
        text = f"A proxy in front of the server does not reach it (status {status})"
        return _unconfirmed(CannotConnectError(text), command=command)
    text = f"Status {status} is not one that a Plex Media Server answers here"
    return _unconfirmed(NotPlexError(text), command=command and not 300 <= status < 500)


def failure_of(err: Exception, *, command: bool = False) -> PlexError:
    """Return the error for one of aiohttp."""
    match err:
        case WSServerHandshakeError(status=status):
            return _status_failure(status)
        case ClientConnectorError() | ConnectionTimeoutError():
            return _connection_failure(err)
        case RedirectRefusedError():
            return NotPlexError("The answer is a redirect: something else is at this address")
        case TimeoutError():
            text = "The server accepted the request but did not answer in time"
            return _unconfirmed(PlexTimeoutError(text, connected=True), command=command)
        case ServerDisconnectedError() | ClientOSError():
            text = "The server closed the connection without an answer"
            return _unconfirmed(CannotConnectError(text, empty_reply=True), command=command)
        case ClientResponseError():
            return _unconfirmed(NotPlexError("The answer is not HTTP"), command=command)
        case _:
            return _unconfirmed(CannotConnectError("The connection broke off"), command=command)


def _connection_failure(err: ClientConnectorError | ConnectionTimeoutError) -> PlexError:
    """Return the error for a failed connection, over which nothing was sent."""
    match err:
        case ConnectionTimeoutError():
            return PlexTimeoutError("The server did not accept the connection in time")
        case ClientConnectorCertificateError(certificate_error=reason):
            if getattr(reason, "verify_code", None) in _OTHER_NAME:
                return HostnameMismatchError("The certificate is for another name")
            return TlsError("The certificate is not trusted")
        case ClientSSLError():
            text = "The server does not use TLS: the address may be one for http"
            return TlsError(text, spoken=False)
        case ClientConnectorDNSError():
            return CannotConnectError("The name of the server cannot be resolved")
        case ClientConnectorError(errno=int(code)) if code > 0:
            return CannotConnectError(f"No connection to the server: {os.strerror(code)}")
        case _:
            return CannotConnectError("No connection to the server")


def _unconfirmed(failure: PlexError, *, command: bool) -> PlexError:
    """Return the failure, or CommandNotConfirmedError if a command was sent."""
    return (
        CommandNotConfirmedError(f"{failure}: the command may have arrived") if command else failure
    )
