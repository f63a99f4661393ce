"""What Plex itself reports of its database, over its webhook or in its log."""

from collections.abc import Callable
from datetime import datetime, timedelta

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.util import dt as dt_util

from .butler.backups import BackupSource
from .butler.session import ButlerSession
from .butler.statistics import Statistics
from .issues import async_create_corruption_repair
from .plex.webhook import WebhookEvent
from .run_events import SIGNAL_EVENT


class Reports:
    """Takes the reports of one server, from whichever source they come."""

    def __init__(
        self,
        hass: HomeAssistant,
        entry: ConfigEntry,
        session: ButlerSession,
        statistics: Statistics,
        *,
        after: Callable[[], None],
    ) -> None:
        """Initialize; `after` is called to show what a report has changed."""
        self.webhook_received: datetime | None = None
        """When the webhook last brought an event of this server, whatever it was."""
        self._hass = hass
        self._entry = entry
        self._session = session
        self._statistics = statistics
        self._after = after

    @callback
    def async_record_webhook(self, event: WebhookEvent | None) -> None:
        """Record what the webhook has brought; None is not an event of this server."""
        self._statistics.webhook[event or "dropped"] += 1
        if event is None:
            return
        self.webhook_received = dt_util.utcnow()
        if event is WebhookEvent.BACKUP:
            self.async_record_good_backup(BackupSource.WEBHOOK)
        elif event is WebhookEvent.CORRUPTED:
            self.async_record_corruption()

    @callback
    def async_record_good_backup(self, source: BackupSource) -> None:
        """Record a good backup that is reported now: show it, then fire the trigger.

        The trigger fires also during an outage, because it is Plex that reports the backup.
        """
        if backup := self._session.record_good_backup(source):
            self._after()
            async_dispatcher_send(self._hass, SIGNAL_EVENT, self._entry.entry_id, backup)

    @callback
    def async_record_kept_backup(self, source: BackupSource, age: timedelta) -> None:
        """Show a good backup that was reported `age` ago, for which the trigger has fired already."""
        if self._session.record_good_backup(source, age):
            self._after()

    @callback
    def async_record_corruption(self) -> None:
        """Tell the user that the database is damaged, until the user dismisses that."""
        async_create_corruption_repair(self._hass, self._entry)
