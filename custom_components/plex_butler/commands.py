"""The commands of users: tasks are found, started, stopped and waited for."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import Context
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from .butler.session import ButlerSession
from .const import DOMAIN
from .operations import EntryUnloadedError, Operations
from .origins import Origins
from .outages import Outages
from .plex import (
    ButlerTask,
    NoButlerError,
    PlexError,
    StartResult,
    StopResult,
    TaskNotFoundError,
)
from .repairs import REPAIRS
from .run_events import EndedRuns, RunEvents
from .runs.models import EndedRun, Origin
from .runs.tasks import task_key


class Commands:
    """The commands to one server, each in the context of the call that asks for it.

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
        origins: Origins,
        *,
        before: Callable[[], Awaitable[None]],
        after: Callable[[Origin | None], None],
    ) -> None:
        """Initialize.

        `before` is called before what may start a task is sent; `after` is called after every
        command, successful or not, with its origin.
        """
        self._entry = entry
        self._session = session
        self._outages = outages
        self._run_events = run_events
        self._operations = operations
        self._origins = origins
        self._before = before
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

    async def start(self, name: str, context: Context) -> StartResult:
        """Start a task by the server's own name.

        Of two concurrent starts, the second waits for the answer to the first.
        """
        result, _ = await self._start(name, context)
        return result

    async def run(self, name: str, at_most: timedelta, context: Context) -> EndedRun | None:
        """Start a task, or join the run that goes on, and wait until it has ended.

        Returns None if that takes longer than `at_most`; the task goes on then, as it does if the
        call is cancelled. Raises HomeAssistantError also if the config entry is unloaded meanwhile.
        """
        with self._run_events.collect_ended_runs(name) as ended_runs:
            _, sent = await self._start(name, context)
            while not ended_runs.empty():
                ended = ended_runs.get_nowait()
                # Plex's log may be faster than the answer; but an earlier run is not this one.
                if ended.since >= sent:
                    return ended
            try:
                async with asyncio.timeout(at_most.total_seconds()):
                    return await self._next(ended_runs)
            except TimeoutError:
                return None

    async def stop(self, name: str, context: Context) -> StopResult:
        """Stop a task by the server's own name."""
        self.find(name)
        origin = self._origins.async_origin(context)
        return await self._send(partial(self._session.stop, name, origin=origin), origin)

    async def start_all(self, context: Context) -> None:
        """Start all tasks that are enabled and due; no task runs by that alone."""
        sent = False

        async def start_all() -> None:
            nonlocal sent
            await self._before()
            sent = True
            await self._session.start_all()

        await self._send(start_all, self._origins.async_origin(context), sent=lambda: sent)

    async def stop_all(self, context: Context) -> None:
        """Stop all tasks and empty the server's queue."""
        origin = self._origins.async_origin(context)
        await self._send(partial(self._session.stop_all, origin=origin), origin)

    async def _start(self, name: str, context: Context) -> tuple[StartResult, datetime]:
        """Start a task; return the server's answer, and when the start was sent, in UTC."""
        sent: list[datetime] = []

        def before_sending() -> None:
            self._outages.require_answering()
            self.find(name)
            sent.append(self._session.utc(self._session.now()))

        async def start() -> StartResult:
            await self._before()
            return await self._session.start(name, before_sending=before_sending, origin=origin)

        origin = self._origins.async_origin(context)
        async with self._starting[name]:
            self.find(name)
            result = await self._send(start, origin, sent=lambda: bool(sent))
        return result, sent[0]

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
        self,
        command: Callable[[], Awaitable[R]],
        origin: Origin | None = None,
        *,
        sent: Callable[[], bool] = lambda: True,
    ) -> R:
        """Send a command, unless the server does not answer or the config entry is unloaded.

        `sent` returns whether the command may have arrived at the server once it has begun.
        """
        begun = False
        try:
            async with self._operations.under_way():
                self._outages.require_answering()
                begun = True
                return await self._send_now(command, origin)
        except EntryUnloadedError:
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="unloaded_not_confirmed" if begun and sent() else "unloaded",
                translation_placeholders={"server": self._entry.title},
            ) from None

    async def _send_now[R](self, command: Callable[[], Awaitable[R]], origin: Origin | None) -> R:
        try:
            return await command()
        except PlexError as err:
            self._outages.act_on(err)
            # Only the list of tasks shows whether that is still so; reading it deletes a repair issue.
            if isinstance(err, NoButlerError | TaskNotFoundError) or err.key in REPAIRS:
                self._session.read_task_list_next()
            raise self._outages.to_command_exception(err) from err
        finally:
            self._after(origin)
