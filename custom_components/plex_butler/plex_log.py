"""Plex's own log, which is read if the user lets it be."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.util import dt as dt_util

from .butler.log import LogFollower
from .butler.session import ButlerSession
from .butler.statistics import Statistics
from .const import CONF_LOG, CONF_WEBHOOK
from .issues import async_create_log_repair, async_delete_log_repair
from .plex import (
    BackupCompleted,
    BackupRefused,
    DatabaseCorrupted,
    LogLine,
    PlexClient,
    PlexError,
)
from .runs.rules import SAME_BACKUP

QUIET: Final = timedelta(hours=1)
"""After how long without a line about damage another one is news.

A damaged database is reported with every access (inferred).
"""


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
        self._session = session
        self._changed = changed
        self._good_backup = good_backup
        self._corrupted = corrupted
        self._backup_failed: datetime | None = None
        self._corrupted_at: datetime | None = None
        self._answers = self._speaks = self._refused = self._doubtful = False
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
            self._answers = self._doubtful = False
            self._follower.pause()
            self._update_listening()

    @callback
    def async_resume(self) -> None:
        """Connect again, because the server answers."""
        if self._follower:
            self._answers = True
            if self._doubtful:
                self._doubtful = False
                async_create_log_repair(self._hass, self._entry)
            self._follower.resume()
            self._update_listening()

    def _update_listening(self) -> None:
        """Let silence about backups count only while the log would break it.

        It would not if it is refused, or names no task: a server may write no such lines.
        """
        backups = self._session.backups
        if backups and not self._entry.options.get(CONF_WEBHOOK):
            speaks = self._speaks or backups.last is not None
            backups.listen(listening=self._answers and speaks and not self._refused)

    # --- what the follower brings

    @callback
    def log_opened(self) -> None:
        """Delete the repair issue of a log that was refused."""
        self._refused = self._doubtful = False
        self._update_listening()
        async_delete_log_repair(self._hass, self._entry)

    @callback
    def log_changed(self, lines: tuple[LogLine, ...]) -> None:
        """Show what lines have changed."""
        if not self._speaks:
            self._speaks = True
            self._update_listening()
        self._changed()
        now = self._session.now()
        for line in lines:
            match line.sign:
                case BackupCompleted(0):
                    # Of one that has failed, a part may be completed (inferred).
                    if not self._backup_failed or now - self._backup_failed >= SAME_BACKUP:
                        self._good_backup()
                case BackupCompleted() | BackupRefused():
                    self._backup_failed = now
                case DatabaseCorrupted():
                    last, self._corrupted_at = self._corrupted_at, now
                    if not last or now - last >= QUIET:
                        self._corrupted()

    @callback
    def log_refused(self, err: PlexError) -> None:
        """Create a repair issue once a poll shows that nothing else has answered in the server's place.

        Only the user can solve that. It is one, however often it is tried.
        """
        self._refused = self._doubtful = True
        self._update_listening()
