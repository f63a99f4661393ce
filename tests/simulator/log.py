"""The log of a simulated server, as far as it is sent to those who ask for it.

The wording of the lines follows the patterns of other tools, made from real logs, and users' logs
of 2025. Whether they go over the stream word for word is inferred.
"""

from collections.abc import Callable
from enum import IntEnum
from typing import Any, Final
from uuid import UUID

from .clock import Clock
from .faults import Faults
from .prefs import Preferences

BACKUP: Final = "BackupDatabase"
OPTIMIZE: Final = "OptimizeDatabase"
CREDITS: Final = "media.generate.credits"

_NOISE: Final = (
    "Request: [192.168.1.17:51234 (Subnet)] GET /library/metadata/8201 (4 live)",
    "Scanning the location /mnt/films/Private Film (2019)",
    "Jobs: '/usr/lib/plexmediaserver/Plex Media Scanner' exit code for process 4711 is 0 (success)",
    "[Req#4a1/Transcode] Private Show S01 E01: streaming over 8000 kbps",
    "Completed: [192.168.1.17:51234] 200 GET /library/sections?q=Butler (4 live) 3ms",
)
_BUTLERS: Final = UUID(int=2**127)
"""The activity of Butler as a whole."""
_MALFORMED: Final = "sqlite3_statement_backend::loadOne: database disk image is malformed"
_REQUEST: Final = "Req#4a2/Database optimization/com.plexapp.plugins.library.db"
_AT_START: Final = "DatabaseFixups/25DatabaseFixupsOfSomething"
_INSIDE: Final = "Exception inside transaction (inside=1) (/build/Library/"
_FOREIGN_EXCEPTIONS: Final = (
    f"[{_REQUEST}] {_INSIDE}FullTextSearch.cpp:70): {_MALFORMED}",
    f"Thread: Uncaught exception running async task which was spawned by thread 14: {_MALFORMED}",
    f"[{_AT_START}] {_INSIDE}MetadataCollection.cpp:80): {_MALFORMED}",
    f"[{_AT_START}] Fixup threw an exception: {_MALFORMED}",
)
"""Exceptions that are none of a task; that the last one looks like this is inferred."""
_SCHEMA_CHANGES: Final = 59
"""How often the database says that its schema has changed while it is optimized (seen)."""


class Level(IntEnum):
    """The levels of lines (OpenAPI)."""

    ERROR = 0
    WARN = 1
    INFO = 2
    DEBUG = 3


class Log:
    """What a server writes; a line of debug only while the preference for it is on."""

    def __init__(
        self,
        clock: Clock,
        preferences: Preferences,
        faults: Faults,
        publish: Callable[[str, str, list[dict[str, Any]]], None],
    ) -> None:
        """Begin with an empty log."""
        self._clock = clock
        self._preferences = preferences
        self._faults = faults
        self._publish = publish
        self._chatting = 0.0
        self._owed = 0.0
        self._lines = 0
        self._begun = self._ended = 0
        self._activities: dict[str, str] = {}

    def write(self, text: str, level: Level = Level.DEBUG, thread: int = 140001) -> None:
        """Write a line, in the server's local time."""
        if level >= Level.DEBUG and not self._preferences.values["logDebug"]:
            return
        now = self._clock.now
        row = {
            "level": int(level),
            "thread": str(thread),
            "time": f"{now:%b} {now.day}, {now:%Y %H:%M:%S}.{now.microsecond // 1000:03}",
            "message": text,
        }
        self._publish("log", "LogSentNotification", [row])

    def chatter(self, per_second: float) -> None:
        """Write so many lines a second about other things from now on, whatever happens."""
        idle, self._chatting = not self._chatting, per_second
        if idle:
            self._clock.call_later(1, self._chat)

    def rotate(self) -> None:
        """Begin another file: the banner is that of a start, but nothing starts (seen)."""
        self.write(
            "Plex Media Server v1.43.4.10903-e5521bd8c - Docker Docker Container x86_64",
            Level.INFO,
        )

    def restarted(self) -> None:
        """Write what only a start writes."""
        self.rotate()
        self.write("HttpServer: Listening on port 32400")

    # --- what Butler writes

    def scheduled(self, task: str) -> None:
        """Say that a task waits for a random time."""
        self.write(f"Butler: Scheduling randomized task '{task}'")

    def started(self, task: str, *, delayed: bool) -> None:
        """Say that a task begins."""
        if self._faults.log_activities:
            self._begun += 1
            uuid = self._activities[task] = str(UUID(int=self._begun))
            self._activity(f'registered new sub-activity {uuid} - "{task}"')
        else:
            self.write(f"Butler: {'Running delayed' if delayed else 'Starting'} task '{task}'")
        if self._faults.log_other_verbs:
            self.write(f"Butler: Considering '{task}'")
        if task == BACKUP:
            self.write("Beginning database backup")
        if self._faults.log_exceptions:
            self.write("Uncaught exception running subtask", Level.ERROR)
        if self._faults.log_foreign_exceptions:
            for text in _FOREIGN_EXCEPTIONS:
                self.write(text, Level.ERROR)

    def worked_on(self, activity: str) -> None:
        """Say which item is being worked on, where that was seen."""
        if activity == CREDITS:
            self._lines += 1
            item = 79_140 + self._lines
            self.write(f"Butler: Scheduling credits marker creation for: {item}")
            self.write(f"[CreditsDetectionManager] Running credits detection for item {item}")

    def finished(self, task: str) -> None:
        """Say how a task ended, which is done of two only."""
        if task == BACKUP and self._faults.backup_fails:
            self.write("Database failed its integrity check, not backing up", Level.ERROR)
            text = "Plex Media Server wasn't able to back up your database"
            self.write(text, Level.WARN)
        elif task == BACKUP:
            self.write(f"Database backup completed: {self._faults.backup_code}")
        elif task == OPTIMIZE:
            for _ in range(_SCHEMA_CHANGES):
                self.write("SQLITE3:0x1, 17, database schema has changed", Level.INFO)
            self.write("Database optimization: complete")

    def left(self, task: str) -> None:
        """Say that the activity of a task has ended, if it is one of those that are told."""
        if uuid := self._activities.pop(task, None):
            self._ended += 1
            self._activity(f"ended sub-activity {uuid}")

    def _activity(self, text: str) -> None:
        """Say something of an activity within Butler's, and what share of them has ended."""
        share = 100 * self._ended / self._begun
        progress = f"overall progress: {share:.1f}% ({self._ended}/{self._begun})"
        self.write(f"Activity: {text} parent: {_BUTLERS} {progress}")
        self.write(f"Activity: updated activity {_BUTLERS} - completed {share:.1f}% - Butler tasks")

    def _chat(self) -> None:
        if not self._chatting:
            return
        self._clock.call_later(1, self._chat)
        self._owed += self._chatting
        while self._owed >= 1:
            self._owed -= 1
            self._lines += 1
            self.write(_NOISE[self._lines % len(_NOISE)])
