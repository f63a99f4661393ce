"""The commands of users: tasks are found, started, stopped and waited for."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import Context
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError

from .butler.session import ButlerSession
from .const import DOMAIN
from .issues import REPAIRS
from .operations import EntryUnloadedError, Operations
from .origins import Origins
from .outages import LONGEST_RETRY_AFTER, Outages
from .plex import (
    ButlerTask,
    NoButlerError,
    PlexError,
    Preferences,
    PreferenceValue,
    StartResult,
    StopResult,
    TaskNotFoundError,
    UnauthorizedError,
)
from .run_events import EndedRuns, RunEvents
from .runs.models import EndedRun, Origin
from .runs.tasks import is_among


class _Command[R](Protocol):
    """A command of the session."""

    def __call__(self, *, before_sending: Callable[[], None]) -> Awaitable[R]:
        """Send it, and call `before_sending` just before."""


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
        """Return the task with this key or name. Raises ServiceValidationError."""
        for name, task in self._session.tasks.items():
            if is_among(name, (wanted,)):
                return task
        raise self._not_listed(wanted)

    def _not_listed(self, wanted: str) -> ServiceValidationError:
        return ServiceValidationError(
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
        origin = self._origins.async_origin(context)
        return await self._send(partial(self._session.stop, name, origin=origin), name, origin)

    async def start_all(self, context: Context) -> None:
        """Start all tasks that are enabled and due; no task runs by that alone."""

        async def start_all(*, before_sending: Callable[[], None]) -> None:
            await self._before()
            await self._session.start_all(before_sending=before_sending)

        await self._send(start_all, origin=self._origins.async_origin(context))

    async def stop_all(self, context: Context) -> None:
        """Stop all tasks and empty the server's queue."""
        origin = self._origins.async_origin(context)
        await self._send(partial(self._session.stop_all, origin=origin), origin=origin)

    async def _start(self, name: str, context: Context) -> tuple[StartResult, datetime]:
        """Start a task; return the server's answer, and when the start was sent, in UTC."""
        origin = self._origins.async_origin(context)
        sent: list[datetime] = []

        async def start(*, before_sending: Callable[[], None]) -> StartResult:
            def note() -> None:
                before_sending()
                sent.append(self._session.utc(self._session.now()))

            await self._before()
            return await self._session.start(name, before_sending=note, origin=origin)

        async with self._starting[name]:
            result = await self._send(start, name, origin)
        return result, sent[0]

    async def set_schedule(
        self,
        values: Mapping[str, PreferenceValue],
        context: Context,
        *,
        read_before: bool = False,
    ) -> Preferences:
        """Set preferences by the server's ids, all at once; what the server has made of them is shown.

        Returns what they were before, read once more if `read_before`.
        """
        origin = self._origins.async_origin(context)
        command = partial(self._session.set_preferences, values, read_before=read_before)
        return await self._send(command, origin=origin)

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
        self, command: _Command[R], name: str | None = None, origin: Origin | None = None
    ) -> R:
        """Send a command, for the task of this name if it is for one.

        Nothing is sent if the server does not answer, lists no such task, or the config entry is
        unloaded.
        """
        sent = False

        def before_sending() -> None:
            nonlocal sent
            self._require(name)
            sent = True

        try:
            async with self._operations.under_way():
                self._require(name)
                try:
                    return await command(before_sending=before_sending)
                except PlexError as err:
                    raise self._failed(err) from err
                finally:
                    self._after(origin)
        except EntryUnloadedError:
            raise HomeAssistantError(
                translation_domain=DOMAIN,
                translation_key="unloaded_not_confirmed" if sent else "unloaded",
                translation_placeholders={"server": self._entry.title},
            ) from None

    def _require(self, name: str | None) -> None:
        """Raise HomeAssistantError unless the server answers, and lists the task of this name."""
        self._outages.require_answering()
        if name is not None and name not in self._session.tasks:
            raise self._not_listed(name)

    def _failed(self, err: PlexError) -> HomeAssistantError:
        """Act on the failure of a command, and return the exception for it."""
        self._outages.act_on(err)
        if err.retry_after:
            self._session.wait(min(err.retry_after, LONGEST_RETRY_AFTER.total_seconds()))
        # Only the list of tasks shows whether that is still so; reading it deletes a repair issue.
        doubted = isinstance(err, NoButlerError | TaskNotFoundError | UnauthorizedError)
        if doubted or err.key in REPAIRS:
            self._session.read_task_list_next()
        return self._outages.to_command_exception(err)
