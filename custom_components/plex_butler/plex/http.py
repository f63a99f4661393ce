"""One request to a server and its answer, and every way in which that can fail."""

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
"""The largest answer that is read, in bytes."""

_REFUSAL_LIMIT: Final = 64 * 1024
# The texts of a server that starts or migrates its database (seen on 1.43).
_STARTING_UP: Final = (b"still starting up", b"Maintenance")
_LONGEST_RETRY_AFTER: Final = 86400.0
# OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH.
_OTHER_NAME: Final = (62, 64)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with one of the statuses that were expected. A command's body is never read."""

    status: int
    body: bytes


async def exchange(
    session: ClientSession,
    method: str,
    url: URL,
    headers: dict[str, str],
    *,
    statuses: tuple[int, ...],
    time_limit: float,
) -> Answer:
    """Send one request and read its answer within `time_limit` seconds, half of it to connect.

    Raises PlexError for every answer with another status than `statuses`, and for no answer.
    """
    if session.closed:
        raise CannotConnectError("The connection to the server was given up")
    limits = ClientTimeout(total=time_limit, connect=time_limit / 2)
    try:
        async with session.request(
            method,
            url,
            headers=headers,
            allow_redirects=False,
            raise_for_status=False,
            timeout=limits,
        ) as response:
            if response.status in statuses:
                body = await read_body(response, BODY_LIMIT) if method == "GET" else b""
                failure = None
            else:
                failure = await _refusal(response)
    except (ClientError, OSError) as err:
        failure = no_answer(err, command=method != "GET")
    # Not inside the except block: aiohttp's errors come with the headers that hold the token.
    if failure:
        raise failure
    if len(body) > BODY_LIMIT:
        raise NotPlexError("The answer is larger than any that a Plex Media Server gives")
    return Answer(response.status, body)


async def read_body(response: ClientResponse, limit: int) -> bytes:
    """Read a body, and stop once it is longer than `limit`."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > limit:
            break
    return bytes(body)


async def _refusal(response: ClientResponse) -> PlexError:
    """Say what an unexpected answer means."""
    if response.status in (400, 503):
        body = await read_body(response, _REFUSAL_LIMIT)
        if any(text in body for text in _STARTING_UP):
            return StartingUpError(
                "The server is starting up: try again in a while",
                retry_after=seconds_of(response.headers.get("Retry-After")),
            )
    return refusal(response.status, command=response.method != "GET")


def refusal(status: int, *, command: bool = False) -> PlexError:
    """Say what an unexpected status means (OpenAPI; 401 and 403 as seen)."""
    if status == 401:
        return UnauthorizedError("The server refuses the token: get a new one")
    if status == 403:
        return NotOwnerError("The token is not the server owner's: only that one may do this")
    if status in (502, 503, 504):
        text = f"A proxy in front of the server does not reach it (status {status})"
        return _unanswered(CannotConnectError(text), command=command)
    text = f"Status {status} is not one that a Plex Media Server answers here"
    return _unanswered(NotPlexError(text), command=command and not 300 <= status < 500)


def no_answer(err: Exception, *, command: bool = False) -> PlexError:
    """Say what an error of aiohttp means."""
    match err:
        case WSServerHandshakeError(status=status):
            return refusal(status)
        case ClientConnectorError() | ConnectionTimeoutError():
            return _not_connected(err)
        case RedirectRefusedError():
            return NotPlexError("A redirect was the answer: something else stands at this address")
        case TimeoutError():
            text = "The server took the request and said nothing"
            return _unanswered(PlexTimeoutError(text, connected=True), command=command)
        case ServerDisconnectedError() | ClientOSError():
            text = "The server closed the connection without an answer"
            return _unanswered(CannotConnectError(text, empty_reply=True), command=command)
        case ClientResponseError():
            return _unanswered(NotPlexError("The answer is not HTTP"), command=command)
        case _:
            return _unanswered(CannotConnectError("The connection broke off"), command=command)


def _not_connected(err: ClientConnectorError | ConnectionTimeoutError) -> PlexError:
    """Say why there is no connection: nothing was sent."""
    match err:
        case ConnectionTimeoutError():
            return PlexTimeoutError("The server did not take the connection in time")
        case ClientConnectorCertificateError(certificate_error=reason):
            if getattr(reason, "verify_code", None) in _OTHER_NAME:
                return HostnameMismatchError("The certificate is made out to another name")
            return TlsError("The certificate is not trusted")
        case ClientSSLError():
            text = "There is no TLS to be had: the address may be one for http"
            return TlsError(text, spoken=False)
        case ClientConnectorDNSError():
            return CannotConnectError("The name of the server is not known")
        case ClientConnectorError(errno=int(code)) if code > 0:
            return CannotConnectError(f"No connection to the server: {os.strerror(code)}")
        case _:
            return CannotConnectError("No connection to the server")


def _unanswered(failure: PlexError, *, command: bool) -> PlexError:
    """Turn a failure after a command has left into what it is: nobody knows."""
    return (
        CommandNotConfirmedError(f"{failure}: the command may have arrived") if command else failure
    )


def seconds_of(text: str | None) -> float | None:
    """Read a Retry-After in seconds; a date, the other form, is not worth a clock of ours."""
    if text is None or not text.isdecimal():
        return None
    return min(float(text), _LONGEST_RETRY_AFTER)
