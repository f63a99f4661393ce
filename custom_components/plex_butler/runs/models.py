"""What is told of runs: to the entities, the triggers and the actions."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from .tasks import task_key


class KnownBy(StrEnum):
    """How it is known that a task runs."""

    OBSERVED = "observed"
    ASSUMED = "assumed"


class Outcome(StrEnum):
    """How a run ended. Never "succeeded": Plex does not tell."""

    FINISHED = "finished"
    STOPPED = "stopped"
    END_NOT_SEEN = "end_not_seen"


class Maintenance(StrEnum):
    """What Butler as a whole did."""

    STARTED = "maintenance_started"
    OVER = "maintenance_over"


@dataclass(frozen=True, slots=True)
class Run:
    """A task that runs. `started` is None where it was running before anybody looked.

    `ours`: Home Assistant started it, or the server told us that it was running already.
    """

    task: str
    started: datetime | None
    known_by: KnownBy
    ours: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return it as responses and triggers tell it."""
        return {
            "task": task_key(self.task),
            "name": self.task,
            "started": _text(self.started),
            "known_by": self.known_by.value,
            "ours": self.ours,
        }


@dataclass(frozen=True, slots=True)
class EndedRun:
    """A run that is over. `ended` and `duration` are None where the end was not seen.

    `last_known` is always there: when the task was last known, or assumed, to run.
    """

    task: str
    started: datetime | None
    ended: datetime | None
    duration: timedelta | None
    outcome: Outcome
    known_by: KnownBy
    last_known: datetime

    def as_dict(self) -> dict[str, Any]:
        """Return it as responses and triggers tell it; `duration` is in seconds."""
        return {
            "task": task_key(self.task),
            "name": self.task,
            "outcome": self.outcome.value,
            "started": _text(self.started),
            "ended": _text(self.ended),
            "duration": None if self.duration is None else self.duration.total_seconds(),
            "last_known": _text(self.last_known),
            "known_by": self.known_by.value,
        }


type RunNews = Run | EndedRun
"""A run whose start was seen, or one that is over."""

type News = RunNews | Maintenance


def _text(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
