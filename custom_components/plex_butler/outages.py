"""Failures of a server: whether it is busy, gone, or refuses the token.

Only here do the errors of `plex` become exceptions of Home Assistant.
"""

from datetime import datetime, timedelta
from typing import Final

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.util.hass_dict import HassKey

from .butler.preferences import PreferencesError, PreferencesNotListedError
from .butler.statistics import Statistics
from .const import DOMAIN
from .issues import (
    REPAIRS,
    async_create_repair,
    async_delete_repairs,
    async_forget_log_repair,
)
from .plex import (
    CannotConnectError,
    NotPlexError,
    OtherServerError,
    PlexError,
    PlexTimeoutError,
    ProxyRefusesError,
    StartingUpError,
    UnauthorizedError,
)

FAILURE_INTERVAL: Final = timedelta(seconds=30)
"""How often a server is polled after a failure."""
LONGEST_RETRY_AFTER: Final = timedelta(minutes=5)
"""The longest Retry-After that is respected."""
LASTING_AFTER: Final = timedelta(seconds=60)
"""How long a token has to be refused, or another server to answer, before the user has to act."""
BUSY_AT_MOST: Final = timedelta(hours=12)
"""How long a server may be busy: the optimization of a large database takes hours (reported)."""
UNCONNECTED_AT_MOST: Final = 4
"""How many polls in a row a busy server may accept no connection: its queue may be full (inferred)."""
GONE_AFTER: Final = 2
"""How many polls in a row have to fail, as in an outage, before the server counts as gone."""
GONE_AFTER_OTHER_FAILURES: Final = 10
"""The same for polls that failed in any other way, such as by a refused token."""

# For errors that may pass by themselves: the key of that which each config entry's polls fail with,
# and since when, by the monotonic clock of the event loop. It outlives the tries to set the entry up.
_LASTING: Final[HassKey[dict[str, tuple[str, float]]]] = HassKey(f"{DOMAIN}_lasting_errors")
_MAY_PASS: Final = (OtherServerError, UnauthorizedError)
_OUTAGES: Final = (CannotConnectError, PlexTimeoutError, ProxyRefusesError, StartingUpError)
# The texts for polls: an error's key with "_poll" behind it. Polls go on, and commands do not: the
# text for a command, under the key alone, says that nothing was sent.
_POLL_TEXTS: Final = frozenset(
    {
        "cannot_connect_poll",
        "certificate_expired_poll",
        "hostname_mismatch_poll",
        "https_required_poll",
        "no_butler_poll",
        "not_owner_poll",
        "not_plex_poll",
        "other_server_poll",
        "proxy_refuses_poll",
        "server_error_poll",
        "starting_up_poll",
        "timed_out_poll",
        "tls_poll",
        "too_many_requests_poll",
        "unauthorized_poll",
    }
)
# The texts for commands that were sent, and refused: an error's key with "_refused" behind it.
_REFUSED_TEXTS: Final = frozenset(
    {
        "https_required_refused",
        "no_butler_refused",
        "not_owner_refused",
        "not_plex_refused",
        "proxy_refuses_refused",
        "starting_up_refused",
        "too_many_requests_refused",
        "unauthorized_refused",
    }
)


class Outages:
    """The failures of one server since it last answered."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, statistics: Statistics) -> None:
        """Initialize without a failure."""
        self._hass = hass
        self._entry = entry
        self._statistics = statistics
        self._failed_polls = 0
        self._succeeded = False
        self._failure: PlexError | None = None
        self._busy_since: datetime | None = None
        self._unconnected_polls = 0
        self._lasting = hass.data.setdefault(_LASTING, {})

    @property
    def server_busy(self) -> bool:
        """Return whether its own maintenance keeps the server from answering."""
        return self._busy_since is not None and self._failure is None

    def raise_failure(self) -> None:
        """Raise HomeAssistantError if the last poll failed, with its reason."""
        if self._failure:
            raise self.to_exception(HomeAssistantError, self._failure)

    def require_answering(self) -> None:
        """Raise HomeAssistantError for a command if the last poll failed, or the server is busy."""
        if self._failure:
            raise self.to_command_exception(self._failure)
        if self.server_busy:
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="server_busy",
                translation_placeholders={"server": self._entry.title},
            )

    def record_success(self, *, task_list_read: bool) -> None:
        """Record a good poll: earlier failures no longer count."""
        lasting = self._lasting.pop(self._entry.entry_id, None)
        if self._failed_polls or lasting or not self._succeeded:
            for flow in self._entry.async_get_active_flows(self._hass, {SOURCE_REAUTH}):
                self._hass.config_entries.flow.async_abort(flow["flow_id"])
        if task_list_read:
            async_delete_repairs(self._hass, self._entry)
        self._succeeded = True
        self._failed_polls = 0
        self._failure = self._busy_since = None
        self._unconnected_polls = 0

    def may_be_busy(self, err: PlexError) -> bool:
        """Return whether a poll failed as on a busy server."""
        if not isinstance(err, PlexTimeoutError):
            return False
        if err.connected:
            return True
        return self._busy_since is not None and self._unconnected_polls < UNCONNECTED_AT_MOST

    def record_busy(self, err: PlexError, now: datetime) -> bool:
        """Record that maintenance keeps the server from answering.

        Returns False if that has lasted too long to be the reason.
        """
        connected = isinstance(err, PlexTimeoutError) and err.connected
        self._unconnected_polls = 0 if connected else self._unconnected_polls + 1
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
        self._failure = err
        if not isinstance(err, _MAY_PASS):
            self._lasting.pop(self._entry.entry_id, None)
        outage = isinstance(err, _OUTAGES) or (isinstance(err, NotPlexError) and err.no_server)
        return self._failed_polls >= (GONE_AFTER if outage else GONE_AFTER_OTHER_FAILURES)

    def to_exception[E: HomeAssistantError](self, kind: type[E], err: PlexError) -> E:
        """Return the exception of Home Assistant for a failed poll."""
        key = f"{err.key}_poll"
        return self._exception(kind, key if key in _POLL_TEXTS else err.key)

    def to_command_exception(self, err: PlexError) -> HomeAssistantError:
        """Return the exception of Home Assistant for a failed command.

        Unlike a poll, a command is not sent again.
        """
        if isinstance(err, PreferencesError):
            by_user = isinstance(err, PreferencesNotListedError)
            kind = ServiceValidationError if by_user else HomeAssistantError
            return self._exception(kind, err.key, settings=", ".join(err.keys))
        key = f"{err.key}_refused"
        refused = err.sent and key in _REFUSED_TEXTS
        return self._exception(HomeAssistantError, key if refused else err.key)

    def _exception[E: HomeAssistantError](self, kind: type[E], key: str, **placeholders: str) -> E:
        return kind(
            translation_domain=DOMAIN,
            translation_key=key,
            translation_placeholders={"server": self._entry.title, **placeholders},
        )

    def act_on(self, err: PlexError) -> None:
        """Count an error, and start a reauthentication or create a repair issue if it needs one."""
        self._statistics.failures[err.key] += 1
        if isinstance(err, _MAY_PASS) and not self._has_lasted(err, self._hass.loop.time()):
            return
        if isinstance(err, UnauthorizedError):
            self._entry.async_start_reauth(self._hass)
        elif err.key in REPAIRS:
            async_create_repair(self._hass, self._entry, err.key)

    def _has_lasted(self, err: PlexError, now: float) -> bool:
        """Return whether polls have failed in the same way for a while.

        A single 401 proves little: a server that is starting answers it too, and so does one that
        does not know the name by which it was asked. ConfigEntryAuthFailed would end polling. And
        another server may have an address only until the router gives it a new one.
        """
        key, since = self._lasting.get(self._entry.entry_id, ("", now))
        if key != err.key:
            self._lasting[self._entry.entry_id] = (err.key, now)
            return False
        return now - since >= LASTING_AFTER.total_seconds()


@callback
def async_forget_failures(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Delete the repair issues of a config entry that is no longer set up, and what led to them."""
    async_delete_repairs(hass, entry)
    async_forget_log_repair(hass, entry)
    hass.data.get(_LASTING, {}).pop(entry.entry_id, None)
