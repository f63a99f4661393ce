"""The heartbeat: asks the server and hears what it tells; both feed `runs`."""

import asyncio
from datetime import datetime, timedelta
from typing import Final, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.update_coordinator import UpdateFailed
from homeassistant.util import dt as dt_util

from .butler.snapshot import Snapshot
from .butler.statistics import Observations
from .butler.stream import Push
from .const import (
    ACTIVITIES_INTERVAL_ACTIVE,
    ACTIVITIES_INTERVAL_IDLE,
    LONGEST_RETRY_AFTER,
    TASKS_INTERVAL,
    UNREACHABLE_INTERVAL,
)
from .outages import Failures
from .plex import (
    BUTLER_ROW,
    Activity,
    ActivityChanged,
    Notification,
    PlexClient,
    PlexError,
    Server,
    StartingUpError,
    UnauthorizedError,
)
from .publisher import Publisher
from .repairs import async_clear_issues
from .runs.tracked_run import GRACE

# A poll that comes a moment too early must not leave the list of tasks to the next one.
_ABOUT: Final = timedelta(seconds=5)


class Heartbeat(Publisher):
    """Knows one server: by polls, which are enough, and by its notification stream."""

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, client: PlexClient) -> None:
        """Initialize; nothing is asked before the first refresh."""
        super().__init__(hass, entry)
        self.observations = Observations()
        self.push = Push(client, self)
        self._client = client
        self._failures = Failures(hass, entry, self.observations)
        self._tasks_read: datetime | None = None
        self._commanded: datetime | None = None
        self._reading = asyncio.Lock()
        # The stream: whether it is open, and a poll has read what there was before; whether it
        # keeps silent while activities change; what it told of each since the last poll.
        self._stream_open = False
        self._stream_complete = False
        self._stream_silent = False
        self._told: dict[str, tuple[int, ActivityChanged]] = {}
        self._told_count = 0

    # --- polling

    @override
    async def _async_update_data(self) -> Snapshot:
        """Poll the server once.

        Raises UpdateFailed, or ConfigEntryAuthFailed where the first poll of all is refused.
        """
        try:
            await self._poll()
        except PlexError as err:
            return self._poll_failed(err, dt_util.utcnow())
        self._failures.clear(first=not self.data)
        self.push.want(True)
        self._set_pace(dt_util.utcnow())
        return self._snapshot()

    async def _poll(self) -> None:
        now = dt_util.utcnow()
        if self._tasks_read is None or now - self._tasks_read >= TASKS_INTERVAL - _ABOUT:
            # Before it is read: what changes meanwhile is to be read once more.
            self._tasks_read = now
            self._take_server(await self._client.server())
            self._tasks = {task.name: task for task in await self._client.tasks()}
            self._runs.tasks_listed(self._tasks)
            async_clear_issues(self.hass, self.config_entry)
        await self._poll_activities()

    async def _poll_activities(self) -> None:
        """Read what the server works on; one after the other, or an older answer would win."""
        async with self._reading:
            await self._read_activities()

    async def _read_activities(self) -> None:
        """Read it, once more if a command crossed the answer.

        Frames that crossed it are younger than the answer, or say the same.
        """
        while True:
            commanded, told = self._commanded, self._told_count
            stream_open = self._stream_open
            activities = await self._client.activities()
            if commanded == self._commanded:
                break
        self.observations.polled(activities)
        self._compare(activities or ())
        self._stream_complete = stream_open
        listed = {activity.uuid: activity for activity in activities or ()}
        for number, change in self._told.values():
            if number > told and change.ended:
                listed.pop(change.activity.uuid, None)
            elif number > told:
                listed[change.activity.uuid] = change.activity
        self._told.clear()
        self._runs.polled(listed.values(), dt_util.utcnow())

    def _compare(self, activities: tuple[Activity, ...]) -> None:
        """Notice a stream that keeps silent while activities change: a proxy may swallow it."""
        listed = {activity.uuid for activity in activities if activity.type != BUTLER_ROW}
        if self._stream_complete and not self._told and listed != self._runs.listed:
            self._stream_silent = True
            self.observations.stream["silent"] += 1

    def _take_server(self, server: Server) -> None:
        """Follow a rename or an update of the server in the device registry."""
        self._server = server
        if self._version != server.version:
            self._version = server.version
            self._runs.server_updated()
            self._keep_quiet()
        if not self.data or self.data.server == server:
            return
        registry = dr.async_get(self.hass)
        for device in dr.async_entries_for_config_entry(registry, self.config_entry.entry_id):
            registry.async_update_device(
                device.id,
                name=server.friendly_name or self.config_entry.title,
                sw_version=server.version,
            )

    @override
    def _set_pace(self, now: datetime) -> None:
        """Poll fast while anything runs or a command was just sent, rarely beside a stream."""
        recent = self._commanded is not None and now - self._commanded < GRACE
        if recent or self._runs.unsettled or self._tasks_read is None:
            self.update_interval = ACTIVITIES_INTERVAL_ACTIVE
        elif self._stream_complete and not self._stream_silent:
            self.update_interval = TASKS_INTERVAL
        else:
            self.update_interval = ACTIVITIES_INTERVAL_IDLE

    def _poll_failed(self, err: PlexError, now: datetime) -> Snapshot:
        """Say what a failed poll means: a busy server, a refused token, or an outage."""
        self.update_interval = UNREACHABLE_INTERVAL
        self.push.want(False)
        self._stream_complete = False
        busy = self.data and self._failures.may_be_busy(err) and self._runs.frozen(now)
        if busy and self._failures.busy(now):
            return self._snapshot(busy=True)
        self._tasks_read = self._maintenance = None
        self._runs.out_of_sight()
        if self._failures.count(err):
            self._lose()
        if isinstance(err, UnauthorizedError) and not self.data:
            raise self._failures.translated(ConfigEntryAuthFailed, err) from err
        failure = self._failures.translated(UpdateFailed, err)
        if isinstance(err, StartingUpError) and err.retry_after:
            failure.retry_after = min(err.retry_after, LONGEST_RETRY_AFTER.total_seconds())
        raise failure from err

    def _lose(self) -> None:
        """End every run without an end."""
        self._runs.lost()
        self._keep_quiet()

    def _keep_quiet(self) -> None:
        """Tell what an outage or an update ended to nobody but those who wait."""
        self._take_news()
        self._news.clear()
        self._maintenance = None

    # --- the stream

    @callback
    def stream_opened(self) -> None:
        """Read what there is: what happened before is not told."""
        self._stream_open = True
        self.observations.stream["opened"] += 1
        self._refresh_soon()

    @callback
    def stream_told(self, changes: tuple[Notification, ...]) -> None:
        """Show what a frame tells, now; where only a poll can say what it means, poll."""
        if not self.last_update_success:
            return  # once polls succeed again, everything is read anew
        now, unclear = dt_util.utcnow(), False
        for change in changes:
            self.observations.told(change)
            if isinstance(change, ActivityChanged):
                self._told_count += 1
                self._told[change.activity.uuid] = self._told_count, change
                self._stream_silent = False
                unclear |= self._runs.changed(change, now)
            else:
                self._tasks_read = None
                unclear = True
        self._show_soon()
        if unclear:
            self._refresh_soon()

    @callback
    def stream_closed(self, err: PlexError | None) -> None:
        """Look what has become of the server; a refused token is one like any other."""
        self.observations.stream[err.key if err else "closed"] += 1
        if isinstance(err, UnauthorizedError):
            self._failures.note(err)
        was_open, self._stream_open = self._stream_open, False
        self._stream_complete = False
        if was_open or isinstance(err, UnauthorizedError):
            self._refresh_soon()

    def _refresh_soon(self) -> None:
        self.config_entry.async_create_background_task(
            self.hass, self.async_request_refresh(), f"{self.name} - refresh", eager_start=True
        )
