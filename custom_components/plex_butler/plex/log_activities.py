"""The lines of a server's log about the activities within Butler's own, one for each task.

A user's log of 2025 names each task when its activity begins, and only by a uuid when it ends. It
holds no other line about the start of these tasks (seen in that log; not verified on others).
"""

from collections.abc import Container
import re
from typing import Final

from .log_lines import TaskEnded, TaskStarted

ACTIVITY: Final = "Activity:"
MOST_OPEN: Final = 100
"""How many activities are remembered, the latest ones; a server has about 22 tasks."""

_BEGUN: Final = re.compile(r"registered new sub-activity ([\w-]{1,64}) - \"([^\"]+)\"(?!\S)")
_ENDED: Final = re.compile(r"ended sub-activity ([\w-]{1,64})(?!\S)")


class TaskActivities:
    """Which task each activity stands for that has begun and not ended, by the log of one server."""

    def __init__(self) -> None:
        """Initialize without an activity."""
        self._tasks: dict[str, str] = {}

    def read(self, text: str, tasks: Container[str]) -> TaskStarted | TaskEnded | None:
        """Return what a line says of a task, None if it says nothing of one.

        `text` is what follows ACTIVITY. Of the begin of an activity only that counts whose name is
        exactly one of `tasks`: other activities have titles.
        """
        text = text.strip()
        if begun := _BEGUN.match(text):
            uuid, task = begun.groups()
            if task not in tasks:
                return None
            self._tasks[uuid] = task
            for forgotten in list(self._tasks)[:-MOST_OPEN]:
                del self._tasks[forgotten]
            return TaskStarted(task)
        if (ended := _ENDED.match(text)) and (known := self._tasks.pop(ended[1], None)):
            return TaskEnded(known)
        return None
