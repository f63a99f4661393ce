"""A client of Plex Media Server for its Butler tasks.

It needs aiohttp and yarl, but nothing of Home Assistant. This file exports what callers need; they
import discovery from `gdm` and sign-in from `account`.
"""

from .address import ParsedAddress, parse_address, plex_direct_address, without_secrets
from .client import REQUEST_TIMEOUT, PlexClient
from .errors import (
    CannotConnectError,
    CertificateExpiredError,
    CommandNotConfirmedError,
    CommandServerError,
    HostnameMismatchError,
    HttpsRequiredError,
    InvalidTaskNameError,
    NoButlerError,
    NotOwnerError,
    NotPlexError,
    OtherServerError,
    PlexError,
    PlexTimeoutError,
    ProxyRefusesError,
    ServerError,
    StartingUpError,
    TaskNotFoundError,
    TlsError,
    TooManyRequestsError,
    UnauthorizedError,
)
from .middleware import refuse_redirects
from .models import (
    BUTLER_ROW,
    Activity,
    ActivityChanged,
    ButlerTask,
    ChangesDropped,
    Identity,
    Notification,
    PreferencesChanged,
    Server,
    SessionChanged,
    StartResult,
    StopResult,
)
from .parse import MOST_ACTIVITIES

__all__ = [
    "BUTLER_ROW",
    "MOST_ACTIVITIES",
    "REQUEST_TIMEOUT",
    "Activity",
    "ActivityChanged",
    "ButlerTask",
    "CannotConnectError",
    "CertificateExpiredError",
    "ChangesDropped",
    "CommandNotConfirmedError",
    "CommandServerError",
    "HostnameMismatchError",
    "HttpsRequiredError",
    "Identity",
    "InvalidTaskNameError",
    "NoButlerError",
    "NotOwnerError",
    "NotPlexError",
    "Notification",
    "OtherServerError",
    "ParsedAddress",
    "PlexClient",
    "PlexError",
    "PlexTimeoutError",
    "PreferencesChanged",
    "ProxyRefusesError",
    "Server",
    "ServerError",
    "SessionChanged",
    "StartResult",
    "StartingUpError",
    "StopResult",
    "TaskNotFoundError",
    "TlsError",
    "TooManyRequestsError",
    "UnauthorizedError",
    "parse_address",
    "plex_direct_address",
    "refuse_redirects",
    "without_secrets",
]
