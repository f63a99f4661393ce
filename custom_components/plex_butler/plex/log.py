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
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
import json
import re
from time import monotonic
from typing import Any, Final

from .decoding import int_of, rows_of
from .errors import FloodError

LONGEST_FRAME: Final = 64 * 1024
"""The longest frame that is looked at, in bytes; a server sends one line in each (seen)."""
MOST_LINES: Final = 1_000
"""How many lines of one frame are read."""
FLOOD_SPAN: Final = 20.0
"""Within how many seconds the limits below count as a flood."""
MOST_ROWS: Final = 100_000
"""How many frames and lines are no flood: more than ten times the highest rate reported, 400 a second."""
MOST_BYTES: Final = 64 * 1024 * 1024
"""How many bytes are no flood: more than fifty times the highest rate reported, 50 kB a second."""
MOST_SIGNS: Final = 500
"""How many signs are no flood; a server has about 22 tasks, and each begins and ends once.

Those of a damaged database are not counted: they repeat with every access (inferred).
"""

# Each line that is a sign holds one of them. They are plain ASCII, which JSON does not escape.
_PHRASES: Final = (
    b"Butler:",
    b"Database backup completed",
    b"not backing up",
    b"able to back up your database",
    b"Database optimization: complete",
    b"Uncaught exception",
    b"Fixup threw an exception",
    b"Exception inside transaction",
    b"database disk image is malformed",
    b"database corruption at line",
)
_ROWS: Final = "LogSentNotification"
# What stands before the text: in the file the time, the thread and the level; anywhere the number of
# a request or the name of a component in brackets.
_PREFIX: Final = re.compile(
    r"\s*(?:(?:[A-Z][a-z]{2} +\d{1,2}, \d{4} [\d:.]{8,15} )?\[\w{1,20}\] [A-Za-z]{1,10} -\s*)?"
    r"(?:\[[^\]]{1,240}\]\s*){0,3}"
)
_BUTLER: Final = "Butler:"
_LONGEST_TEXT: Final = 400
_STARTED: Final = re.compile(r"(?:Starting|Running) (?:\w+ )?task\b", re.IGNORECASE)
_SCHEDULED: Final = re.compile(r"Scheduling (?:\w+ )?task\b", re.IGNORECASE)
_QUOTED: Final = re.compile(r"['\"]([^'\"]+)['\"]")
_WORD: Final = re.compile(r"\w+")
_BACKUP: Final = re.compile(r"Database backup completed: (-?\d{1,10})(?!\d)")
# What stands before these is not certain, but it is no quotation: a title could hold the rest.
_REFUSED: Final = re.compile(
    r"(?:[\w .]|(?<=\w)['\u2019](?=\w)){0,60}\b(?:failed its integrity check, not backing up|able to back up your database)"
)
_OPTIMIZED: Final = "Database optimization: complete"
_EXCEPTIONS: Final = (
    "Uncaught exception starting generator",
    "Uncaught exception running subtask",
    "Fixup threw an exception",
    "Exception inside transaction",
)
_CORRUPTED: Final = re.compile("database disk image is malformed|database corruption at line")
# What ends like this before a phrase is the name of a file, or the beginning of a quotation.
_IN_A_NAME: Final = re.compile(r"[/\\][^/\\:,;()\[\]]*$")
_QUOTE: Final = re.compile("\"|(?<!\\w)'|'(?!\\w)")
# 0 is an error, 1 a warning, 2 information, 3 debug, 4 verbose (OpenAPI).
_DEBUG_LEVEL: Final = 3
_TIME: Final = re.compile(
    r"([A-Z][a-z]{2}) +(\d{1,2}), (\d{4}) (\d{1,2}):(\d{2}):(\d{2})(?:\.\d+)?"
)
_MONTHS: Final = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}


@dataclass(frozen=True, slots=True)
class TaskStarted:
    """A task has started, or a task that was scheduled for later now has (reported)."""

    task: str


@dataclass(frozen=True, slots=True)
class TaskScheduled:
    """A task waits for a random time within the maintenance window, which is not told (reported)."""

    task: str


@dataclass(frozen=True, slots=True)
class TaskMentioned:
    """Butler says something else of a task: a sign of life, but never an end."""

    task: str


@dataclass(frozen=True, slots=True)
class BackupCompleted:
    """A backup of the database has ended; the code 0 means that it is good (seen on 1.43)."""

    code: int


@dataclass(frozen=True, slots=True)
class BackupRefused:
    """The database failed its integrity check, or could not be backed up (reported)."""


@dataclass(frozen=True, slots=True)
class OptimizationCompleted:
    """An optimization of the database is complete (reported)."""


@dataclass(frozen=True, slots=True)
class TaskException:
    """An exception in one of Butler's tasks; the line does not say in which (reported)."""


@dataclass(frozen=True, slots=True)
class DatabaseCorrupted:
    """The database of the server is damaged (reported)."""


type LogSign = (
    TaskStarted
    | TaskScheduled
    | TaskMentioned
    | BackupCompleted
    | BackupRefused
    | OptimizationCompleted
    | TaskException
    | DatabaseCorrupted
)


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line that is a sign.

    `written` is the time in the line, by the server's clock and without a zone, to the second; None
    if there is none. When something happened is when its line arrives.
    """

    sign: LogSign
    written: datetime | None


class LogReader:
    """Reads the frames of one server's log.

    `tasks` returns the tasks that the server lists, by its own names: only those count. What is
    read, and everything unexpected, is counted in `counts`, without its text.
    """

    def __init__(self, tasks: Callable[[], Container[str]], counts: Counter[str]) -> None:
        """Initialize without a frame."""
        self._tasks = tasks
        self._counts = counts
        self._rows_read = self._bytes = self._signs = 0
        self._since = monotonic()

    def read(self, frame: bytes) -> tuple[LogLine, ...] | None:
        """Return the lines of one frame that are signs, in order; None if there are none.

        Raises FloodError.
        """
        self._rows_read += 1
        self._bytes += len(frame)
        self._counts["frames"] += 1
        if self._rows_read >= MOST_ROWS or self._bytes >= MOST_BYTES:
            self._end_span()
        if len(frame) > LONGEST_FRAME:
            self._counts["frames too long"] += 1
            return None
        # One after the other is ten times faster than a regular expression.
        for phrase in _PHRASES:
            if phrase in frame:
                break
        else:
            return None
        lines = tuple(self._lines(frame))
        self._signs += sum(not isinstance(line.sign, _REPEATED) for line in lines)
        if self._signs >= MOST_SIGNS or self._rows_read >= MOST_ROWS:
            self._end_span()
        return lines or None

    def _end_span(self) -> None:
        """Begin to count anew. Raises FloodError if too much has come too fast."""
        now = monotonic()
        span, self._since = now - self._since, now
        self._rows_read = self._bytes = self._signs = 0
        if span < FLOOD_SPAN:
            raise FloodError("The server's log brings more than any that was seen")

    def _lines(self, frame: bytes) -> list[LogLine]:
        lines = []
        rows = rows_of(self._rows(frame))
        for number, row in enumerate(islice(rows, MOST_LINES)):
            # The first one is counted with its frame.
            self._rows_read += number > 0
            if sign := self._sign(row.get("message"), row.get("level")):
                self._counts[_KINDS[type(sign)]] += 1
                lines.append(LogLine(sign, _time(row.get("time"))))
        if next(rows, None) is not None:
            self._counts["lines dropped"] += 1
        return lines

    def _rows(self, frame: bytes) -> Any:
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
        text = _PREFIX.sub("", message[:_LONGEST_TEXT], count=1)
        if text.startswith(_BUTLER):
            return self._sign_of_butler(text.removeprefix(_BUTLER).strip())
        if code := _BACKUP.match(text):
            return BackupCompleted(int(code[1]))
        if _REFUSED.match(text):
            return BackupRefused()
        if text.startswith(_OPTIMIZED):
            return OptimizationCompleted()
        if text.startswith(_EXCEPTIONS):
            return TaskException()
        if found := _CORRUPTED.search(text):
            if _is_quoted(text[: found.start()]):
                self._counts["corruption in quotation marks"] += 1
                return None
            if (int_of(level) or 0) < _DEBUG_LEVEL:
                return DatabaseCorrupted()
            # Such a line may quote what somebody has typed.
            self._counts["corruption at the level of debug"] += 1
            return None
        self._counts["other lines"] += 1
        return None

    def _sign_of_butler(self, text: str) -> LogSign | None:
        """Return the sign of a line that begins with "Butler:", whose rest is given."""
        if (task := self._task(text)) is None:
            return None
        if _STARTED.match(text):
            return TaskStarted(task)
        return TaskScheduled(task) if _SCHEDULED.match(text) else TaskMentioned(task)

    def _task(self, text: str) -> str | None:
        """Return the one listed task that a text names, with or without quotation marks."""
        tasks = self._tasks()
        named: set[str] = {
            name for name in (*_QUOTED.findall(text), *_WORD.findall(text)) if name in tasks
        }
        if len(named) == 1:
            return named.pop()
        self._counts[f"lines of Butler with {'several' if named else 'no listed'} tasks"] += 1
        return None


_REPEATED: Final = (TaskException, DatabaseCorrupted)
_KINDS: Final[dict[type[LogSign], str]] = {
    TaskStarted: "task started",
    TaskScheduled: "task scheduled",
    TaskMentioned: "task mentioned",
    BackupCompleted: "backup completed",
    BackupRefused: "backup refused",
    OptimizationCompleted: "optimization completed",
    TaskException: "exception",
    DatabaseCorrupted: "corruption",
}


def _is_quoted(before: str) -> bool:
    """Return whether what follows this text is a part of a file's name, or of a title."""
    return len(_QUOTE.findall(before)) % 2 == 1 or _IN_A_NAME.search(before) is not None


def _time(text: Any) -> datetime | None:
    """Return the time of a line, such as "Nov 29, 2024 11:00:09.977" (seen)."""
    match = _TIME.fullmatch(text) if isinstance(text, str) else None
    if match is None or match[1] not in _MONTHS:
        return None
    day, year, hour, minute, second = (int(match[group]) for group in (2, 3, 4, 5, 6))
    try:
        return datetime(year, _MONTHS[match[1]], day, hour, minute, second)  # noqa: DTZ001 - no zone
    except ValueError:
        return None
