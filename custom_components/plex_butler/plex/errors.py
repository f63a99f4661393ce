"""What can go wrong with a Plex Media Server: typed and few.

The text of an error is for a log. It says what happened and what can be done, and it never holds
the token, an address, a query or what a body said. No error is chained to one of aiohttp's, because
those carry the request with its headers, and so the token.
"""

from typing import ClassVar


class PlexError(Exception):
    """Base of all errors of this package. `key` names the kind, for translations and counts."""

    key: ClassVar[str]


class CannotConnectError(PlexError):
    """The server is off, unreachable, or hung up.

    `empty_reply` is True where it took the connection and closed it without an answer. A server
    whose secure connections are required treats plain http so (reported for real servers).
    """

    key = "cannot_connect"

    def __init__(self, message: str, *, empty_reply: bool = False) -> None:
        """Initialize with what happened."""
        super().__init__(message)
        self.empty_reply = empty_reply


class PlexTimeoutError(PlexError):
    """No answer in time.

    `connected` is True where the connection stood and the server said nothing: it is there, but
    held by something, as a database optimization can hold it for hours (reported by users).
    """

    key = "timed_out"

    def __init__(self, message: str, *, connected: bool = False) -> None:
        """Initialize with what happened."""
        super().__init__(message)
        self.connected = connected


class CommandNotConfirmedError(PlexError):
    """A command left, but no answer came: it may or may not have taken effect.

    Never raised where the command was certainly not sent, or the server certainly refused it.
    """

    key = "command_not_confirmed"


class TlsError(PlexError):
    """The certificate is not trusted, or the other side does not speak TLS at all.

    `spoken` is False in the latter case.
    """

    key = "tls"

    def __init__(self, message: str, *, spoken: bool = True) -> None:
        """Initialize with what happened."""
        super().__init__(message)
        self.spoken = spoken


class HostnameMismatchError(TlsError):
    """The certificate is trusted, but made out to another name than the one asked for.

    Plex's own certificates are for `*.<hash>.plex.direct`, so that every https address made of an
    IP address alone ends here (reported for real servers).
    """

    key = "hostname_mismatch"


class UnauthorizedError(PlexError):
    """The token is wrong, was revoked, or is missing (401, seen on 1.43)."""

    key = "unauthorized"


class NotOwnerError(PlexError):
    """The token is good, but not the owner's (403, seen with a shared user's token)."""

    key = "not_owner"


class StartingUpError(PlexError):
    """The server starts or migrates its database, and answers later.

    `retry_after` is what its Retry-After header asked for, in seconds.
    """

    key = "starting_up"

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        """Initialize with what happened."""
        super().__init__(message)
        self.retry_after = retry_after


class NotPlexError(PlexError):
    """Something answered that is no Plex Media Server: a proxy, a router, a login page."""

    key = "not_plex"


class OtherServerError(PlexError):
    """A Plex Media Server answered, but not the one that was expected. It got no token."""

    key = "other_server"


class NoButlerError(PlexError):
    """The server has no Butler (404 for its list of tasks): it is too old (inferred)."""

    key = "no_butler"


class TaskNotFoundError(PlexError):
    """The server has no task of this name (404, OpenAPI)."""

    key = "task_not_found"


class InvalidTaskNameError(PlexError, ValueError):
    """A name that no task has and that could reach another address. Nothing was sent."""

    key = "invalid_task_name"
