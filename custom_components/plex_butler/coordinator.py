"""The coordinator of one server: it polls on schedule and shows what is known."""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property, partial
from typing import Final, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.debounce import Debouncer
from homeassistant.helpers.device_registry import DeviceInfo
from homeassistant.helpers.ratelimit import KeyedRateLimit
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed

from .butler.backups import BackupSource
from .butler.schedule import ACTIVE_INTERVAL, IDLE_INTERVAL
from .butler.session import ButlerSession
from .butler.snapshot import Snapshot
from .butler.statistics import Statistics
from .butler.stream import StreamRunner
from .commands import Commands
from .const import CONF_LOG, CONF_WEBHOOK, LOGGER
from .device import async_device_info, async_update_device
from .entry_file import EntryFile
from .history_store import HISTORY
from .operations import EntryUnloadedError, Operations
from .origins import Origins
from .outages import FAILURE_INTERVAL, LONGEST_RETRY_AFTER, Outages
from .plex import (
    Notification,
    PlexClient,
    PlexError,
    PreferencesChanged,
    Server,
    UnauthorizedError,
)
from .plex_log import PlexLog
from .reports import Reports
from .run_events import RunEvents
from .run_store import RUNS, StoredRuns
from .runs.models import EndedRun, Origin, RunEvent

SHOW_INTERVAL: Final = 0.25
"""How long a further change of the same task waits to be shown, in seconds."""
PREFERENCES_INTERVAL: Final = 0.75
"""How long a further change of preferences waits to be read, in seconds."""
MOST_PREFERENCE_POLLS: Final = 20
"""How many polls a minute changes of preferences may cause; further ones wait as others do."""

type PlexButlerConfigEntry = ConfigEntry[PlexButlerCoordinator]


class PlexButlerCoordinator(DataUpdateCoordinator[Snapshot]):
    """Connects the session with one server to the entities of Home Assistant.

    Every poll, frame and command changes the session. `async_update_listeners` alone passes that
    on: it shows what differs from what is shown, then sends the events that led to it.
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
        self._preferences_debouncer = Debouncer(
            hass,
            LOGGER,
            cooldown=PREFERENCES_INTERVAL,
            immediate=True,
            function=self._async_poll_preferences,
            background=True,
        )
        self._preference_polls = deque[float](maxlen=MOST_PREFERENCE_POLLS)
        self.statistics = Statistics()
        self.session = ButlerSession(client, self.statistics)
        self.outages = Outages(hass, entry, self.statistics)
        self.run_events = RunEvents(hass, entry.entry_id)
        self.origins = Origins(hass)
        self._operations = Operations()
        self.reports = Reports(
            hass, entry, self.session, self.statistics, after=self._async_show_command
        )
        self._log = PlexLog(
            hass,
            entry,
            client,
            self.session,
            self.statistics,
            changed=self._async_show_log,
            good_backup=partial(self.reports.async_record_good_backup, BackupSource.LOG),
            corrupted=self.reports.async_record_corruption,
        )
        self.commands = Commands(
            entry,
            self.session,
            self.outages,
            self.run_events,
            self._operations,
            self.origins,
            before=self._log.expect_command,
            after=self._async_show_command,
        )
        self._stream = StreamRunner(client.notifications, self)
        self._run_file = EntryFile(hass, entry.entry_id, RUNS)
        self._history_file = EntryFile(hass, entry.entry_id, HISTORY)
        self._stored: tuple[object, ...] = ()
        self._shown: Snapshot | None = None
        self._asked_by: Origin | None = None
        self._device: Server | None = None
        self._limit = KeyedRateLimit(hass)
        self._following: tuple[asyncio.Task[None], ...] = ()
        # Also if setting it up fails behind the first poll.
        entry.async_on_unload(self.async_close)

    @cached_property
    def device_info(self) -> DeviceInfo:
        """Return the device of the entities, as it was at the first good poll."""
        return async_device_info(self.hass, self.config_entry, self.data.server)

    @callback
    def async_start(self) -> None:
        """Start to follow the streams, until `async_close`."""
        self._following = tuple(
            self.config_entry.async_create_background_task(
                self.hass, follow(), f"{self.name} {what}"
            )
            for follow, what in (
                (self._stream.run, "notification stream"),
                (self._log.run, "log stream"),
            )
        )

    async def async_close(self) -> None:
        """End all that is under way, and store the runs: the config entry is being unloaded.

        Whoever waits for a poll or a command goes on at once. From here on nothing is requested,
        shown, reported or stored.
        """
        await self.async_shutdown()
        self._preferences_debouncer.async_shutdown()
        self._limit.async_remove()
        self.run_events.async_close()
        await self._operations.close()
        for following in self._following:
            following.cancel()
        if self._following:
            await asyncio.wait(self._following)
        if self.data:
            await self._run_file.close(self._to_store())
            await self._history_file.close(self.session.history)

    # --- the store

    @override
    async def _async_setup(self) -> None:
        """Restore the runs from before a restart, before the first poll."""
        stored = await self._run_file.load()
        self.session.version = stored.version
        history = await self._history_file.load()
        await self.hass.async_add_executor_job(
            self.session.restore_history, history, stored.last_runs
        )
        self.session.restore_runs(stored.runs, row_proven=stored.row_proven, denied=stored.denied)
        if any(self.config_entry.options.get(option) for option in (CONF_LOG, CONF_WEBHOOK)):
            self.session.listen_for_backups(stored.backups)

    @callback
    def async_store(self) -> None:
        """Store the runs soon, at the latest when Home Assistant stops."""
        self._run_file.save_soon(self._to_store())

    @callback
    def _async_store_events(self, events: Iterable[RunEvent]) -> None:
        self.async_store()
        if any(isinstance(event, EndedRun) for event in events):
            self._history_file.save_soon(self.session.history)

    def _to_store(self) -> StoredRuns:
        session = self.session
        return StoredRuns(
            session.version,
            session.tracker.row_proven,
            session.runs_to_store(),
            session.last_runs,
            session.tracker.denied_to_store(),
            session.backups.to_store() if session.backups else None,
        )

    # --- polling

    @override
    async def _async_update_data(self) -> Snapshot:
        """Poll the server once. Raises UpdateFailed."""
        try:
            async with self._operations.under_way():
                task_list_read = await self.session.poll(server_updated=self._async_discard_events)
        except PlexError as err:
            return self._async_poll_failed(err)
        except EntryUnloadedError:
            # Nothing changes, so that nothing is logged.
            if self.last_update_success:
                return self.data
            raise UpdateFailed from None
        self.outages.record_success(task_list_read=task_list_read)
        self._stream.resume()
        self._log.async_resume()
        self.update_interval = self.session.pace
        return self._async_collect()

    @callback
    def _async_poll_failed(self, err: PlexError) -> Snapshot:
        """Return the snapshot of a busy server, or raise the exception for the failure."""
        self.update_interval = FAILURE_INTERVAL
        self._stream.pause()
        self._log.async_pause()
        busy = self.data and self.outages.may_be_busy(err) and self.session.record_server_busy()
        if busy and self.outages.record_busy(err, self.session.now()):
            return self._async_collect()
        self.session.record_poll_failure()
        if self.outages.record_failure(err):
            self.session.tracker.record_server_gone()
        self._async_discard_events()
        self.outages.act_on(err)
        failure = self.outages.to_exception(UpdateFailed, err)
        if err.retry_after:
            failure.retry_after = min(err.retry_after, LONGEST_RETRY_AFTER.total_seconds())
        raise failure from err

    async def async_count_sessions(self) -> CALLBACK_TYPE:
        """Count the sessions in which something is played, until the returned function is called."""
        self.session.viewers.want(wanted=True)
        await self.session.count_sessions()
        count = self.session.viewers.count
        self.data = replace(self.data, sessions=count)
        # The entity that wants them counted shows them in its first state.
        self._shown = self._shown and replace(self._shown, sessions=count)
        return partial(self.session.viewers.want, wanted=False)

    async def _async_poll_preferences(self) -> None:
        self._preference_polls.append(self.hass.loop.time())
        await self.async_refresh()

    @callback
    def _async_refresh_soon(self, *, preferences: bool = False) -> None:
        """Poll at once, or after an interval that is shorter if preferences have changed."""
        polls = self._preference_polls
        if len(polls) == MOST_PREFERENCE_POLLS:
            preferences &= self.hass.loop.time() - polls[0] > 60
        refresh = (
            self._preferences_debouncer.async_call if preferences else self.async_request_refresh
        )
        self.config_entry.async_create_background_task(
            self.hass, refresh(), f"{self.name} - refresh", eager_start=True
        )

    # --- the stream

    @callback
    def stream_opened(self) -> None:
        """Poll, because the stream does not bring the changes before it was open."""
        self.session.stream_opened()
        self._async_refresh_soon()

    @callback
    def stream_changed(self, changes: tuple[Notification, ...]) -> None:
        """Show what a frame has changed, and poll if only that can show what it means."""
        if not self.last_update_success:
            return  # The next good poll reads everything.
        if self.outages.server_busy:
            self._async_refresh_soon()  # It may answer again.
        if not changes:
            return
        if self.session.stream_changed(changes):
            self._async_refresh_soon(
                preferences=any(isinstance(change, PreferencesChanged) for change in changes)
            )
        self._async_show_soon()

    @callback
    def stream_closed(self, err: PlexError | None) -> None:
        """Poll if the stream was open: the server may be gone."""
        self.statistics.stream[err.key if err else "closed"] += 1
        was_open = self.session.stream_closed()
        if isinstance(err, UnauthorizedError):
            self.outages.act_on(err)
            self._async_refresh_soon()
        elif was_open:
            self._async_refresh_soon()

    # --- the log

    @callback
    def _async_show_log(self) -> None:
        """Show what lines of the log have changed, unless the last poll failed."""
        if self.last_update_success:
            self._async_show_soon()

    # --- showing

    @callback
    def _async_collect(self) -> Snapshot:
        """Return the snapshot to show; its events are added, and what is new is stored."""
        events = self.session.take_events()
        self.run_events.async_add(events)
        if not self.data or not self.last_update_success:
            # These began or ended during an outage.
            self.run_events.async_discard()
        snapshot, tracker = (
            self.session.snapshot(server_busy=self.outages.server_busy),
            self.session.tracker,
        )
        stored = (
            self.session.version,
            tracker.row_proven,
            snapshot.running.keys(),
            snapshot.backups,
        )
        if events or stored != self._stored:
            self._stored = stored
            self._async_store_events(events)
        return snapshot

    @callback
    def _async_discard_events(self) -> None:
        """Pass what has ended to the actions that wait for it, but send no event."""
        events = self.session.take_events()
        self.run_events.async_add(events)
        self.run_events.async_discard()
        if events and self.data:
            self._async_store_events(events)

    @callback
    def _async_show_soon(self) -> None:
        """Show what a frame has changed: at once, or after SHOW_INTERVAL if that is too often."""
        snapshot = self._async_collect()
        if self._shown is None or not (changed := snapshot.differences(self._shown)):
            return
        now = self.hass.loop.time()
        due = [
            self._limit.async_schedule_action(
                key, SHOW_INTERVAL, now, self._async_show_delayed, key
            )
            for key in changed
        ]
        if None in due:
            for key in changed:
                self._limit.async_triggered(key, now)
            self._async_show(snapshot)

    @callback
    def _async_show_delayed(self, key: str) -> None:
        """Show a change that was delayed, unless a poll has failed since then."""
        self._limit.async_triggered(key, self.hass.loop.time())
        if self.last_update_success:
            self._async_show(self._async_collect())

    @callback
    def _async_show_command(self, origin: Origin | None = None) -> None:
        """Show what a command, or a report, has changed, and poll soon for what follows from it."""
        if self._operations.closed:
            return
        # After a failed poll the entities stay unavailable until the next good one.
        if self.last_update_success:
            self._asked_by = origin
            self._async_show(self._async_collect())
            if self.session.task_list_due:
                self._async_refresh_soon()

    @callback
    def _async_show(self, snapshot: Snapshot) -> None:
        """Show a snapshot. The next poll is rescheduled only if the interval has changed."""
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
        if self._operations.closed:
            return
        self._log.async_update()
        before, self._shown = self._shown, self.data if self.last_update_success else None
        asked_by, self._asked_by = self._asked_by, None
        if self._shown != before or self._shown is None:
            if self._shown and self._shown.server != self._device:
                if self._device:
                    async_update_device(self.hass, self.config_entry, self._shown.server)
                self._device = self._shown.server
            self.origins.async_record_change(self._shown, before, asked_by)
            super().async_update_listeners()
        if self._shown:
            self.run_events.async_send(maintenance=self._shown.maintenance)
