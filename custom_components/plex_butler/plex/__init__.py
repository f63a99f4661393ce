"""The language of a Plex Media Server, as far as its Butler goes.

Knows aiohttp and the standard library, and nothing of Home Assistant.
"""

from .address import ParsedAddress, parse_address, plex_direct_address, without_secrets
from .client import REQUEST_TIMEOUT, PlexClient
from .errors import (
    CannotConnectError,
    CommandNotConfirmedError,
    HostnameMismatchError,
    InvalidTaskNameError,
    NoButlerError,
    NotOwnerError,
    NotPlexError,
    OtherServerError,
    PlexError,
    PlexTimeoutError,
    StartingUpError,
    TaskNotFoundError,
    TlsError,
    UnauthorizedError,
)
from .middleware import refuse_redirects
from .models import (
    BUTLER_ROW,
    Activity,
    ActivityChanged,
    ButlerTask,
    Identity,
    Notification,
    PreferencesChanged,
    Server,
    StartResult,
    StopResult,
)

__all__ = [
    "BUTLER_ROW",
    "REQUEST_TIMEOUT",
    "Activity",
    "ActivityChanged",
    "ButlerTask",
    "CannotConnectError",
    "CommandNotConfirmedError",
    "HostnameMismatchError",
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
    "Server",
    "StartResult",
    "StartingUpError",
    "StopResult",
    "TaskNotFoundError",
    "TlsError",
    "UnauthorizedError",
    "parse_address",
    "plex_direct_address",
    "refuse_redirects",
    "without_secrets",
]
