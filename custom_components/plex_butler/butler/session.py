"""One server: polled, listened to and commanded. Everything that is learned goes into its runs."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from ..plex import (
    BUTLER_ROW,
    Activity,
    ActivityChanged,
    ButlerTask,
    CommandNotConfirmedError,
    Notification,
    PlexClient,
    PlexError,
    PreferencesChanged,
    Server,
    StartResult,
    StopResult,
)
from ..runs.models import EndedRun, RunEvent
from ..runs.rules import GRACE
from ..runs.tracker import RunTracker
from .snapshot import Snapshot
from .statistics import Statistics
from .stream import ChangesDuringPoll, StreamHealth

# How often the server is asked (the reasons are in the README, "How data is updated").
ACTIVE_INTERVAL: Final = timedelta(seconds=5)
"""While anything runs, and after a command."""
IDLE_INTERVAL: Final = timedelta(seconds=30)
"""While nothing runs and there is no stream."""
STREAM_INTERVAL: Final = timedelta(minutes=10)
"""While nothing runs and the stream brings every change."""
LISTS_INTERVAL: Final = timedelta(minutes=5)
"""For the list of tasks and what the server says about itself, without a stream."""
LISTS_INTERVAL_STREAM: Final = timedelta(hours=1)
"""The same beside a stream, which says when something of it may have changed."""

# A poll that comes a moment too early must not leave the lists to the next one.
_ABOUT: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Poll:
    """What a poll has read besides the activities."""

    lists_read: bool


class ButlerSession:
    """One server over one client.

    Every method that asks or commands the server raises PlexError.
    """

    _server: Server  # from the first good poll on

    def __init__(self, client: PlexClient, statistics: Statistics) -> None:
        """Initialize without any knowledge; nothing is sent."""
        self.tasks: Mapping[str, ButlerTask] = {}
        self.last_runs: Mapping[str, EndedRun] = {}
        self.version: str | None = None
        self.tracker = RunTracker()
        self._client = client
        self._statistics = statistics
        self._lists_read: datetime | None = None
        self._commanded: datetime | None = None
        self._commands = 0
        self._unclear = False
        self._reading = asyncio.Lock()
        self._stream = StreamHealth()
        self._crossing = ChangesDuringPoll()

    # --- what is known

    @property
    def pace(self) -> timedelta:
        """Return how soon the server is to be polled again."""
        recent = self._commanded is not None and _utcnow() - self._commanded < GRACE
        if recent or self.tracker.unsettled or self.lists_due or self._unclear:
            return ACTIVE_INTERVAL
        return STREAM_INTERVAL if self._stream.is_reliable else IDLE_INTERVAL

    @property
    def lists_due(self) -> bool:
        """Return whether the next poll has to read the list of tasks, whenever that was read."""
        return self._lists_read is None

    def snapshot(self, *, busy: bool = False) -> Snapshot:
        """Return what is to be shown; only after the first good poll."""
        return Snapshot(
            self._server,
            self.tasks,
            self.tracker.running,
            self.last_runs,
            self.tracker.maintenance,
            busy,
        )

    def take_events(self) -> tuple[RunEvent, ...]:
        """Return what has begun and ended since the last call, and keep the last runs."""
        events = self.tracker.take_events()
        ended = {event.task: event for event in events if isinstance(event, EndedRun)}
        if ended:
            self.last_runs = {**self.last_runs, **ended}
        return events

    # --- polling

    async def poll(self, *, server_updated: Callable[[], None]) -> Poll:
        """Ask for the activities, and for the lists if they are due.

        `server_updated` is called as soon as another version answers, which ends every run.
        """
        now = _utcnow()
        interval = LISTS_INTERVAL_STREAM if self._stream.is_reliable else LISTS_INTERVAL
        lists = self._lists_read is None or now - self._lists_read >= interval - _ABOUT
        if lists:
            # Set before the answer: a change that comes meanwhile makes them due once more.
            self._lists_read = now
            try:
                await self._read_lists(server_updated)
            except PlexError:
                self._lists_read = None
                raise
        await self._read_activities()
        return Poll(lists)

    async def _read_lists(self, server_updated: Callable[[], None]) -> None:
        self._server = await self._client.server()
        if self.version != self._server.version:
            self.version = self._server.version
            self.tracker.server_updated()
            server_updated()
        tasks = {task.name: task for task in await self._client.tasks()}
        if tasks != self.tasks:
            self.tasks = tasks
        self.tracker.tasks_listed(tasks)

    def frozen(self) -> bool:
        """Record that the server takes connections and answers nothing.

        Returns whether its maintenance may be the reason.
        """
        self._stream.poll_failed()
        self.tracker.frozen(_utcnow())
        return self.tracker.maintenance

    def poll_failed(self) -> None:
        """Record that a poll failed: everything has to be read anew."""
        self._lists_read = None
        self._stream.poll_failed()
        self.tracker.poll_failed()

    def read_lists_next(self) -> None:
        """Let the next poll read the list of tasks."""
        self._lists_read = None

    async def _read_activities(self) -> None:
        """Read the activities, again if a command was sent meanwhile: they are older than it.

        One after the other, or an older answer would overwrite a younger one.
        """
        async with self._reading:
            try:
                while True:
                    commands, since_open = self._commands, self._stream.is_open
                    self._crossing.begin()
                    self._unclear = False
                    activities = await self._client.activities()
                    if commands == self._commands:
                        break
                self._keep_activities(activities, since_open=since_open)
            finally:
                self._crossing.end()

    def _keep_activities(
        self, activities: tuple[Activity, ...] | None, *, since_open: bool
    ) -> None:
        listed = activities or ()

        def differs() -> bool:
            uuids = {activity.uuid for activity in listed if activity.type != BUTLER_ROW}
            return uuids != self.tracker.listed

        self._statistics.count_poll(activities)
        if self._stream.polled(since_open=since_open, differs=differs):
            self._statistics.stream["silent"] += 1
        self.tracker.polled(self._crossing.apply(listed), _utcnow())

    # --- the stream

    def stream_opened(self) -> None:
        """Record that the stream is open: what happened before it has to be read."""
        self._statistics.stream["opened"] += 1
        self._stream.opened()
        self._lists_read = None

    def stream_changed(self, changes: tuple[Notification, ...]) -> bool:
        """Record the changes of one frame; return whether only a poll can say what they mean."""
        now, unclear = _utcnow(), False
        for change in changes:
            self._statistics.count_change(change)
            if isinstance(change, ActivityChanged):
                self._stream.used()
                unclear |= not self._crossing.record(change)
                unclear |= self.tracker.changed(change, now)
            else:
                unclear = True
                if isinstance(change, PreferencesChanged):
                    self._lists_read = None
        self._unclear |= unclear
        return unclear

    def stream_closed(self) -> bool:
        """Record that the stream is closed; return whether it was open."""
        was_open = self._stream.is_open
        self._stream.closed()
        return was_open

    # --- commands

    async def start(
        self, name: str, *, before_sending: Callable[[], None]
    ) -> tuple[StartResult, datetime]:
        """Start a task; return how the server answered, and when the start was sent.

        `before_sending` is called just before that, and may raise to prevent it.
        """
        # What is listed just before the start was not caused by it.
        await self._read_activities()
        before_sending()
        sent = _utcnow()
        with self._command(), self.tracker.start_sent(name, sent) as start:
            try:
                result = await self._client.start_task(name)
            except CommandNotConfirmedError:
                raise
            except PlexError:
                start.refused()
                raise
            if result is StartResult.STARTED:
                start.accepted(_utcnow())
            else:
                start.already_running(_utcnow())
        self._count_answer("start_task", name, result)
        return result, sent

    async def stop(self, name: str) -> StopResult:
        """Stop a task."""
        with self._command(), self.tracker.stop_sent([name]):
            result = await self._client.stop_task(name)
            if result is StopResult.STOPPED:
                self.tracker.stopped(name, _utcnow())
            else:
                self.tracker.was_not_running(name)
        self._count_answer("stop_task", name, result)
        return result

    async def start_all(self) -> None:
        """Ask for all tasks that are enabled and due."""
        with self._command():
            await self._client.start_all()
            self.tracker.all_started()
        self._statistics.count_answer("start_all", "accepted")

    async def stop_all(self) -> None:
        """Stop all tasks and empty the server's queue."""
        with self._command(), self.tracker.stop_sent(self.tasks):
            await self._client.stop_all()
            self.tracker.all_stopped(_utcnow())
        self._statistics.count_answer("stop_all", "accepted")

    @contextmanager
    def _command(self) -> Iterator[None]:
        """Poll soon after a command, unless the server refused it."""
        try:
            yield
        except CommandNotConfirmedError, asyncio.CancelledError:
            self._record_command()
            raise
        self._record_command()

    def _record_command(self) -> None:
        self._commanded = _utcnow()
        self._commands += 1

    def _count_answer(self, command: str, name: str, answer: str) -> None:
        task = self.tasks.get(name)
        self._statistics.count_answer(command, answer, enabled=task.enabled if task else None)


def _utcnow() -> datetime:
    return datetime.now(UTC)
