"""The log of a server, as its notification stream brings it: what it says of Butler's tasks.

Only the log names every task that starts, also by Plex's schedule. The wording of its lines comes
from the patterns of other tools, which were made from real logs; that these lines arrive over the
stream, word for word, is inferred. So a line is read with tolerance, and whatever else it says is
counted by kind.

Lines hold paths, titles and names of users. A frame without one of a few phrases is dropped before
it is decoded, and of the others nothing is kept but which task, which sign and when.
"""

from collections import Counter
from collections.abc import Callable, Container
from itertools import islice
import json
from typing import Any, Final

from .decoding import int_of, rows_of
from .flood import FloodLimit
from .log_activities import ACTIVITY, TaskActivities
from .log_lines import (
    AT_START,
    BACKUP,
    BUTLER,
    CORRUPTED,
    DEBUG_LEVEL,
    EXCEPTIONS,
    IN_TRANSACTION,
    KINDS,
    LONGEST_TEXT,
    OPTIMIZED,
    PHRASES,
    PREFIX,
    QUOTED,
    REFUSED,
    REPEATED,
    REQUEST,
    SCHEDULED,
    STARTED,
    WORD,
    BackupCompleted,
    BackupRefused,
    DatabaseCorrupted,
    LogLine,
    LogSign,
    OptimizationCompleted,
    TaskException,
    TaskMentioned,
    TaskScheduled,
    TaskStarted,
    is_quoted,
    time_of,
)

LONGEST_FRAME: Final = 64 * 1024
"""The longest frame that is looked at, in bytes; a server sends one line in each (seen)."""
MOST_LINES: Final = 1_000
"""How many lines of one frame are read."""
MOST_ROWS: Final = 100_000
"""How many lines are a flood: more than ten times the highest rate reported, 400 a second."""
MOST_SIGNS: Final = 500
"""How many signs are a flood; a server has about 22 tasks, and each begins and ends once.

Those of a damaged database are not counted: they repeat with every access (inferred).
"""

_ROWS: Final = "LogSentNotification"


class LogReader:
    """Reads the frames of one server's log.

    `tasks` returns the tasks that the server lists, by its own names: only those count. What is
    read, and everything unexpected, is counted in `counts`, without its text.
    """

    def __init__(self, tasks: Callable[[], Container[str]], counts: Counter[str]) -> None:
        """Initialize without a frame."""
        self._tasks = tasks
        self._counts = counts
        self._rows = FloodLimit(MOST_ROWS)
        self._signs = FloodLimit(MOST_SIGNS)
        self._activities = TaskActivities()

    def read(self, frame: bytes) -> tuple[LogLine, ...] | None:
        """Return the lines of one frame that are signs, in order; None if there are none.

        Raises FloodError.
        """
        self._counts["frames"] += 1
        if len(frame) > LONGEST_FRAME:
            self._counts["frames too long"] += 1
            return None
        # One after the other is ten times faster than a regular expression.
        for phrase in PHRASES:
            if phrase in frame:
                break
        else:
            return None
        lines = tuple(self._lines(frame))
        self._signs.add(sum(not isinstance(line.sign, REPEATED) for line in lines))
        return lines or None

    def _lines(self, frame: bytes) -> list[LogLine]:
        lines = []
        rows = rows_of(self._content(frame))
        for row in islice(rows, MOST_LINES):
            self._rows.add(1)
            if sign := self._sign(row.get("message"), row.get("level")):
                self._counts[KINDS[type(sign)]] += 1
                lines.append(LogLine(sign, time_of(row.get("time"))))
        if next(rows, None) is not None:
            self._counts["lines dropped"] += 1
        return lines

    def _content(self, frame: bytes) -> Any:
        try:
            content = json.loads(frame.decode("utf-8", "replace"), strict=False)
        except ValueError, RecursionError:
            self._counts["frames not decoded"] += 1
            return None
        if isinstance(content, dict):
            content = content.get("NotificationContainer", content)
        if not isinstance(content, dict) or _ROWS not in content:
            self._counts["frames of another kind"] += 1
            return None
        return content[_ROWS]

    def _sign(self, message: Any, level: Any) -> LogSign | None:
        if not isinstance(message, str):
            self._counts["lines without a text"] += 1
            return None
        message = message[:LONGEST_TEXT]
        text = PREFIX.sub("", message, count=1)
        if text.startswith(BUTLER):
            return self._sign_of_butler(text.removeprefix(BUTLER).strip())
        if text.startswith(ACTIVITY):
            return self._sign_of_activity(text.removeprefix(ACTIVITY))
        if code := BACKUP.match(text):
            return BackupCompleted(int(code[1]))
        if REFUSED.match(text):
            return BackupRefused()
        if text.startswith(OPTIMIZED):
            return OptimizationCompleted()
        if text.startswith(EXCEPTIONS) and not _is_of_others(text, message.removesuffix(text)):
            return TaskException()
        if found := CORRUPTED.search(text):
            return self._sign_of_corruption(text[: found.start()], level)
        self._counts["other lines"] += 1
        return None

    def _sign_of_corruption(self, before: str, level: Any) -> DatabaseCorrupted | None:
        """Return the sign of a line about corruption, if it quotes nobody; `before` is its begin."""
        if is_quoted(before):
            self._counts["corruption in quotation marks"] += 1
            return None
        if (int_of(level) or 0) < DEBUG_LEVEL:
            return DatabaseCorrupted()
        # Such a line may quote what somebody has typed.
        self._counts["corruption at the level of debug"] += 1
        return None

    def _sign_of_activity(self, text: str) -> LogSign | None:
        """Return the sign of a line that begins with "Activity:", whose rest is given."""
        sign = self._activities.read(text, self._tasks())
        if sign is None:
            self._counts["activities of no listed task"] += 1
        return sign

    def _sign_of_butler(self, text: str) -> LogSign | None:
        """Return the sign of a line that begins with "Butler:", whose rest is given."""
        if (task := self._task(text)) is None:
            return None
        if STARTED.match(text):
            return TaskStarted(task)
        return TaskScheduled(task) if SCHEDULED.match(text) else TaskMentioned(task)

    def _task(self, text: str) -> str | None:
        """Return the one listed task that a text names, with or without quotation marks."""
        tasks = self._tasks()
        named: set[str] = {
            name for name in (*QUOTED.findall(text), *WORD.findall(text)) if name in tasks
        }
        if len(named) == 1:
            return named.pop()
        self._counts[f"lines of Butler with {'several' if named else 'no listed'} tasks"] += 1
        return None


def _is_of_others(exception: str, context: str) -> bool:
    """Return whether an exception is none of a task, by what stands before it."""
    return AT_START in context or (exception.startswith(IN_TRANSACTION) and REQUEST in context)
