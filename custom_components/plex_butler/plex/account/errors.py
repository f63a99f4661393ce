"""What can go wrong between plex.tv and somebody who signs in: typed and few.

The rules of the other errors hold: a text is for a log, and holds no token, no code and no address.
"""

from ..errors import PlexError


class AccountError(PlexError):
    """Base of the errors of plex.tv; a server's own errors are none of them."""


class SignInRefusedError(AccountError):
    """plex.tv refuses the sign-in or the token that came of it (401, reported)."""

    key = "sign_in_refused"


class PinExpiredError(AccountError):
    """Nobody signed in for too long: plex.tv has forgotten the PIN (404, inferred)."""

    key = "sign_in_expired"


class RateLimitedError(AccountError):
    """plex.tv was asked too often, by whomever at this address (429, reported of polled PINs).

    `retry_after` is what its Retry-After header asked for, in seconds.
    """

    key = "rate_limited"

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        """Initialize with what happened."""
        super().__init__(message)
        self.retry_after = retry_after


class PlexTvDownError(AccountError):
    """plex.tv is down, or cannot be reached from here."""

    key = "plex_tv_down"


class NotPlexTvError(AccountError):
    """Something answered that plex.tv would not: a proxy, a login page, another certificate."""

    key = "not_plex_tv"
