"""The errors of a Plex Media Server.

The text of an error is for a log. It says what happened and what can be done, and it never contains
the token, an address, a query or a part of a body. No error is chained to one of aiohttp, because
those hold the headers of the request, and with them the token.
"""

from typing import ClassVar


class PlexError(Exception):
    """Base class of the errors of this package. `key` is the key of its translation."""

    key: ClassVar[str]


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


class UnauthorizedError(PlexError):
    """The token is wrong, was revoked, or is missing (401, seen on 1.43)."""

    key = "unauthorized"


class NotOwnerError(PlexError):
    """The token is valid, but not the owner's (403, seen with a shared user's token)."""

    key = "not_owner"


class StartingUpError(PlexError):
    """The server is starting, or migrating its database.

    `retry_after` is the time in its Retry-After header, in seconds.
    """

    key = "starting_up"

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        """Initialize with what happened."""
        super().__init__(message)
        self.retry_after = retry_after


class NotPlexError(PlexError):
    """Something other than a Plex Media Server answered: a proxy, a router, a login page."""

    key = "not_plex"


class OtherServerError(PlexError):
    """A Plex Media Server answered, but not the expected one. The token was not sent to it."""

    key = "other_server"


class NoButlerError(PlexError):
    """The server has no Butler (404 for its list of tasks): it is too old (inferred)."""

    key = "no_butler"


class TaskNotFoundError(PlexError):
    """The server has no task of this name (404, OpenAPI)."""

    key = "task_not_found"


class InvalidTaskNameError(PlexError, ValueError):
    """The name is not one of a task and could lead to another path. Nothing was sent."""

    key = "invalid_task_name"
