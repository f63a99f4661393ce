"""The coordinator of one server: polls when Home Assistant wants it, shows what is known."""

from typing import Final, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.debounce import Debouncer
from homeassistant.helpers.ratelimit import KeyedRateLimit
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util import dt as dt_util

from .butler.session import ACTIVE_INTERVAL, IDLE_INTERVAL, ButlerSession
from .butler.snapshot import Snapshot
from .butler.statistics import Statistics
from .butler.stream import StreamRunner
from .commands import Commands
from .const import LOGGER
from .outages import LONGEST_RETRY_AFTER, UNREACHABLE_INTERVAL, Outages
from .plex import (
    Notification,
    PlexClient,
    PlexError,
    Server,
    StartingUpError,
    UnauthorizedError,
)
from .run_events import RunEvents
from .run_store import RunStore, StoredRuns

SHOW_INTERVAL: Final = 0.25
"""How long a task or Butler as a whole is shown unchanged while the stream says more, in seconds."""

type PlexButlerConfigEntry = ConfigEntry[PlexButlerCoordinator]


class PlexButlerCoordinator(DataUpdateCoordinator[Snapshot]):
    """Puts one server into Home Assistant.

    Every poll, frame and command changes the session. `async_update_listeners` is the only way
    out: it shows what differs from what is shown, and sends the events that led to it.
    """

    config_entry: PlexButlerConfigEntry

    def __init__(
        self, hass: HomeAssistant, entry: PlexButlerConfigEntry, client: PlexClient
    ) -> None:
        """Initialize; nothing is sent before the first refresh."""
        super().__init__(
            hass,
            LOGGER,
            config_entry=entry,
            name=entry.title,
            update_interval=IDLE_INTERVAL,
            request_refresh_debouncer=Debouncer(
                hass,
                LOGGER,
                cooldown=ACTIVE_INTERVAL.total_seconds(),
                immediate=True,
                background=True,
            ),
        )
        self.statistics = Statistics()
        self.session = ButlerSession(client, self.statistics)
        self.outages = Outages(hass, entry, self.statistics)
        self.run_events = RunEvents(hass, entry.entry_id)
        self.commands = Commands(
            entry, self.session, self.outages, self.run_events, after=self._async_show_command
        )
        self._stream = StreamRunner(client, self)
        self._store = RunStore(hass, entry.entry_id)
        self._stored: tuple[object, ...] = ()
        self._shown: Snapshot | None = None
        self._device: Server | None = None
        self._limit = KeyedRateLimit(hass)
        self._unloaded = False
        entry.async_on_unload(self._async_unload)

    @callback
    def async_start(self) -> None:
        """Begin to listen to the notification stream, until the config entry is unloaded."""
        self.config_entry.async_create_background_task(
            self.hass, self._stream.run(), f"{self.name} notification stream"
        )

    async def _async_unload(self) -> None:
        self._unloaded = True
        self._limit.async_remove()
        self.run_events.async_close()
        if self.data:
            await self._store.close(self._to_store())

    # --- the store

    @override
    async def _async_setup(self) -> None:
        """Go on with the runs from before a restart, before the first poll."""
        stored = await self._store.load()
        self.session.version = stored.version
        self.session.last_runs = stored.last_runs
        self.session.tracker.restore(stored.runs, row_proven=stored.row_proven)

    @callback
    def async_store(self) -> None:
        """Store what is known, soon or when Home Assistant stops."""
        self._store.save_soon(self._to_store())

    def _to_store(self) -> StoredRuns:
        session = self.session
        return StoredRuns(
            session.version,
            session.tracker.row_proven,
            session.tracker.to_store(),
            session.last_runs,
        )

    # --- polling

    @override
    async def _async_update_data(self) -> Snapshot:
        """Poll the server once.

        Raises UpdateFailed, or ConfigEntryAuthFailed if the token is refused at set-up.
        """
        try:
            poll = await self.session.poll(server_updated=self._async_discard_events)
        except PlexError as err:
            return self._async_poll_failed(err)
        self.outages.record_success(lists_read=poll.lists_read)
        self._stream.resume()
        self.update_interval = self.session.pace
        return self._async_collect()

    @callback
    def _async_poll_failed(self, err: PlexError) -> Snapshot:
        """Return what a busy server shows, or raise what the failure means."""
        now = dt_util.utcnow()
        self.update_interval = UNREACHABLE_INTERVAL
        self._stream.pause()
        busy = self.data and self.outages.may_be_busy(err) and self.session.frozen()
        if busy and self.outages.record_busy(now):
            return self._async_collect()
        self.session.poll_failed()
        if self.outages.record_failure(err):
            self.session.tracker.server_gone()
        self._async_discard_events()
        self.outages.act_on(err)
        if isinstance(err, UnauthorizedError) and not self.data:
            raise self.outages.translated(ConfigEntryAuthFailed, err) from err
        failure = self.outages.translated(UpdateFailed, err)
        if isinstance(err, StartingUpError) and err.retry_after:
            failure.retry_after = min(err.retry_after, LONGEST_RETRY_AFTER.total_seconds())
        raise failure from err

    @callback
    def _async_refresh_soon(self) -> None:
        self.config_entry.async_create_background_task(
            self.hass, self.async_request_refresh(), f"{self.name} - refresh", eager_start=True
        )

    # --- the stream

    @callback
    def stream_opened(self) -> None:
        """Poll: what happened before the stream was open has not arrived."""
        self.session.stream_opened()
        self._async_refresh_soon()

    @callback
    def stream_changed(self, changes: tuple[Notification, ...]) -> None:
        """Show what a frame says; if only a poll can say what it means, poll."""
        if not self.last_update_success:
            return  # the next good poll reads everything
        unclear = self.session.stream_changed(changes)
        self._async_show_soon()
        if unclear:
            self._async_refresh_soon()

    @callback
    def stream_closed(self, err: PlexError | None) -> None:
        """Poll to see what has become of the server."""
        self.statistics.stream[err.key if err else "closed"] += 1
        was_open = self.session.stream_closed()
        if isinstance(err, UnauthorizedError):
            self.outages.act_on(err)
            self._async_refresh_soon()
        elif was_open:
            self._async_refresh_soon()

    # --- showing

    @callback
    def _async_collect(self) -> Snapshot:
        """Return what there is to show, after its events were added and what is new is stored."""
        events = self.session.take_events()
        self.run_events.async_add(events)
        if not self.data or not self.last_update_success:
            # Whatever it is, it began or ended while nobody looked.
            self.run_events.async_discard()
        snapshot, tracker = self.session.snapshot(busy=self.outages.busy), self.session.tracker
        stored = (self.session.version, tracker.row_proven, snapshot.running.keys())
        if events or stored != self._stored:
            self._stored = stored
            self.async_store()
        return snapshot

    @callback
    def _async_discard_events(self) -> None:
        """Let those who wait know what has ended, and nobody else."""
        events = self.session.take_events()
        self.run_events.async_add(events)
        self.run_events.async_discard()
        if events and self.data:
            self.async_store()

    @callback
    def _async_show_soon(self) -> None:
        """Show what a frame has changed: at once, but nothing too often."""
        snapshot = self._async_collect()
        if self._shown is None or not (things := snapshot.differences(self._shown)):
            return
        now = self.hass.loop.time()
        due = [
            self._limit.async_schedule_action(
                thing, SHOW_INTERVAL, now, self._async_show_held, thing
            )
            for thing in things
        ]
        if None in due:
            for thing in things:
                self._limit.async_triggered(thing, now)
            self._async_show(snapshot)

    @callback
    def _async_show_held(self, thing: str) -> None:
        """Show what was held back; if a poll has failed since then, there is nothing to show."""
        self._limit.async_triggered(thing, self.hass.loop.time())
        if self.last_update_success:
            self._async_show(self._async_collect())

    @callback
    def _async_show_command(self) -> None:
        """Show what a command has changed, and poll soon for what follows from it."""
        if self._unloaded:
            return
        # If a poll has failed meanwhile, that is still what there is to show.
        if self.last_update_success:
            self._async_show(self._async_collect())
            if self.session.lists_due:
                self._async_refresh_soon()

    @callback
    def _async_show(self, snapshot: Snapshot) -> None:
        """Show a snapshot. The next poll is put off only if the pace has changed."""
        if self.update_interval == self.session.pace:
            self.data = snapshot
            self.async_update_listeners()
            return
        self.update_interval = self.session.pace
        self.async_set_updated_data(snapshot)

    @override
    @callback
    def async_update_listeners(self) -> None:
        """Show what differs from what is shown, then send the events that led to it."""
        if self._unloaded:
            return
        before, self._shown = self._shown, self.data if self.last_update_success else None
        if self._shown != before or self._shown is None:
            if self._shown and self._shown.server != self._device:
                if self._device:
                    self._async_update_device(self._shown.server)
                self._device = self._shown.server
            super().async_update_listeners()
        if self._shown:
            self.run_events.async_send(maintenance=self._shown.maintenance)

    @callback
    def _async_update_device(self, server: Server) -> None:
        """Follow a rename or an update of the server."""
        registry = dr.async_get(self.hass)
        for device in dr.async_entries_for_config_entry(registry, self.config_entry.entry_id):
            registry.async_update_device(
                device.id,
                name=server.friendly_name or self.config_entry.title,
                sw_version=server.version,
            )
