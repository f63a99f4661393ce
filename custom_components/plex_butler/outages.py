"""Failures of a server: whether it is busy, gone, or refuses the token.

Only here do the errors of `plex` become exceptions of Home Assistant.
"""

from datetime import datetime, timedelta
from typing import Final

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util import dt as dt_util

from .butler.statistics import Statistics
from .const import DOMAIN
from .plex import (
    CannotConnectError,
    PlexError,
    PlexTimeoutError,
    StartingUpError,
    UnauthorizedError,
)
from .repairs import REPAIRS, async_create_repair, async_delete_repairs

FAILURE_INTERVAL: Final = timedelta(seconds=30)
"""How often a server is polled after a failure."""
LONGEST_RETRY_AFTER: Final = timedelta(minutes=5)
"""The longest Retry-After that is respected."""
UNAUTHORIZED_FOR_REAUTH: Final = timedelta(seconds=60)
"""How long a token has to be refused before the user is asked for a new one."""
BUSY_AT_MOST: Final = timedelta(hours=12)
"""How long a server may be busy: the optimization of a large database takes hours (reported)."""
GONE_AFTER: Final = 2
"""How many polls in a row have to fail, as in an outage, before the server counts as gone."""
GONE_AFTER_OTHER_FAILURES: Final = 10
"""The same for polls that failed in any other way, such as by a refused token."""

_OUTAGES: Final = (CannotConnectError, PlexTimeoutError, StartingUpError)


class Outages:
    """The failures of one server since it last answered."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, statistics: Statistics) -> None:
        """Initialize without a failure."""
        self._hass = hass
        self._entry = entry
        self._statistics = statistics
        self._failed_polls = 0
        self._succeeded = False
        self._failure: HomeAssistantError | None = None
        self._busy_since: datetime | None = None
        self._unauthorized_since: datetime | None = None

    @property
    def server_busy(self) -> bool:
        """Return whether its own maintenance keeps the server from answering."""
        return self._busy_since is not None and self._failure is None

    def raise_failure(self) -> None:
        """Raise HomeAssistantError if the last poll failed, with its reason."""
        if failure := self._failure:
            raise HomeAssistantError(
                translation_domain=failure.translation_domain,
                translation_key=failure.translation_key,
                translation_placeholders=failure.translation_placeholders,
            )

    def require_answering(self) -> None:
        """Raise HomeAssistantError if the last poll failed, or the server is busy."""
        self.raise_failure()
        if self.server_busy:
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="server_busy",
                translation_placeholders={"server": self._entry.title},
            )

    def record_success(self, *, task_list_read: bool) -> None:
        """Record a good poll: earlier failures no longer count."""
        if self._failed_polls or self._unauthorized_since or not self._succeeded:
            for flow in self._entry.async_get_active_flows(self._hass, {SOURCE_REAUTH}):
                self._hass.config_entries.flow.async_abort(flow["flow_id"])
        if task_list_read:
            async_delete_repairs(self._hass, self._entry)
        self._succeeded = True
        self._failed_polls = 0
        self._failure = self._busy_since = self._unauthorized_since = None

    def may_be_busy(self, err: PlexError) -> bool:
        """Return whether a poll failed as on a busy server."""
        if not isinstance(err, PlexTimeoutError):
            return False
        # A server that is busy for long may accept no more connections either.
        return err.connected or self._busy_since is not None

    def record_busy(self, now: datetime) -> bool:
        """Record that maintenance keeps the server from answering.

        Returns False if that has lasted too long to be the reason.
        """
        self._busy_since = self._busy_since or now
        if now - self._busy_since >= BUSY_AT_MOST:
            return False
        self._failed_polls = 0
        self._failure = None
        self._statistics.failures["server_busy"] += 1
        return True

    def record_failure(self, err: PlexError) -> bool:
        """Record a failed poll; return whether the server counts as gone."""
        self._failed_polls += 1
        self._failure = self.to_exception(HomeAssistantError, err)
        if not isinstance(err, UnauthorizedError):
            self._unauthorized_since = None
        outage = isinstance(err, _OUTAGES)
        return self._failed_polls >= (GONE_AFTER if outage else GONE_AFTER_OTHER_FAILURES)

    def to_exception[E: HomeAssistantError](self, kind: type[E], err: PlexError) -> E:
        """Return the exception of Home Assistant for an error, translated by its key."""
        return kind(
            translation_domain=DOMAIN,
            translation_key=err.key,
            translation_placeholders={"server": self._entry.title},
        )

    def act_on(self, err: PlexError) -> None:
        """Count an error, and start a reauthentication or create a repair issue if it needs one."""
        self._statistics.failures[err.key] += 1
        if isinstance(err, UnauthorizedError):
            self._act_on_unauthorized(dt_util.utcnow())
        elif err.key in REPAIRS:
            async_create_repair(self._hass, self._entry, err.key)

    def _act_on_unauthorized(self, now: datetime) -> None:
        """Start a reauthentication once the token was refused for a while.

        A single 401 proves little: a server that is starting answers it too, and so does one that
        does not know the name by which it was asked. ConfigEntryAuthFailed would end polling.
        """
        if self._unauthorized_since is None:
            self._unauthorized_since = now
        elif now - self._unauthorized_since >= UNAUTHORIZED_FOR_REAUTH:
            self._entry.async_start_reauth(self._hass)
