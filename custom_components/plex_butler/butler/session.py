"""The session with one server: it polls, follows the notification stream and sends commands.

All that it learns about runs goes into a RunTracker.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
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
    SessionChanged,
    StartResult,
    StopResult,
)
from ..runs.models import EndedRun, RunEvent
from ..runs.rules import GRACE_ALREADY_RUNNING
from ..runs.tracked_run import TrackedRun
from ..runs.tracker import RunTracker
from .clock import SteadyClock
from .schedule import PollSchedule
from .shared_reads import SharedReads
from .snapshot import Snapshot
from .statistics import Statistics
from .stream import ChangesDuringPoll, StreamHealth
from .viewers import Viewers

MOST_READS: Final = 3
"""How often the activities are read for one poll or start while commands keep being answered."""


class ButlerSession:
    """What is known of one server, and the requests to it.

    Every coroutine raises PlexError.
    """

    _server: Server  # set by the first good poll

    def __init__(
        self, client: PlexClient, statistics: Statistics, clock: SteadyClock | None = None
    ) -> None:
        """Initialize without any knowledge; nothing is sent."""
        self.tasks: Mapping[str, ButlerTask] = {}
        self.last_runs: Mapping[str, EndedRun] = {}
        self.version: str | None = None
        self.tracker = RunTracker()
        self.viewers = Viewers(client, statistics)
        self._client = client
        self._statistics = statistics
        self._clock = clock or SteadyClock()
        self._schedule = PollSchedule()
        self._read_activities = SharedReads(self._read_activities_now)
        self._stream = StreamHealth()
        self._during_poll = ChangesDuringPoll()

    # --- what is known

    def now(self) -> datetime:
        """Return the time for intervals, which is not what the system's clock shows."""
        return self._clock.now()

    @property
    def pace(self) -> timedelta:
        """Return how long to wait before the next poll."""
        return self._schedule.pace(
            self._clock.now(),
            unsettled=self.tracker.unsettled,
            stream=self._stream.is_reliable,
        )

    @property
    def task_list_due(self) -> bool:
        """Return whether the next poll has to read the list of tasks, however recently it was read."""
        return self._schedule.task_list_due

    def snapshot(self, *, server_busy: bool = False) -> Snapshot:
        """Return what entities show. Must not be called before the first good poll."""
        return Snapshot(
            self._server,
            self.tasks,
            {task: run.moved(self._clock.utc) for task, run in self.tracker.running.items()},
            self.last_runs,
            self.tracker.maintenance,
            server_busy,
            self.viewers.count,
        )

    def take_events(self) -> tuple[RunEvent, ...]:
        """Return the events since the last call, in order, and update the last runs by them."""
        events = tuple(event.moved(self._clock.utc) for event in self.tracker.take_events())
        ended = {event.task: event for event in events if isinstance(event, EndedRun)}
        if ended:
            self.last_runs = {**self.last_runs, **ended}
        return events

    # --- restarts of Home Assistant

    def restore_runs(
        self,
        runs: Mapping[str, TrackedRun],
        *,
        row_proven: bool,
        denied: Mapping[str, tuple[str, ...]],
    ) -> None:
        """Continue the runs from before a restart. Must be called before the first poll."""
        now = self._clock.now()

        def not_in_the_future(utc: datetime) -> datetime:
            # The system's clock may have been set back since then.
            return min(self._clock.steady(utc), now)

        restored = {
            task: replace(
                run.moved(not_in_the_future),
                grace_until=run.grace_until
                and min(self._clock.steady(run.grace_until), now + GRACE_ALREADY_RUNNING),
            )
            for task, run in runs.items()
        }
        self.tracker.restore(restored, row_proven=row_proven, denied=denied)

    def runs_to_store(self) -> dict[str, TrackedRun]:
        """Return the runs to restore after a restart, with their times in UTC."""
        runs = self.tracker.to_store()
        return {task: run.moved(self._clock.utc) for task, run in runs.items()}

    # --- polling

    async def poll(self, *, server_updated: Callable[[], None]) -> bool:
        """Read the activities, and whatever else is due; return whether the list of tasks was.

        `server_updated` is called as soon as another version answers, which ends every run.
        """
        now = self._clock.now()
        if due := self._schedule.is_task_list_due(now, stream=self._stream.is_reliable):
            # Before the answer: a change that arrives meanwhile makes it due again.
            self._schedule.record_task_list(now)
            try:
                await self._read_task_list(server_updated)
            except PlexError:
                self._schedule.read_task_list_next()
                raise
        await self._read_activities()
        await self.count_sessions()
        return due

    async def count_sessions(self) -> None:
        """Count the sessions in which something is played, if it is time to."""
        await self.viewers.count_if_due(self._clock.now(), stream=self._stream.is_reliable)

    async def _read_task_list(self, server_updated: Callable[[], None]) -> None:
        self._server = await self._client.server()
        if self.version != self._server.version:
            self.version = self._server.version
            self.tracker.record_server_update()
            server_updated()
        tasks = {task.name: task for task in await self._client.tasks()}
        if tasks != self.tasks:
            self.tasks = tasks
        self.tracker.record_task_list(tasks)

    def record_server_busy(self) -> bool:
        """Record that the server accepts connections but answers nothing.

        Returns whether its maintenance may be the reason.
        """
        self._stream.record_poll_failure()
        self.tracker.record_server_busy(self._clock.now())
        return self.tracker.maintenance

    def record_poll_failure(self) -> None:
        """Record that a poll failed: the next one has to read everything."""
        self._schedule.read_task_list_next()
        self._stream.record_poll_failure()
        self.viewers.read_next()
        self.tracker.record_poll_failure()

    def read_task_list_next(self) -> None:
        """Let the next poll read the list of tasks."""
        self._schedule.read_task_list_next()

    async def _read_activities_now(self) -> None:
        """Read the activities, and again if a command was answered meanwhile: they may be older."""
        try:
            for _ in range(MOST_READS):
                commands, since_open = self._schedule.commands, self._stream.is_open
                self._during_poll.begin()
                self._schedule.unclear = False
                activities = await self._client.activities()
                if commands == self._schedule.commands:
                    break
            self._keep_activities(activities, since_open=since_open)
        finally:
            self._during_poll.end()

    def _keep_activities(
        self, activities: tuple[Activity, ...] | None, *, since_open: bool
    ) -> None:
        listed = activities or ()

        def differs() -> bool:
            uuids = {activity.uuid for activity in listed if activity.type != BUTLER_ROW}
            return uuids != self.tracker.listed

        self._statistics.count_poll(activities)
        if self._stream.record_poll(since_open=since_open, differs=differs):
            self._statistics.stream["silent"] += 1
        self.tracker.record_poll(self._during_poll.apply(listed), self._clock.now())

    # --- the stream

    def stream_opened(self) -> None:
        """Record that the stream is open: what changed before that has to be polled."""
        self._statistics.stream["opened"] += 1
        self._stream.record_opened()
        self._schedule.read_task_list_next()
        self.viewers.read_next()

    def stream_changed(self, changes: tuple[Notification, ...]) -> bool:
        """Record the changes of one frame; return whether only a poll can show what they mean."""
        now, unclear = self._clock.now(), False
        for change in changes:
            self._statistics.count_change(change)
            if isinstance(change, ActivityChanged):
                self._stream.record_change()
                unclear |= not self._during_poll.record(change)
                unclear |= self.tracker.record_change(change, now)
            elif isinstance(change, SessionChanged):
                unclear |= self.viewers.record_change(change)
            else:
                unclear = True
                if isinstance(change, PreferencesChanged):
                    self._schedule.read_task_list_next()
        self._schedule.unclear |= unclear
        return unclear

    def stream_closed(self) -> bool:
        """Record that the stream is closed; return whether it was open."""
        was_open = self._stream.is_open
        self._stream.record_closed()
        return was_open

    # --- commands

    async def start(self, name: str, *, before_sending: Callable[[], None]) -> StartResult:
        """Start a task; return the server's answer.

        `before_sending` is called just before the start is sent, and may raise to prevent that.
        """
        # Activities that are listed just before the start were not caused by it.
        await self._read_activities()
        before_sending()
        sent = self._clock.now()
        with self._sending_command(), self.tracker.sending_start(name, sent) as start:
            try:
                result = await self._client.start_task(name)
            except CommandNotConfirmedError:
                raise
            except PlexError:
                start.record_refused()
                raise
            if result is StartResult.STARTED:
                start.record_accepted(self._clock.now())
            else:
                start.record_already_running(self._clock.now())
        self._count_answer("start_task", name, result)
        return result

    async def stop(self, name: str) -> StopResult:
        """Stop a task."""
        with self._sending_command(), self.tracker.sending_stop([name]):
            result = await self._client.stop_task(name)
            if result is StopResult.STOPPED:
                self.tracker.record_stop(name, self._clock.now())
            else:
                self.tracker.record_not_running(name)
        self._count_answer("stop_task", name, result)
        return result

    async def start_all(self) -> None:
        """Start all tasks that are enabled and due; no task runs by that alone."""
        with self._sending_command():
            await self._client.start_all()
        self._statistics.count_answer("start_all", "accepted")

    async def stop_all(self) -> None:
        """Stop all tasks and empty the server's queue."""
        with self._sending_command(), self.tracker.sending_stop(self.tasks):
            await self._client.stop_all()
            self.tracker.record_stop_all(self._clock.now())
        self._statistics.count_answer("stop_all", "accepted")

    @contextmanager
    def _sending_command(self) -> Iterator[None]:
        """Record the command that is sent inside the `with` block, unless the server refuses it."""
        try:
            yield
        except CommandNotConfirmedError, asyncio.CancelledError:
            self._schedule.record_command(self._clock.now())
            raise
        self._schedule.record_command(self._clock.now())

    def _count_answer(self, command: str, name: str, answer: str) -> None:
        task = self.tasks.get(name)
        self._statistics.count_answer(command, answer, enabled=task.enabled if task else None)
