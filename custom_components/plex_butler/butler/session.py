"""The session with one server: it polls, follows the notification stream and sends commands.

All that it learns about runs goes into a RunTracker.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
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
    Preferences,
    PreferencesChanged,
    PreferenceValue,
    Server,
    SessionChanged,
    StartResult,
    StopResult,
)
from ..runs.history import RunHistory, with_last_run
from ..runs.models import EndedRun, Origin, RunEvent
from ..runs.rules import GRACE_ALREADY_RUNNING
from ..runs.tracked_run import TrackedRun
from ..runs.tracker import RunTracker
from .backups import BACKUP_TASK, NOW, Backups, BackupSource, GoodBackup, StoredBackups
from .changes_during_poll import ChangesDuringPoll
from .clock import SteadyClock
from .preferences import ServerPreferences
from .schedule import PollSchedule
from .shared_reads import SharedReads
from .snapshot import Snapshot
from .statistics import Statistics
from .stream import StreamHealth
from .viewers import Viewers

MOST_READS: Final = 3
"""How often the activities are read for one poll or start while commands keep being answered."""


class ButlerSession:
    """What is known of one server, and the requests to it.

    Every coroutine raises PlexError.
    """

    _server: Server  # set by the first good poll

    def __init__(
        self,
        client: PlexClient,
        statistics: Statistics,
        clock: SteadyClock | None = None,
        *,
        pause: Callable[[float], Awaitable[None]] | None = None,
    ) -> None:
        """Initialize without any knowledge; nothing is sent. `pause` waits between two requests."""
        self.tasks: Mapping[str, ButlerTask] = {}
        self.last_runs: Mapping[str, EndedRun] = {}
        self.history = RunHistory()
        self.version: str | None = None
        self.backups: Backups | None = None
        self.tracker = RunTracker()
        self.viewers = Viewers(client, statistics)
        self._client = client
        self._preferences = ServerPreferences(client, pause)
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

    def utc(self, time: datetime) -> datetime:
        """Return the UTC of a time of `now`."""
        return self._clock.utc(time)

    @property
    def is_active(self) -> bool:
        """Return whether anything runs, or a command was sent a moment ago."""
        return self.tracker.unsettled or self._schedule.is_recent(self._clock.now())

    @property
    def pace(self) -> timedelta:
        """Return how long to wait before the next poll."""
        return self._schedule.pace(
            self._clock.now(),
            unsettled=(
                self.tracker.unsettled or self.viewers.due or self._preferences.change_unread
            ),
            stream=self._stream.is_reliable,
        )

    @property
    def task_list_due(self) -> bool:
        """Return whether the next poll has to read the list of tasks, however recently it was read."""
        return self._schedule.task_list_due

    @property
    def preferences(self) -> Preferences:
        """Return the preferences that decide when Butler runs the tasks, as they were last read."""
        return self._preferences.known

    def snapshot(self, *, server_busy: bool = False) -> Snapshot:
        """Return what entities show. Must not be called before the first good poll."""
        report = None
        if self.backups:
            report = self.backups.report(
                self.tasks.get(BACKUP_TASK), self.last_runs.get(BACKUP_TASK)
            )
        return Snapshot(
            self._server,
            self.tasks,
            {task: run.moved(self._clock.utc) for task, run in self.tracker.running.items()},
            self.last_runs,
            self.tracker.maintenance,
            server_busy,
            self.preferences,
            self.viewers.count,
            self.tracker.log.scheduled,
            report,
        )

    def take_events(self) -> tuple[RunEvent, ...]:
        """Return the events since the last call, in order, and keep the runs that have ended."""
        events = tuple(event.moved(self._clock.utc) for event in self.tracker.take_events())
        if ended := [event for event in events if isinstance(event, EndedRun)]:
            now = self._clock.utc(self._clock.now())
            for run in ended:
                self.last_runs = with_last_run(self.last_runs, run, now)
            self.history.add(ended, now)
        return events

    # --- what Plex itself reports

    def listen_for_backups(self, stored: StoredBackups | None) -> None:
        """Begin to take reports of backups. Must be called before the first poll."""
        self.backups = Backups(self._clock, stored)

    def record_good_backup(self, source: BackupSource, age: timedelta = NOW) -> GoodBackup | None:
        """Record a good backup that Plex reported `age` ago; None if that is no news.

        It is kept with the run that it may be of: it is not known which runs Plex reports.
        """
        if self.backups is None or not (backup := self.backups.record_good_backup(source, age)):
            return None
        running = self.tracker.running.get(BACKUP_TASK)
        run = running.moved(self._clock.utc) if running else self.last_runs.get(BACKUP_TASK)
        self._statistics.record_backup(backup, run)
        return backup

    # --- restarts of Home Assistant

    def restore_history(self, history: RunHistory, last_runs: Mapping[str, EndedRun]) -> None:
        """Continue the history from before a restart, which may lack some of the last runs.

        Must be called before the first poll, and may be in another thread.
        """
        self.history, self.last_runs = history, last_runs
        history.add_missing(last_runs.values(), self._clock.utc(self._clock.now()))

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
        # A stream does not bring the end of whatever made the preferences unreadable.
        stream = self._stream.is_reliable and not self._preferences.lost
        if due := self._schedule.is_task_list_due(now, stream=stream):
            # Before the answer: a change that arrives meanwhile makes it due again.
            self._schedule.record_task_list(now)
            try:
                await self._read_task_list(server_updated)
            except PlexError:
                self._schedule.read_task_list_next()
                raise
        await self._read_activities()
        if due or self._preferences.due:
            await self._preferences.read()
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
        # An empty list says nothing about the tasks that were listed before.
        if tasks and tasks != self.tasks:
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

    def wait(self, seconds: float) -> None:
        """Let no poll be due for so long, because the server wants fewer requests."""
        self._schedule.wait(self._clock.now() + timedelta(seconds=seconds))

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
                    self._preferences.record_change()
                    self._schedule.read_task_list_next()
        self._schedule.unclear |= unclear
        return unclear

    def stream_closed(self) -> bool:
        """Record that the stream is closed; return whether it was open."""
        was_open = self._stream.is_open
        self._stream.record_closed()
        return was_open

    # --- commands

    # Activities that are listed just before a start were not caused by it. `before_sending` is called
    # just before a command is sent, and may raise to prevent that. `origin` has asked for it.

    async def start(
        self, name: str, *, before_sending: Callable[[], None], origin: Origin | None = None
    ) -> StartResult:
        """Start a task; return the server's answer."""
        await self._read_activities()
        before_sending()
        sent = self._clock.now()
        with self._sending_command(), self.tracker.sending_start(name, sent, origin) as start:
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

    async def stop(
        self, name: str, *, before_sending: Callable[[], None], origin: Origin | None = None
    ) -> StopResult:
        """Stop a task; return the server's answer."""
        before_sending()
        with self._sending_command(), self.tracker.sending_stop([name]):
            result = await self._client.stop_task(name)
            if result is StopResult.STOPPED:
                self.tracker.record_stop(name, self._clock.now(), origin)
            else:
                self.tracker.record_not_running(name)
        self._count_answer("stop_task", name, result)
        return result

    async def start_all(self, *, before_sending: Callable[[], None]) -> None:
        """Start all tasks that are enabled and due; no task runs by that alone."""
        await self._read_activities()
        before_sending()
        with self._sending_command():
            await self._client.start_all()
        self._statistics.count_answer("start_all", "accepted")

    async def stop_all(
        self, *, before_sending: Callable[[], None], origin: Origin | None = None
    ) -> None:
        """Stop all tasks and empty the server's queue."""
        before_sending()
        with self._sending_command(), self.tracker.sending_stop(self.tasks):
            await self._client.stop_all()
            self.tracker.record_stop_all(self._clock.now(), origin)
        self._statistics.count_answer("stop_all", "accepted")

    async def set_preferences(
        self,
        values: Mapping[str, PreferenceValue],
        *,
        before_sending: Callable[[], None],
        read_before: bool = False,
    ) -> Preferences:
        """Set preferences by the server's ids, read them back and compare them.

        Returns what they were before, read once more if `read_before`. Raises
        PreferencesNotListedError before anything is sent, PreferencesDifferError, and
        PreferencesNotReadError.
        """
        try:
            before = await self._preferences.set(
                values, before_sending=before_sending, read_before=read_before
            )
        finally:
            # It says which tasks are enabled.
            self._schedule.read_task_list_next()
        self._statistics.count_answer("set_preferences", "kept")
        return before

    @contextmanager
    def _sending_command(self) -> Iterator[None]:
        """Record the command that is sent inside the `with` block, unless the server refuses it."""
        try:
            yield
        except CommandNotConfirmedError:
            self._schedule.record_command(self._clock.now())
            raise
        except PlexError:
            raise
        except BaseException:
            self._schedule.record_command(self._clock.now())
            raise
        self._schedule.record_command(self._clock.now())

    def _count_answer(self, command: str, name: str, answer: str) -> None:
        task = self.tasks.get(name)
        self._statistics.count_answer(command, answer, enabled=task.enabled if task else None)
