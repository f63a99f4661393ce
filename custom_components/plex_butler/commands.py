"""The commands of users: tasks are found, started, stopped and waited for."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from functools import partial

from homeassistant.config_entries import ConfigEntry
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from .butler.session import ButlerSession
from .const import DOMAIN
from .operations import EntryUnloadedError, Operations
from .outages import Outages
from .plex import (
    ButlerTask,
    NoButlerError,
    PlexError,
    PreferenceValue,
    StartResult,
    StopResult,
    TaskNotFoundError,
)
from .repairs import REPAIRS
from .run_events import EndedRuns, RunEvents
from .runs.models import EndedRun
from .runs.tasks import task_key


class Commands:
    """The commands to one server.

    Each of them raises HomeAssistantError. Nothing is sent if the last poll failed, or the server is
    busy.
    """

    def __init__(
        self,
        entry: ConfigEntry,
        session: ButlerSession,
        outages: Outages,
        run_events: RunEvents,
        operations: Operations,
        *,
        after: Callable[[], None],
    ) -> None:
        """Initialize; `after` is called after every command, successful or not."""
        self._entry = entry
        self._session = session
        self._outages = outages
        self._run_events = run_events
        self._operations = operations
        self._after = after
        self._starting: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def find(self, wanted: str) -> ButlerTask:
        """Return the task with this name or, if there is none, this key.

        Of a task whose name is the key of another, only the name is looked at: the other is found by
        its name. Raises ServiceValidationError.
        """
        tasks = self._session.tasks
        if task := tasks.get(wanted):
            return task
        for name, task in tasks.items():
            if wanted == task_key(name):
                return task
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="task_not_listed" if wanted.strip() else "no_task_named",
            translation_placeholders={"task": wanted, "server": self._entry.title},
        )

    async def start(self, name: str) -> StartResult:
        """Start a task by the server's own name.

        Of two concurrent starts, the second waits for the answer to the first.
        """
        sent = False

        def before_sending() -> None:
            nonlocal sent
            self._outages.require_answering()
            self.find(name)
            sent = True

        async with self._starting[name]:
            self.find(name)
            return await self._send(
                partial(self._session.start, name, before_sending=before_sending),
                sent=lambda: sent,
            )

    async def run(self, name: str, at_most: timedelta) -> EndedRun | None:
        """Start a task, or join the run that goes on, and wait until it has ended.

        Returns None if that takes longer than `at_most`; the task goes on then, as it does if the
        call is cancelled. Raises HomeAssistantError also if the config entry is unloaded meanwhile.
        """
        with self._run_events.collect_ended_runs(name) as ended_runs:
            await self.start(name)
            while not ended_runs.empty():
                ended_runs.get_nowait()  # An earlier run, which had ended before the answer.
            try:
                async with asyncio.timeout(at_most.total_seconds()):
                    return await self._next(ended_runs)
            except TimeoutError:
                return None

    async def stop(self, name: str) -> StopResult:
        """Stop a task by the server's own name."""
        self.find(name)
        return await self._send(partial(self._session.stop, name))

    async def start_all(self) -> None:
        """Start all tasks that are enabled and due; no task runs by that alone."""
        await self._send(self._session.start_all)

    async def stop_all(self) -> None:
        """Stop all tasks and empty the server's queue."""
        await self._send(self._session.stop_all)

    async def set_schedule(self, values: Mapping[str, PreferenceValue]) -> None:
        """Set preferences by the server's ids, all at once; what the server has made of them is shown."""
        await self._send(partial(self._session.set_preferences, values))

    async def _next(self, ended_runs: EndedRuns) -> EndedRun:
        """Return the next run that ends."""
        try:
            return await ended_runs.get()
        except asyncio.QueueShutDown:
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="stopped_waiting",
                translation_placeholders={"server": self._entry.title},
            ) from None

    async def _send[R](
        self, command: Callable[[], Awaitable[R]], *, sent: Callable[[], bool] = lambda: True
    ) -> R:
        """Send a command, unless the server does not answer or the config entry is unloaded.

        `sent` returns whether the command may have arrived at the server once it has begun.
        """
        begun = False
        try:
            async with self._operations.under_way():
                self._outages.require_answering()
                begun = True
                return await self._send_now(command)
        except EntryUnloadedError:
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="unloaded_not_confirmed" if begun and sent() else "unloaded",
                translation_placeholders={"server": self._entry.title},
            ) from None

    async def _send_now[R](self, command: Callable[[], Awaitable[R]]) -> R:
        try:
            return await command()
        except PlexError as err:
            self._outages.act_on(err)
            # Only the list of tasks shows whether that is still so; reading it deletes a repair issue.
            if isinstance(err, NoButlerError | TaskNotFoundError) or err.key in REPAIRS:
                self._session.read_task_list_next()
            raise self._outages.to_command_exception(err) from err
        finally:
            self._after()
