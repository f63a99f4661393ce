"""What the lines of a server's log look like, and the signs that they are.

The wording comes from the patterns of other tools, which were made from real logs. That of damage
and of activities was seen in logs that users have published.
"""

from dataclasses import dataclass
from datetime import datetime
import re
from typing import Any, Final

# Each line that is a sign holds one of these. They are plain ASCII, which JSON does not escape.
PHRASES: Final = (
    b"Butler:",
    b"sub-activity ",
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
# What stands before the text: in the file the time, the thread and the level; anywhere the number of
# a request or the name of a component in brackets.
PREFIX: Final = re.compile(
    r"\s*(?:(?:[A-Z][a-z]{2} +\d{1,2}, \d{4} [\d:.]{8,15} )?\[\w{1,20}\] [A-Za-z]{1,10} -\s*)?"
    r"(?:\[[^\]]{1,240}\]\s*){0,3}"
)
BUTLER: Final = "Butler:"
LONGEST_TEXT: Final = 400
STARTED: Final = re.compile(r"(?:Starting|Running) (?:\w+ )?task\b", re.IGNORECASE)
SCHEDULED: Final = re.compile(r"Scheduling (?:\w+ )?task\b", re.IGNORECASE)
QUOTED: Final = re.compile(r"['\"]([^'\"]+)['\"]")
WORD: Final = re.compile(r"\w+")
BACKUP: Final = re.compile(r"Database backup completed: (-?\d{1,10})(?!\d)")
# What stands before these is not certain, but it is no quotation: a title could hold the rest.
REFUSED: Final = re.compile(
    r"(?:[\w .]|(?<=\w)['\u2019](?=\w)){0,60}\b(?:failed its integrity check, not backing up|able to back up your database)"
)
OPTIMIZED: Final = "Database optimization: complete"
IN_TRANSACTION: Final = "Exception inside transaction"
EXCEPTIONS: Final = (
    "Uncaught exception starting generator",
    "Uncaught exception running subtask",
    "Fixup threw an exception",
    IN_TRANSACTION,
)
# What stands before the text of an exception that is none of a task: what the server does to its
# database at its start (in logs that users published in 2024 and 2025), ...
AT_START: Final = "[DatabaseFixups"
# ... and a request of anybody, which can fail inside a transaction (in such logs of 2025).
REQUEST: Final = "[Req#"
CORRUPTED: Final = re.compile("database disk image is malformed|database corruption at line")
# What ends like this before a phrase is the name of a file, or the beginning of a quotation.
_IN_A_NAME: Final = re.compile(r"[/\\][^/\\:,;()\[\]]*$")
_QUOTE: Final = re.compile("\"|(?<!\\w)'|'(?!\\w)")
# 0 is an error, 1 a warning, 2 information, 3 debug, 4 verbose (OpenAPI).
DEBUG_LEVEL: Final = 3
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
class TaskEnded:
    """The activity of a task has ended; how, is not said (reported)."""

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
    | TaskEnded
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


REPEATED: Final = (TaskException, DatabaseCorrupted)
KINDS: Final[dict[type[LogSign], str]] = {
    TaskStarted: "task started",
    TaskScheduled: "task scheduled",
    TaskMentioned: "task mentioned",
    TaskEnded: "task ended",
    BackupCompleted: "backup completed",
    BackupRefused: "backup refused",
    OptimizationCompleted: "optimization completed",
    TaskException: "exception",
    DatabaseCorrupted: "corruption",
}


def is_quoted(before: str) -> bool:
    """Return whether what follows this text is a part of a file's name, or of a title."""
    return len(_QUOTE.findall(before)) % 2 == 1 or _IN_A_NAME.search(before) is not None


def time_of(text: Any) -> datetime | None:
    """Return the time of a line, such as "Nov 29, 2024 11:00:09.977" (seen)."""
    match = _TIME.fullmatch(text) if isinstance(text, str) else None
    if match is None or match[1] not in _MONTHS:
        return None
    day, year, hour, minute, second = (int(match[group]) for group in (2, 3, 4, 5, 6))
    try:
        return datetime(year, _MONTHS[match[1]], day, hour, minute, second)  # noqa: DTZ001 - no zone
    except ValueError:
        return None
