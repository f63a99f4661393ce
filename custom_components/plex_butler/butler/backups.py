"""What Plex itself reports of its backups, over its webhook or in its log.

Its API never says whether a backup succeeded. Nor does Plex report one that failed (official): only
a long silence can mean that. Silence counts only while somebody listened.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from ..plex import ButlerTask
from ..runs.models import EndedRun, Outcome
from .clock import SteadyClock

BACKUP_TASK: Final = "BackupDatabase"
"""The name of the task that backs up the database (OpenAPI)."""
SAME_BACKUP: Final = timedelta(minutes=10)
"""How far apart webhook and log report the same backup at most (inferred)."""
SAME_REPORT: Final = timedelta(minutes=1)
"""The same for two reports of one source: an account may hold two addresses of one webhook."""

_OVERDUE_INTERVALS: Final = 2
_OVERDUE_DAYS: Final = 1
NOW: Final = timedelta()
# Of these runs Plex may have reported nothing, although they made a good backup: whether one that
# was started by hand is reported is not known.
_MAYBE_GOOD: Final = (Outcome.FINISHED, Outcome.END_NOT_SEEN)


class BackupSource(StrEnum):
    """Where Plex has reported a good backup."""

    LOG = "log"
    WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True)
class GoodBackup:
    """A backup that Plex reported as good; `time` is when the report arrived."""

    time: datetime
    source: BackupSource

    def as_dict(self) -> dict[str, Any]:
        """Return the backup as in trigger variables."""
        return {"reported": self.time.isoformat(), "source": self.source.value}


@dataclass(frozen=True, slots=True)
class StoredBackups:
    """What is stored of the reports.

    `since`: when listening began; `silence`: for how long nothing was reported while listening.
    """

    since: datetime
    silence: timedelta = timedelta()
    time: datetime | None = None
    source: BackupSource | None = None


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What entities show. `overdue` is None if nobody can tell.

    `silent_since` is when the last good backup was reported or, before the first, listening began.
    """

    last: GoodBackup | None
    silent_since: datetime
    overdue: bool | None


class Backups:
    """The reports of one server. It is listened to from the creation of this object on, unless paused."""

    def __init__(self, clock: SteadyClock, stored: StoredBackups | None = None) -> None:
        """Initialize with what is stored."""
        self._clock = clock
        self._listening_since: datetime | None = clock.now()
        stored = stored or StoredBackups(since=self._utc)
        self._since, self._silence = stored.since, stored.silence
        self.last: GoodBackup | None = None
        if stored.time and stored.source:
            self.last = GoodBackup(stored.time, stored.source)

    @property
    def _utc(self) -> datetime:
        return self._clock.utc(self._clock.now())

    @property
    def _silent_for(self) -> timedelta:
        since = self._listening_since
        return self._silence + (self._clock.now() - since if since else timedelta())

    def listen(self, *, listening: bool) -> None:
        """Record whether a report would be received from now on: otherwise silence says nothing."""
        if listening != (self._listening_since is not None):
            self._silence = self._silent_for
            self._listening_since = self._clock.now() if listening else None

    def record_good_backup(self, source: BackupSource, age: timedelta = NOW) -> GoodBackup | None:
        """Record a good backup that was reported `age` ago; None if the same was reported before."""
        before, backup = self.last, GoodBackup(self._utc - age, source)
        self._silence = age
        if self._listening_since:
            self._listening_since = self._clock.now()
        if before:
            apart = SAME_REPORT if before.source is source else SAME_BACKUP
            if abs(backup.time - before.time) <= apart:
                return None
        self.last = backup
        return backup

    def to_store(self) -> StoredBackups:
        """Return what is to be stored."""
        stored = StoredBackups(self._since, self._silent_for)
        last = self.last
        return replace(stored, time=last.time, source=last.source) if last else stored

    def report(self, task: ButlerTask | None, last_run: EndedRun | None) -> BackupReport:
        """Return what to show; `task` is that of the backup, `last_run` its last run."""
        last = self.last
        return BackupReport(
            last, last.time if last else self._since, self._is_overdue(task, last_run)
        )

    def _is_overdue(self, task: ButlerTask | None, last_run: EndedRun | None) -> bool | None:
        """Return whether a backup is overdue: twice the interval of its task and a day have passed."""
        if task is None or not task.interval_days:
            return None
        limit = timedelta(days=_OVERDUE_INTERVALS * task.interval_days + _OVERDUE_DAYS)
        now, silent = self._utc, self._silent_for > limit
        # A clock that was set back makes both times lie ahead.
        if self.last and now - self.last.time <= limit and not silent:
            return False
        if last_run and last_run.outcome in _MAYBE_GOOD and abs(now - last_run.last_known) <= limit:
            return None
        return True if silent else None
