"""The coordinator of one server: its heartbeat, and every command that is carried to it."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.util import dt as dt_util

from .const import DOMAIN
from .heartbeat import Heartbeat
from .plex import (
    ButlerTask,
    CommandNotConfirmedError,
    PlexClient,
    PlexError,
    StartResult,
    StopResult,
    TaskNotFoundError,
)
from .publisher import SIGNAL_NEWS
from .runs.models import EndedRun
from .runs.tasks import task_key

__all__ = ["SIGNAL_NEWS", "PlexButlerConfigEntry", "PlexButlerCoordinator"]

type PlexButlerConfigEntry = ConfigEntry[PlexButlerCoordinator]


class PlexButlerCoordinator(Heartbeat):
    """Knows one server and carries every command to it."""

    config_entry: PlexButlerConfigEntry

    def __init__(
        self, hass: HomeAssistant, entry: PlexButlerConfigEntry, client: PlexClient
    ) -> None:
        """Initialize; nothing is asked before the first refresh."""
        super().__init__(hass, entry, client)
        self._starting: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._waiting: list[tuple[str, asyncio.Queue[EndedRun]]] = []
        entry.async_on_unload(self._end_waiting)

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
        result, _ = await self._start(name)
        return result

    async def _start(self, name: str) -> tuple[StartResult, datetime]:
        """Start a task; return how the server answered, and when the start was sent.

        Of two at once, the second waits for the answer to the first.
        """
        async with self._starting[name]:
            return await self._start_alone(name)

    async def _start_alone(self, name: str) -> tuple[StartResult, datetime]:
        self.find_task(name)
        # What is there just before our start is not of its doing.
        await self._call(self._poll_activities)
        sent = dt_util.utcnow()
        self._runs.sending_start(name, sent)
        try:
            result = await self._command("start_task", name, self._client.start_task)
        except HomeAssistantError as err:
            if isinstance(err.__cause__, CommandNotConfirmedError):
                self._runs.start_unconfirmed(name, dt_util.utcnow())
                self._publish()
            else:
                self._runs.start_refused(name)
            raise
        except asyncio.CancelledError:
            self._runs.start_unconfirmed(name, dt_util.utcnow())
            self._publish()
            raise
        if result is StartResult.STARTED:
            self._runs.started(name, dt_util.utcnow())
        else:
            self._runs.already_running(name, dt_util.utcnow())
        self._publish()
        return result, sent

    async def async_run_task(self, name: str, at_most: timedelta) -> EndedRun | None:
        """Start a task, or join the run that is going on, and wait until it is over.

        Returns None if that takes longer than `at_most`; the task goes on then, as it does when
        the waiting is cancelled. Raises HomeAssistantError, also when the entry is unloaded.
        """
        ended_runs: asyncio.Queue[EndedRun] = asyncio.Queue()
        waiting = (name, ended_runs)
        self._waiting.append(waiting)
        try:
            result, sent = await self._start(name)
            joined = result is StartResult.ALREADY_RUNNING
            while joined and not ended_runs.empty():
                ended_runs.get_nowait()  # what ended before the server said that it runs
            async with asyncio.timeout(at_most.total_seconds()):
                while True:
                    ended = await ended_runs.get()
                    # A start that is accepted ends the run that was believed in before.
                    if joined or ended.started == sent:
                        return ended
        except TimeoutError:
            return None
        except asyncio.QueueShutDown:
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="stopped_waiting",
                translation_placeholders={"server": self.config_entry.title},
            ) from None
        finally:
            if waiting in self._waiting:
                self._waiting.remove(waiting)

    async def async_stop_task(self, name: str) -> StopResult:
        """Stop a task by the server's own name. Raises HomeAssistantError."""
        with self._runs.holding([name]):
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
        with self._runs.holding(self._tasks):
            await self._call(self._client.stop_all)
            self._runs.all_stopped(dt_util.utcnow())
        self.observations.answered("stop_all", "accepted")
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
            if isinstance(err, TaskNotFoundError):
                self._tasks_read = None
                self._refresh_soon()
            elif isinstance(err, CommandNotConfirmedError):
                self._publish()
            raise self._failures.translated(HomeAssistantError, err) from err

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
        if self.memory.closed:
            return  # the entry was unloaded meanwhile
        self._commanded = dt_util.utcnow()
        self._set_pace(self._commanded)
        # Where a poll has failed meanwhile, that is still what there is to show.
        if self.last_update_success:
            self.async_set_updated_data(self._snapshot(busy=self.data.busy))

    # --- waiting for a run to end

    @override
    def _over(self, ended: EndedRun) -> None:
        for name, ended_runs in self._waiting:
            if name == ended.task:
                ended_runs.put_nowait(ended)

    def _end_waiting(self) -> None:
        for _, ended_runs in self._waiting:
            ended_runs.shutdown(immediate=True)
        self._waiting.clear()
