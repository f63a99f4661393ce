"""The heartbeat: asks the server, hears what it tells, feeds `runs`, publishes one snapshot."""

from collections.abc import Callable
from datetime import datetime, timedelta
import time
from typing import Final, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import ConfigEntryAuthFailed
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.debounce import Debouncer
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.helpers.ratelimit import KeyedRateLimit
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util import dt as dt_util
from homeassistant.util.signal_type import SignalType

from .const import (
    ACTIVITIES_INTERVAL_ACTIVE,
    ACTIVITIES_INTERVAL_IDLE,
    DOMAIN,
    LOGGER,
    LONGEST_RETRY_AFTER,
    SHOW_INTERVAL,
    TASKS_INTERVAL,
    UNREACHABLE_INTERVAL,
)
from .evidence import GRACE
from .failures import Failures
from .issues import async_clear_issues
from .memory import Memories, Memory
from .models import EndedRun, Maintenance, News, RunNews, Snapshot
from .observations import Observations
from .plex import (
    BUTLER_ROW,
    Activity,
    ActivityChanged,
    ButlerTask,
    Notification,
    PlexClient,
    PlexError,
    Server,
    StartingUpError,
    UnauthorizedError,
)
from .push import Push
from .runs import Runs

SIGNAL_NEWS: SignalType[str, News] = SignalType(f"{DOMAIN}_news")
"""For triggers: sent with a config entry's id and what happened, once the entities show it."""

_BUTLER: Final = ""  # no task has such a name
# A poll that comes a moment too early must not leave the list of tasks to the next one.
_ABOUT: Final = timedelta(seconds=5)


class Heartbeat(DataUpdateCoordinator[Snapshot]):
    """Knows one server: by polls, which are enough, and by its notification stream.

    Both feed `runs`; what it concludes becomes a snapshot for the entities, and news for the
    triggers and the event entity.
    """

    config_entry: ConfigEntry
    _server: Server  # there once a poll has succeeded

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry, client: PlexClient) -> None:
        """Initialize; nothing is asked before the first refresh."""
        super().__init__(
            hass,
            LOGGER,
            config_entry=entry,
            name=entry.title,
            update_interval=ACTIVITIES_INTERVAL_IDLE,
            request_refresh_debouncer=Debouncer(
                hass,
                LOGGER,
                cooldown=ACTIVITIES_INTERVAL_ACTIVE.total_seconds(),
                immediate=True,
                background=True,
            ),
            # A snapshot compares by value: an idle server writes no state.
            always_update=False,
        )
        self.observations = Observations()
        self.memory = Memory(hass, entry.entry_id, self._remember)
        self.push = Push(client, self)
        self._client = client
        self._failures = Failures(hass, entry, self.observations)
        self._runs = Runs()
        self._tasks: dict[str, ButlerTask] = {}
        self._tasks_read: datetime | None = None
        self._last_runs: dict[str, EndedRun] = {}
        self._version: str | None = None
        self._commanded: datetime | None = None
        self._news: list[RunNews] = []
        self._news_listeners: list[Callable[[News], None]] = []
        self._maintenance: bool | None = None
        self._limit = KeyedRateLimit(hass)
        entry.async_on_unload(self._limit.async_remove)
        # The stream: whether it is open, and a poll has read what there was before; whether it
        # keeps silent while activities change; what it told of each since the last poll.
        self._stream_open = False
        self._stream_complete = False
        self._stream_silent = False
        self._told: dict[str, tuple[int, ActivityChanged]] = {}
        self._told_count = 0

    # --- memory

    @override
    async def _async_setup(self) -> None:
        """Recall what ran, and the last runs, before the first poll."""
        memories = await self.memory.load()
        self._version = memories.version
        self._last_runs = dict(memories.last_runs)
        self._runs.recall(memories.runs, row_proven=memories.row_proven)

    def _remember(self) -> Memories:
        return Memories(
            self._version, self._runs.row_proven, self._runs.remembered, self._last_runs
        )

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
            self._take_server(await self._client.server())
            self._tasks = {task.name: task for task in await self._client.tasks()}
            self._tasks_read = now
            self._runs.tasks_listed(self._tasks)
            async_clear_issues(self.hass, self.config_entry)
        await self._poll_activities()

    async def _poll_activities(self) -> None:
        """Read what the server works on, once more if a command crossed the answer.

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
        if not self.data or self.data.server == server:
            return
        registry = dr.async_get(self.hass)
        for device in dr.async_entries_for_config_entry(registry, self.config_entry.entry_id):
            registry.async_update_device(
                device.id,
                name=server.friendly_name or self.config_entry.title,
                sw_version=server.version,
            )

    def _set_pace(self, now: datetime) -> None:
        """Poll fast while anything runs or a command was just sent, rarely beside a stream."""
        recent = self._commanded is not None and now - self._commanded < GRACE
        if recent or self._runs.unsettled:
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
        self._tasks_read = None
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
        """End every run without an end. An outage is no news to anybody but those who wait."""
        self._runs.lost()
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
        if self._stream_open or isinstance(err, UnauthorizedError):
            self._refresh_soon()
        self._stream_open = self._stream_complete = False

    def _refresh_soon(self) -> None:
        self.config_entry.async_create_background_task(
            self.hass, self.async_request_refresh(), f"{self.name} - refresh", eager_start=True
        )

    # --- publishing

    def _show_soon(self) -> None:
        """Show what the runs say if it is anything new: at once, but no thing too often."""
        now, wait = time.time(), SHOW_INTERVAL.total_seconds()
        due = [
            self._limit.async_schedule_action(thing, wait, now, self._show)
            for thing in self._changed()
        ]
        if None in due:
            self._show()

    def _changed(self) -> set[str]:
        """Return what has to be shown: the tasks, and Butler as a whole."""
        self._take_news()
        shown, running = self.data.running, self._runs.running
        changed = {
            task for task in shown.keys() | running.keys() if shown.get(task) != running.get(task)
        }
        changed |= {told.task for told in self._news}
        return changed | ({_BUTLER} if self.data.maintenance != self._runs.maintenance else set())

    @callback
    def _show(self) -> None:
        for thing in self._changed():
            self._limit.async_triggered(thing)
        # Where a poll has failed meanwhile, that is still what there is to show.
        if not self.last_update_success:
            return
        snapshot, pace = self._snapshot(busy=self.data.busy), self.update_interval
        self._set_pace(dt_util.utcnow())
        if self.update_interval != pace:
            self.async_set_updated_data(snapshot)
        elif snapshot != self.data:
            # Without putting off the next poll, as the other way would.
            self.data = snapshot
            self.async_update_listeners()

    def _snapshot(self, *, busy: bool = False) -> Snapshot:
        self._take_news()
        if not self.data:
            self._news.clear()  # whatever it is, it began or ended while nobody looked
        return Snapshot(
            self._server,
            dict(self._tasks),
            self._runs.running,
            dict(self._last_runs),
            self._runs.maintenance,
            busy,
        )

    def _take_news(self) -> None:
        """Keep what is over, and tell those who wait for it."""
        if news := self._runs.take_news():
            for told in news:
                if isinstance(told, EndedRun):
                    self._last_runs[told.task] = told
                    self._over(told)
            self._news += news
            self.memory.save_soon()

    def _over(self, ended: EndedRun) -> None:
        """Take in that a run is over, whether it is news to others or not."""

    @override
    @callback
    def async_update_listeners(self) -> None:
        """Let the entities show the snapshot, and then tell the news that led to it."""
        super().async_update_listeners()
        if not self.last_update_success:
            return
        news: list[News] = [*self._news]
        self._news.clear()
        before, self._maintenance = self._maintenance, self.data.maintenance
        if before is False and self._maintenance:
            news.insert(0, Maintenance.STARTED)
        elif before and not self._maintenance:
            news.append(Maintenance.OVER)
        for told in news:
            for listener in tuple(self._news_listeners):
                listener(told)
        for told in news:
            async_dispatcher_send(self.hass, SIGNAL_NEWS, self.config_entry.entry_id, told)

    @callback
    def async_add_news_listener(self, listener: Callable[[News], None]) -> CALLBACK_TYPE:
        """Let an entity show the news before the triggers fire for them."""
        self._news_listeners.append(listener)

        @callback
        def remove() -> None:
            self._news_listeners.remove(listener)

        return remove
