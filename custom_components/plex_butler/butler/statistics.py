"""What this server has shown so far, in counts: the part of a bug report that answers questions.

Nothing here names anything of the owner's: types, statuses and counts only.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ..plex import BUTLER_ROW, Activity, ActivityChanged, Notification


@dataclass(slots=True)
class Observations:
    """Counts of what the server showed since this entry was set up."""

    polls: int = 0
    row_uuids: set[str] = field(default_factory=set)
    row_progress: Counter[int | None] = field(default_factory=Counter)
    activity_types: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    stream: Counter[str] = field(default_factory=Counter)
    frames: Counter[str] = field(default_factory=Counter)
    tells_activities: bool | None = None
    _uuids: set[str] = field(default_factory=set)

    def polled(self, activities: Iterable[Activity] | None) -> None:
        """Count a poll of `/activities`; None is a server that has no such list."""
        self.polls += 1
        self.tells_activities = activities is not None
        rows = tuple(activities or ())
        for row in rows:
            if row.type == BUTLER_ROW:
                self.row_uuids.add(row.uuid)
                self.row_progress[row.progress] += 1
            elif row.uuid not in self._uuids:
                self.activity_types[row.type] += 1
        self._uuids = {row.uuid for row in rows}

    def told(self, change: Notification) -> None:
        """Count what a frame of the notification stream told."""
        if isinstance(change, ActivityChanged):
            self.frames["ended" if change.ended else "there"] += 1
            self.frames["butler row"] += change.activity.type == BUTLER_ROW
        else:
            self.frames["preferences"] += 1

    def answered(self, command: str, answer: str, *, enabled: bool | None = None) -> None:
        """Count the answer to a command; `enabled` tells of the task that it was sent for."""
        self.answers[f"{command}: {answer}{' (disabled task)' if enabled is False else ''}"] += 1

    def as_dict(self) -> dict[str, Any]:
        """Return the counts for the diagnostics download."""
        return {
            "polls": self.polls,
            "tells_activities": self.tells_activities,
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
        }
