"""Plex's own log, which is read if the user lets it be."""

from collections.abc import Callable

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util

from .butler.log import LogFollower
from .butler.session import ButlerSession
from .butler.statistics import Statistics
from .const import CONF_LOG
from .plex import BackupCompleted, DatabaseCorrupted, LogLine, PlexClient, PlexError
from .repairs import async_create_log_repair, async_delete_log_repair


class PlexLog:
    """The log of one server; it does nothing if the option is off."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        client: PlexClient,
        session: ButlerSession,
        statistics: Statistics,
        *,
        changed: Callable[[], None],
        good_backup: Callable[[], None],
        corrupted: Callable[[], None],
    ) -> None:
        """Initialize paused.

        `changed` is called to show what lines have changed, `good_backup` and `corrupted` when a
        line says so.
        """
        self._hass = hass
        self._entry = entry
        self._changed = changed
        self._good_backup = good_backup
        self._corrupted = corrupted
        self._corruption_reported = False
        self._follower = (
            LogFollower(client, session, statistics, self, zone=dt_util.get_default_time_zone)
            if entry.options.get(CONF_LOG)
            else None
        )

    async def run(self) -> None:
        """Follow the log until cancelled."""
        if self._follower:
            await self._follower.run()

    async def expect_command(self) -> None:
        """Open the log for a command that is about to be sent, and wait a moment until it is."""
        if self._follower:
            await self._follower.expect_command()

    @callback
    def async_update(self) -> None:
        """Open or close the log by what is known now."""
        if self._follower:
            self._follower.update()

    @callback
    def async_pause(self) -> None:
        """Do not connect again until `async_resume`, because the server does not answer."""
        if self._follower:
            self._follower.pause()

    @callback
    def async_resume(self) -> None:
        """Connect again, because the server answers."""
        if self._follower:
            self._follower.resume()

    # --- what the follower brings

    @callback
    def log_opened(self) -> None:
        """Delete the repair issue of a log that was refused."""
        self._corruption_reported = False
        async_delete_log_repair(self._hass, self._entry)

    @callback
    def log_changed(self, lines: tuple[LogLine, ...]) -> None:
        """Show what lines have changed."""
        self._changed()
        for line in lines:
            match line.sign:
                case BackupCompleted(0):
                    self._good_backup()
                case DatabaseCorrupted() if not self._corruption_reported:
                    # A damaged database is reported with every access.
                    self._corruption_reported = True
                    self._corrupted()

    @callback
    def log_refused(self, err: PlexError) -> None:
        """Create a repair issue: only the user can solve that. It is one, however often it is tried."""
        async_create_log_repair(self._hass, self._entry)
