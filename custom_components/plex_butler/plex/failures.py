"""What it means that a request fails: every way, as a PlexError."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
import os
from typing import Final

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientOSError,
    ClientResponseError,
    ClientSSLError,
    ConnectionTimeoutError,
    ServerDisconnectedError,
    WSServerHandshakeError,
)
from yarl import URL

from .errors import (
    CannotConnectError,
    CertificateExpiredError,
    CommandNotConfirmedError,
    CommandServerError,
    HostnameMismatchError,
    HttpsRequiredError,
    NotOwnerError,
    NotPlexError,
    PlexError,
    PlexTimeoutError,
    ProxyRefusesError,
    ServerError,
    TlsError,
    TooManyRequestsError,
    UnauthorizedError,
)
from .middleware import RedirectRefusedError

_LONGEST_RETRY_AFTER: Final = 86400.0
# OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED, and its X509_V_ERR_HOSTNAME_MISMATCH and
# X509_V_ERR_IP_ADDRESS_MISMATCH.
_EXPIRED: Final = 10
_OTHER_NAME: Final = (62, 64)
# In the answers of a server (seen with 401; inferred for others).
_OWN_HEADER: Final = "X-Plex-Protocol"


def retry_after_of(headers: Mapping[str, str]) -> float | None:
    """Return the Retry-After of an answer in seconds, at most a day; None if there is none.

    A date, the other form that HTTP allows, is compared with that of the answer.
    """
    text = headers.get("Retry-After", "").strip()
    try:
        if text.isdecimal():
            seconds = float(text)
        else:
            until, date = map(parsedate_to_datetime, (text, headers.get("Date", "")))
            seconds = (until - date).total_seconds()
    except ValueError, TypeError:
        return None
    return min(max(seconds, 0.0), _LONGEST_RETRY_AFTER)


def status_failure(status: int, headers: Mapping[str, str], *, command: bool = False) -> PlexError:
    """Return the error for an unexpected status (OpenAPI; 401 and 403 seen)."""
    failure = _meaning(status, headers)
    if command and isinstance(failure, ServerError):
        failure = CommandServerError(f"{failure}: the command may have been carried out")
    else:
        failure = _unconfirmed(failure, command=command and not 300 <= status < 500)
    failure.doubtful = _is_doubtful(status, headers)
    failure.retry_after = retry_after_of(headers)
    return failure


def _is_doubtful(status: int, headers: Mapping[str, str]) -> bool:
    """Return whether only the identity can show that the server itself has answered."""
    if status in (401, 403, 500):
        return _OWN_HEADER not in headers and "WWW-Authenticate" not in headers
    return 400 <= status < 500 and status != 429


def _meaning(status: int, headers: Mapping[str, str]) -> PlexError:
    match status:
        case 401 | 403 if "WWW-Authenticate" in headers:
            return ProxyRefusesError("Something in front of the server requires a login")
        case 401:
            return UnauthorizedError("The server refuses the token: get a new one")
        case 403:
            return NotOwnerError("The token is not the server owner's: only that one may do this")
        case 429:
            return TooManyRequestsError("The server was asked too often: try again later")
        case 500:
            return ServerError("The server has an error of its own (status 500)")
        case _ if status > 500:
            text = f"A proxy in front of the server does not reach it (status {status})"
            return CannotConnectError(text)
        case _:
            return NotPlexError(f"Status {status} is not one that a Plex Media Server answers here")


def identity_failure(err: PlexError) -> PlexError:
    """Return the error for an identity that was requested in vain."""
    match err:
        case UnauthorizedError() | NotOwnerError() if err.doubtful:
            return ProxyRefusesError("Something in front of the server requires a login")
        case ServerError() if err.doubtful:
            return CannotConnectError("A proxy in front of the server has an error of its own")
        case NotPlexError():
            err.no_server = True
    return err


def failure_of(err: Exception, *, command: bool = False) -> PlexError:
    """Return the error for one of aiohttp."""
    match err:
        case WSServerHandshakeError(status=status, headers=headers):
            return status_failure(status, headers or {})
        case ClientConnectorError() | ConnectionTimeoutError():
            return _connection_failure(err)
        case RedirectRefusedError():
            failure = _redirect_failure(err.requested, err.location)
            failure.sent = command
            return failure
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
            if getattr(reason, "verify_code", None) == _EXPIRED:
                return CertificateExpiredError("The certificate has expired")
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


def _redirect_failure(requested: URL, location: str) -> PlexError:
    """Return the error for a redirect: one to https at the same host shows the right address."""
    try:
        target = requested.join(URL(location))
        same_host = target.host == requested.host
    except ValueError:
        # Not a URL, or its host is a name that cannot be decoded.
        same_host, target = False, requested
    if (requested.scheme, target.scheme) == ("http", "https") and same_host:
        text = "The answer is a redirect to https"
        return HttpsRequiredError(text, address=target.origin())
    failure = NotPlexError("The answer is a redirect: something else is at this address")
    failure.redirected = True
    return failure


def _unconfirmed(failure: PlexError, *, command: bool) -> PlexError:
    """Return the failure, or CommandNotConfirmedError if a command was sent."""
    return (
        CommandNotConfirmedError(f"{failure}: the command may have arrived") if command else failure
    )
