"""The heartbeat: asks the server, feeds `runs`, publishes one immutable snapshot."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, override

from homeassistant.config_entries import SOURCE_REAUTH, ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import (
    ConfigEntryAuthFailed,
    HomeAssistantError,
    ServiceValidationError,
)
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator, UpdateFailed
from homeassistant.util import dt as dt_util

from .const import (
    ACTIVITIES_INTERVAL_ACTIVE,
    ACTIVITIES_INTERVAL_IDLE,
    BUSY_AT_MOST,
    DOMAIN,
    LOGGER,
    LONGEST_RETRY_AFTER,
    TASKS_INTERVAL,
    UNAUTHORIZED_FOR_REAUTH,
    UNREACHABLE_INTERVAL,
)
from .evidence import GRACE
from .issues import async_clear_issues, async_report_not_owner
from .models import EndedRun, Snapshot
from .observations import Observations
from .plex import (
    ButlerTask,
    CannotConnectError,
    CommandNotConfirmedError,
    NotOwnerError,
    PlexClient,
    PlexError,
    PlexTimeoutError,
    Server,
    StartingUpError,
    StartResult,
    StopResult,
    TaskNotFoundError,
    UnauthorizedError,
)
from .runs import Runs
from .tasks import task_key

LOST_POLLS: Final = 2
BLIND_POLLS: Final = 10
OUTAGES: Final = (CannotConnectError, PlexTimeoutError, StartingUpError)

type PlexButlerConfigEntry = ConfigEntry[PlexButlerCoordinator]


class PlexButlerCoordinator(DataUpdateCoordinator[Snapshot]):
    """Polls one server and carries every command to it."""

    config_entry: PlexButlerConfigEntry
    _server: Server  # there once a poll has succeeded

    def __init__(
        self, hass: HomeAssistant, entry: PlexButlerConfigEntry, client: PlexClient
    ) -> None:
        """Initialize; nothing is asked before the first refresh."""
        super().__init__(
            hass,
            LOGGER,
            config_entry=entry,
            name=entry.title,
            update_interval=ACTIVITIES_INTERVAL_IDLE,
            # A snapshot compares by value: an idle server writes no state.
            always_update=False,
        )
        self.observations = Observations()
        self.last_runs: dict[str, EndedRun] = {}
        self._client = client
        self._runs = Runs()
        self._tasks: dict[str, ButlerTask] = {}
        self._tasks_read: datetime | None = None
        self._failures = 0
        self._busy_since: datetime | None = None
        self._unauthorized_since: datetime | None = None
        self._commanded: datetime | None = None

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
        self._poll_succeeded(dt_util.utcnow())
        return self._snapshot()

    async def _poll(self) -> None:
        now = dt_util.utcnow()
        if self._tasks_read is None or now - self._tasks_read >= TASKS_INTERVAL:
            self._take_server(await self._client.server())
            self._tasks = {task.name: task for task in await self._client.tasks()}
            self._tasks_read = now
            self._runs.tasks_listed(self._tasks)
            async_clear_issues(self.hass, self.config_entry)
        await self._poll_activities()

    async def _poll_activities(self) -> None:
        """Read what the server works on, once more if a command crossed the answer."""
        while True:
            commanded = self._commanded
            activities = await self._client.activities()
            if commanded == self._commanded:
                break
        self.observations.polled(activities)
        self._runs.polled(activities or (), dt_util.utcnow())

    def _take_server(self, server: Server) -> None:
        """Follow a rename or an update of the server in the device registry."""
        self._server = server
        before = self.data.server if self.data else server
        if before == server:
            return
        if before.version != server.version:
            self._runs.server_updated()
        registry = dr.async_get(self.hass)
        for device in dr.async_entries_for_config_entry(registry, self.config_entry.entry_id):
            registry.async_update_device(
                device.id,
                name=server.friendly_name or self.config_entry.title,
                sw_version=server.version,
            )

    def _poll_succeeded(self, now: datetime) -> None:
        if self._failures or self._unauthorized_since or not self.data:
            self._close_reauth()
        self._failures = 0
        self._busy_since = self._unauthorized_since = None
        self._set_pace(now)

    def _set_pace(self, now: datetime) -> None:
        """Poll fast while anything runs or a command was just sent."""
        recent = self._commanded is not None and now - self._commanded < GRACE
        self.update_interval = (
            ACTIVITIES_INTERVAL_ACTIVE
            if recent or self._runs.unsettled
            else ACTIVITIES_INTERVAL_IDLE
        )

    def _snapshot(self, *, busy: bool = False) -> Snapshot:
        for ended in self._runs.take_ended():
            self.last_runs[ended.task] = ended
        return Snapshot(
            self._server, dict(self._tasks), self._runs.running, self._runs.maintenance, busy
        )

    def _poll_failed(self, err: PlexError, now: datetime) -> Snapshot:
        """Say what a failed poll means: a busy server, a refused token, or an outage."""
        self.update_interval = UNREACHABLE_INTERVAL
        if self._is_busy(err, now):
            self._failures = 0
            self.observations.failures["busy"] += 1
            return self._snapshot(busy=True)
        self._failures += 1
        self._tasks_read = None
        # Blindness for a while is no better than an outage, only slower to tell.
        if self._failures >= (LOST_POLLS if isinstance(err, OUTAGES) else BLIND_POLLS):
            self._runs.lost()
        if not isinstance(err, UnauthorizedError):
            self._unauthorized_since = None
        elif not self.data:
            raise self._translated(ConfigEntryAuthFailed, err) from err
        failure = self._translated(UpdateFailed, err)
        if isinstance(err, StartingUpError) and err.retry_after:
            failure.retry_after = min(err.retry_after, LONGEST_RETRY_AFTER.total_seconds())
        raise failure from err

    def _is_busy(self, err: PlexError, now: datetime) -> bool:
        """Tell a server that its own maintenance holds from one that is gone."""
        if not self.data or not isinstance(err, PlexTimeoutError):
            return False
        # While it is held, its queue of connections may fill up too.
        if not (err.connected or self._busy_since) or not self._runs.frozen(now):
            return False
        self._busy_since = self._busy_since or now
        return now - self._busy_since < BUSY_AT_MOST

    # --- commands

    def find_task(self, wanted: str) -> ButlerTask:
        """Return the task that the server lists under this name, or that has this key.

        Raises ServiceValidationError; nothing is sent to find out.
        """
        if task := self._tasks.get(wanted):
            return task
        for name, task in self._tasks.items():
            if wanted == task_key(name):
                return task
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="task_not_listed",
            translation_placeholders={"task": wanted, "server": self.config_entry.title},
        )

    async def async_start_task(self, name: str) -> StartResult:
        """Start a task by the server's own name. Raises HomeAssistantError."""
        self.find_task(name)
        # What is there just before our start is not of its doing.
        await self._call(self._poll_activities)
        try:
            result = await self._command("start_task", name, self._client.start_task)
        except HomeAssistantError as err:
            if isinstance(err.__cause__, CommandNotConfirmedError):
                self._runs.start_unconfirmed(name, dt_util.utcnow())
                self._publish()
            raise
        if result is StartResult.STARTED:
            self._runs.started(name, dt_util.utcnow())
        else:
            self._runs.already_running(name, dt_util.utcnow())
        self._publish()
        return result

    async def async_stop_task(self, name: str) -> StopResult:
        """Stop a task by the server's own name. Raises HomeAssistantError."""
        result = await self._command("stop_task", name, self._client.stop_task)
        if result is StopResult.STOPPED:
            self._runs.stopped(name, dt_util.utcnow())
        else:
            self._runs.was_not_running(name)
        self._publish()
        return result

    async def async_start_all(self) -> None:
        """Ask for all tasks that are enabled and due. Raises HomeAssistantError.

        Nothing is known to run by that alone: the polls that follow tell.
        """
        await self._call(self._client.start_all)
        self.observations.answered("start_all", "accepted")
        self._runs.all_started()
        self._publish()

    async def async_stop_all(self) -> None:
        """Stop all tasks and drop the server's queue. Raises HomeAssistantError."""
        await self._call(self._client.stop_all)
        self.observations.answered("stop_all", "accepted")
        self._runs.all_stopped(dt_util.utcnow())
        self._publish()

    async def _command[R: StartResult | StopResult](
        self, command: str, name: str, call: Callable[[str], Awaitable[R]]
    ) -> R:
        """Send a command for one task, if the server lists it."""
        task = self.find_task(name)
        result = await self._call(call, task.name)
        self.observations.answered(command, result, enabled=task.enabled)
        return result

    async def _call[**P, R](
        self, call: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Send one command; refuse at once where the last poll says that it cannot arrive."""
        self.require_reachable()
        if self.data.busy:
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="server_busy",
                translation_placeholders={"server": self.config_entry.title},
            )
        try:
            return await call(*args, **kwargs)
        except PlexError as err:
            raise self._translated(HomeAssistantError, err) from err

    def require_reachable(self) -> None:
        """Raise what the last poll raised, if it failed: nothing is sent to find out again."""
        failure = self.last_exception
        if not self.last_update_success and isinstance(failure, HomeAssistantError):
            raise HomeAssistantError(
                translation_domain=failure.translation_domain,
                translation_key=failure.translation_key,
                translation_placeholders=failure.translation_placeholders,
            )

    def _publish(self) -> None:
        """Show what a command changed, and look soon for what it brings about."""
        self._commanded = dt_util.utcnow()
        self._set_pace(self._commanded)
        # Where a poll has failed meanwhile, that is still what there is to show.
        if self.last_update_success:
            self.async_set_updated_data(self._snapshot(busy=self.data.busy))

    # --- errors

    def _translated[E: HomeAssistantError](self, kind: type[E], err: PlexError) -> E:
        """Turn what a server did wrong into one translated exception, and draw the consequences.

        The only place that does. A key of the errors is a key of the translations.
        """
        self.observations.failures[err.key] += 1
        if isinstance(err, UnauthorizedError):
            self._note_unauthorized(dt_util.utcnow())
        elif isinstance(err, NotOwnerError):
            async_report_not_owner(self.hass, self.config_entry)
        elif isinstance(err, TaskNotFoundError):
            self._tasks_read = None
        return kind(
            translation_domain=DOMAIN,
            translation_key=err.key,
            translation_placeholders={"server": self.config_entry.title},
        )

    def _note_unauthorized(self, now: datetime) -> None:
        """Ask for a new token once the old one was refused for a while.

        One 401 proves little: a server that starts, or one that does not know the name it is
        called by, answers it too. ConfigEntryAuthFailed would end polling for good.
        """
        if self._unauthorized_since is None:
            self._unauthorized_since = now
        elif now - self._unauthorized_since >= UNAUTHORIZED_FOR_REAUTH:
            self.config_entry.async_start_reauth(self.hass)

    def _close_reauth(self) -> None:
        """Close the question for a new token: the old one is good again."""
        for flow in self.config_entry.async_get_active_flows(self.hass, {SOURCE_REAUTH}):
            self.hass.config_entries.flow.async_abort(flow["flow_id"])
