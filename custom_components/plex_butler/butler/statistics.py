"""Counts of what a server has shown, for bug reports.

They hold types, answers and counts, and nothing private.
"""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from ..plex import (
    BUTLER_ROW,
    Activity,
    ActivityChanged,
    Notification,
    PreferencesChanged,
    SessionChanged,
)
from ..runs.models import RunEvent
from .backups import GoodBackup

MOST_KINDS: Final = 200
"""How many types, and how many uuids of Butler's row, are counted separately; real servers have fewer."""
MOST_BACKUPS: Final = 20
"""How many reports of good backups are kept; there are one or two a week."""

_OTHER: Final = "other"


@dataclass(slots=True)
class Statistics:
    """Counts since the config entry was set up."""

    polls: int = 0
    row_uuids: set[str] = field(default_factory=set)
    row_progress: Counter[int | None] = field(default_factory=Counter)
    activity_types: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    stream: Counter[str] = field(default_factory=Counter)
    frames: Counter[str] = field(default_factory=Counter)
    log: Counter[str] = field(default_factory=Counter)
    webhook: Counter[str] = field(default_factory=Counter)
    backups: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=MOST_BACKUPS))
    lists_activities: bool | None = None
    _uuids: set[str] = field(default_factory=set)

    def count_poll(self, activities: Iterable[Activity] | None) -> None:
        """Count a poll of `/activities`; None means that the server has no such list."""
        self.polls += 1
        self.lists_activities = activities is not None
        listed = tuple(activities or ())
        for activity in listed:
            type_ = activity.type
            if type_ == BUTLER_ROW:
                if len(self.row_uuids) < MOST_KINDS:
                    self.row_uuids.add(activity.uuid)
                self.row_progress[activity.progress] += 1
            elif activity.uuid not in self._uuids:
                known = type_ in self.activity_types or len(self.activity_types) < MOST_KINDS
                self.activity_types[type_ if known else _OTHER] += 1
        self._uuids = {activity.uuid for activity in listed}

    def count_change(self, change: Notification) -> None:
        """Count a change that the notification stream brought."""
        if isinstance(change, ActivityChanged):
            self.frames["ended" if change.ended else "started or updated"] += 1
            self.frames["butler row"] += change.activity.type == BUTLER_ROW
        elif isinstance(change, PreferencesChanged):
            self.frames["preferences"] += 1
        elif isinstance(change, SessionChanged):
            self.frames["sessions"] += 1
        else:
            self.frames["changes dropped"] += 1

    def count_answer(self, command: str, answer: str, *, enabled: bool | None = None) -> None:
        """Count the answer to a command. `enabled`: whether the schedule includes its task."""
        self.answers[f"{command}: {answer}{' (disabled task)' if enabled is False else ''}"] += 1

    def record_backup(self, backup: GoodBackup, run: RunEvent | None) -> None:
        """Record a report of a good backup, with the run of that task which goes on, or the last one."""
        self.backups.append({**backup.as_dict(), "run": run and run.as_dict()})

    def as_dict(self) -> dict[str, Any]:
        """Return the counts for the diagnostics download."""
        return {
            "polls": self.polls,
            "lists_activities": self.lists_activities,
            "butler_row": {
                "seen": bool(self.row_uuids),
                "uuids_seen": len(self.row_uuids),
                "polls_by_progress": {str(k): v for k, v in self.row_progress.items()},
            },
            "activities_by_type": dict(self.activity_types),
            "answers": dict(self.answers),
            "failures": dict(self.failures),
            "stream": dict(self.stream),
            "frames": dict(self.frames),
            "log": dict(self.log),
            "webhook": dict(self.webhook),
            "backups": list(self.backups),
        }
