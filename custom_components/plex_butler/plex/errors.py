"""The errors of a Plex Media Server.

The text of an error is for a log. It says what happened and what can be done, and it never contains
the token, an address, a query or a part of a body. No error is chained to one of aiohttp, because
those hold the headers of the request, and with them the token.
"""

from typing import ClassVar

from yarl import URL


class PlexError(Exception):
    """Base class of the errors of this package. `key` is the key of its translation.

    `retry_after` is the time in the Retry-After header of the answer, in seconds, or None.
    `doubtful` is True if something in front of the server may have given the answer in its place:
    only its `/identity` can show whether it is the server's own.
    `sent` is True if it is the answer to a command, which was sent then, but refused.
    """

    key: ClassVar[str]
    retry_after: float | None = None
    doubtful: bool = False
    sent: bool = False


class CannotConnectError(PlexError):
    """The server is off or unreachable, or closed the connection.

    `empty_reply` is True if it accepted the connection and closed it without an answer, as a server
    that requires secure connections does with plain http (reported for real servers).
    """

    key = "cannot_connect"

    def __init__(self, message: str, *, empty_reply: bool = False) -> None:
        """Initialize with what happened."""
        super().__init__(message)
        self.empty_reply = empty_reply


class PlexTimeoutError(PlexError):
    """The server did not answer in time.

    `connected` is True if it accepted the connection. It is running then, but blocked, as it can be
    for hours while it optimizes its database (reported by users).
    """

    key = "timed_out"

    def __init__(self, message: str, *, connected: bool = False) -> None:
        """Initialize with what happened."""
        super().__init__(message)
        self.connected = connected


class CommandNotConfirmedError(PlexError):
    """A command was sent but not answered: it may or may not have taken effect.

    Not raised if the command was certainly not sent, or certainly refused by the server.
    """

    key = "command_not_confirmed"


class CommandServerError(CommandNotConfirmedError):
    """The server answered a command with an error of its own (5xx): it may have taken effect."""

    key = "command_server_error"


class TlsError(PlexError):
    """The certificate is not trusted; or the server does not use TLS, and `spoken` is False."""

    key = "tls"

    def __init__(self, message: str, *, spoken: bool = True) -> None:
        """Initialize with what happened."""
        super().__init__(message)
        self.spoken = spoken


class HostnameMismatchError(TlsError):
    """The certificate is trusted, but it is for another name than that of the address.

    Plex's own certificates are for `*.<hash>.plex.direct`, so that an https address with an IP
    address always causes this error (reported for real servers).
    """

    key = "hostname_mismatch"


class CertificateExpiredError(TlsError):
    """The certificate has expired; the server's clock or that of this machine may be wrong."""

    key = "certificate_expired"


class HttpsRequiredError(PlexError):
    """The address is one for https: its port answers 400 to plain http, or redirects to https.

    `address` is the base address to which a redirect leads, always at the same host; None if the
    scheme alone is wrong. This comes from proxies (inferred from what they are documented to
    answer). A real server drops plain http instead (see CannotConnectError), and is known by
    taking https at the same port.
    """

    key = "https_required"

    def __init__(self, message: str, *, address: URL | None = None) -> None:
        """Initialize with what happened."""
        super().__init__(message)
        self.address = address


class UnauthorizedError(PlexError):
    """The token is wrong, was revoked, or is missing (401, seen on 1.43)."""

    key = "unauthorized"


class NotOwnerError(PlexError):
    """The token is valid, but not the owner's (403, seen with a shared user's token)."""

    key = "not_owner"


class ProxyRefusesError(PlexError):
    """Something in front of the server refuses the request, such as a proxy that wants a login."""

    key = "proxy_refuses"


class StartingUpError(PlexError):
    """The server is starting, or migrating its database."""

    key = "starting_up"


class TooManyRequestsError(PlexError):
    """The server, or more likely a proxy, wants fewer requests (429, inferred)."""

    key = "too_many_requests"


class ServerError(PlexError):
    """The server has an error of its own, such as a malformed database (500, reported by users)."""

    key = "server_error"


class NotPlexError(PlexError):
    """Something other than a Plex Media Server answered: a proxy, a router, a login page.

    `no_server` is True if not even `/identity` was answered by a Plex Media Server, so that nothing
    is known of the server itself. `redirected` is True if the answer was a redirect.
    """

    key = "not_plex"
    no_server: bool = False
    redirected: bool = False


class OtherServerError(PlexError):
    """A Plex Media Server answered, but not the expected one. The token was not sent to it."""

    key = "other_server"


class NoButlerError(PlexError):
    """The server has no Butler (404 for `/butler`): it is too old (inferred)."""

    key = "no_butler"


class TaskNotFoundError(PlexError):
    """The server has no task of this name (404, OpenAPI)."""

    key = "task_not_found"


class InvalidTaskNameError(PlexError, ValueError):
    """The name is not one of a task and could lead to another path. Nothing was sent."""

    key = "invalid_task_name"


class FloodError(PlexError):
    """A stream brings more than any server that was seen, or a frame too large: it was cut off."""

    key = "flood"


class PreferencesRefusedError(PlexError):
    """The server refuses to list or set preferences (400, OpenAPI); of several, none is set (inferred)."""

    key = "schedule_refused"
