"""What it means that a server fails: busy, out of sight, gone, or a token that it refuses.

The one place where an error of `plex` becomes an exception of Home Assistant.
"""

from datetime import datetime
from typing import Final

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.util import dt as dt_util

from .butler.statistics import Observations
from .const import BUSY_AT_MOST, DOMAIN, UNAUTHORIZED_FOR_REAUTH
from .plex import (
    CannotConnectError,
    PlexError,
    PlexTimeoutError,
    StartingUpError,
    UnauthorizedError,
)
from .repairs import REPAIRS, async_report

LOST_POLLS: Final = 2
BLIND_POLLS: Final = 10
OUTAGES: Final = (CannotConnectError, PlexTimeoutError, StartingUpError)


class Failures:
    """The failures of one server, since it last answered."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, observations: Observations) -> None:
        """Initialize without any."""
        self._hass = hass
        self._entry = entry
        self._observations = observations
        self._polls = 0
        self._busy_since: datetime | None = None
        self._unauthorized_since: datetime | None = None

    def clear(self, *, first: bool) -> None:
        """Note that a poll succeeded; a question for a new token is closed."""
        if self._polls or self._unauthorized_since or first:
            for flow in self._entry.async_get_active_flows(self._hass, {SOURCE_REAUTH}):
                self._hass.config_entries.flow.async_abort(flow["flow_id"])
        self._polls = 0
        self._busy_since = self._unauthorized_since = None

    def may_be_busy(self, err: PlexError) -> bool:
        """Tell whether a poll failed in the way in which a server fails that works too hard."""
        if not isinstance(err, PlexTimeoutError):
            return False
        # While it is held, its queue of connections may fill up too.
        return err.connected or self._busy_since is not None

    def busy(self, now: datetime) -> bool:
        """Note that maintenance holds the server; tell whether that is still to be believed."""
        self._busy_since = self._busy_since or now
        if now - self._busy_since >= BUSY_AT_MOST:
            return False
        self._polls = 0
        self._observations.failures["busy"] += 1
        return True

    def count(self, err: PlexError) -> bool:
        """Count a failed poll; tell whether the server has stopped, for all that can be known."""
        self._polls += 1
        if not isinstance(err, UnauthorizedError):
            self._unauthorized_since = None
        # Blindness for a while is no better than an outage, only slower to tell.
        return self._polls >= (LOST_POLLS if isinstance(err, OUTAGES) else BLIND_POLLS)

    def translated[E: HomeAssistantError](self, kind: type[E], err: PlexError) -> E:
        """Turn what a server did wrong into one translated exception, and draw the consequences.

        A key of the errors is a key of the translations.
        """
        self.note(err)
        return kind(
            translation_domain=DOMAIN,
            translation_key=err.key,
            translation_placeholders={"server": self._entry.title},
        )

    def note(self, err: PlexError) -> None:
        """Draw the consequences of an error alone."""
        self._observations.failures[err.key] += 1
        if isinstance(err, UnauthorizedError):
            self._note_unauthorized(dt_util.utcnow())
        elif err.key in REPAIRS:
            async_report(self._hass, self._entry, err.key)

    def _note_unauthorized(self, now: datetime) -> None:
        """Ask for a new token once the old one was refused for a while.

        One 401 proves little: a server that starts, or one that does not know the name it is
        called by, answers it too. ConfigEntryAuthFailed would end polling for good.
        """
        if self._unauthorized_since is None:
            self._unauthorized_since = now
        elif now - self._unauthorized_since >= UNAUTHORIZED_FOR_REAUTH:
            self._entry.async_start_reauth(self._hass)
