"""When a server is polled, and for what (docs/how-it-works.md)."""

from datetime import datetime, timedelta
from typing import Final

from ..runs.rules import GRACE

ACTIVE_INTERVAL: Final = timedelta(seconds=5)
"""While anything runs, and after a command."""
IDLE_INTERVAL: Final = timedelta(seconds=30)
"""While nothing runs and there is no stream."""
STREAM_INTERVAL: Final = timedelta(minutes=10)
"""While nothing runs and the stream brings every change."""
TASK_LIST_INTERVAL: Final = timedelta(minutes=5)
"""For the list of tasks, and with it the server's name and version, without a stream."""
TASK_LIST_INTERVAL_STREAM: Final = timedelta(hours=1)
"""The same with a stream, which reports when preferences change."""

# A poll that comes a moment too early must not leave the list of tasks to the next one.
_ABOUT: Final = timedelta(seconds=5)


class PollSchedule:
    """When the next poll of one server is due.

    `commands`: how many commands were answered, or may have arrived.
    `unclear`: the stream has brought a change that only a poll can explain.
    """

    def __init__(self) -> None:
        """Initialize: the first poll reads everything."""
        self.commands = 0
        self.unclear = False
        self._commanded: datetime | None = None
        self._wait_until: datetime | None = None
        self._task_list_read: datetime | None = None

    @property
    def task_list_due(self) -> bool:
        """Return whether the next poll has to read the list of tasks, however recently it was read."""
        return self._task_list_read is None

    def is_task_list_due(self, now: datetime, *, stream: bool) -> bool:
        """Return whether a poll has to read the list of tasks; `stream` brings every change."""
        interval = TASK_LIST_INTERVAL_STREAM if stream else TASK_LIST_INTERVAL
        return self._task_list_read is None or now - self._task_list_read >= interval - _ABOUT

    def pace(self, now: datetime, *, unsettled: bool, stream: bool) -> timedelta:
        """Return how long to wait before the next poll; `unsettled`: something runs."""
        if self._wait_until and now < self._wait_until:
            return self._wait_until - now
        if self.is_recent(now) or unsettled or self.task_list_due or self.unclear:
            return ACTIVE_INTERVAL
        return STREAM_INTERVAL if stream else IDLE_INTERVAL

    def is_recent(self, now: datetime) -> bool:
        """Return whether a command was sent a moment ago, so that evidence may follow."""
        return self._commanded is not None and now - self._commanded < GRACE

    def record_command(self, now: datetime) -> None:
        """Record a command that was answered, or may have arrived."""
        self._commanded = now
        self.commands += 1

    def wait(self, until: datetime) -> None:
        """Let no poll be due before this time: the server wants fewer requests."""
        self._wait_until = until

    def record_task_list(self, now: datetime) -> None:
        """Record that the list of tasks is being read."""
        self._task_list_read = now

    def read_task_list_next(self) -> None:
        """Let the next poll read the list of tasks."""
        self._task_list_read = None
