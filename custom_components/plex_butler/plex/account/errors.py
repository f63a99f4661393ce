"""The errors of plex.tv while a user signs in.

As for the other errors, the text is for a log and contains no token, no code and no address.
"""

from ..errors import PlexError


class AccountError(PlexError):
    """Base class of the errors of plex.tv."""


class SignInRefusedError(AccountError):
    """plex.tv refuses the sign-in or the token that came of it (401, reported)."""

    key = "sign_in_refused"


class NoPlexPassError(AccountError):
    """The account has no Plex Pass, which webhooks need (403 with the code 1043, reported)."""

    key = "no_plex_pass"


class WebhooksNotKeptError(AccountError):
    """The list of webhooks is not the one that was sent."""

    key = "webhooks_not_kept"


class PinExpiredError(AccountError):
    """The user did not sign in while the PIN was valid (404, inferred)."""

    key = "sign_in_expired"


class RateLimitedError(AccountError):
    """plex.tv has received too many requests from this network (429, reported for polled PINs).

    `retry_after` is the time in its Retry-After header, in seconds.
    """

    key = "rate_limited"

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        """Initialize with what happened."""
        super().__init__(message)
        self.retry_after = retry_after


class PlexTvDownError(AccountError):
    """plex.tv is down or cannot be reached."""

    key = "plex_tv_down"


class NotPlexTvError(AccountError):
    """Something other than plex.tv answered: a proxy, a login page, an untrusted certificate."""

    key = "not_plex_tv"
