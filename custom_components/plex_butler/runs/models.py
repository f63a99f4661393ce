"""The models of runs: those that go on, and those that have ended."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from .tasks import task_key


class KnownBy(StrEnum):
    """How it is known that a task runs."""

    OBSERVED = "observed"
    ASSUMED = "assumed"


class Outcome(StrEnum):
    """How a run ended.

    "Succeeded" and "failed" are the words of Plex's own log, where it is read: the API has none.
    """

    FINISHED = "finished"
    STOPPED = "stopped"
    END_NOT_SEEN = "end_not_seen"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Run:
    """A task that runs.

    `started` is None if its start was not seen. `ours`: Home Assistant started it, or tried to and
    got the answer that it was running already. `plex_log`: Plex's own log says that it started.
    """

    task: str
    started: datetime | None
    known_by: KnownBy
    ours: bool = False
    plex_log: bool = False

    def moved(self, move: Callable[[datetime], datetime]) -> Run:
        """Return a copy whose times are those of another clock."""
        return replace(self, started=self.started and move(self.started))

    def as_dict(self) -> dict[str, Any]:
        """Return the run as in responses and trigger variables."""
        return {
            "task": task_key(self.task),
            "name": self.task,
            "started": _isoformat(self.started),
            "known_by": self.known_by.value,
            "ours": self.ours,
            "plex_log": self.plex_log,
        }


@dataclass(frozen=True, slots=True)
class EndedRun:
    """A run that has ended.

    `ended` and `duration` are None if its end was not seen. `last_known` is when the task was last
    known, or assumed, to run; it is never missing. `plex_log`: Plex's own log says that it started
    or how it ended.
    """

    task: str
    started: datetime | None
    ended: datetime | None
    duration: timedelta | None
    outcome: Outcome
    known_by: KnownBy
    last_known: datetime
    plex_log: bool = False

    def moved(self, move: Callable[[datetime], datetime]) -> EndedRun:
        """Return a copy whose times are those of another clock."""
        return replace(
            self,
            started=self.started and move(self.started),
            ended=self.ended and move(self.ended),
            last_known=move(self.last_known),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the run as in responses and trigger variables, with `duration` in seconds."""
        return {
            "task": task_key(self.task),
            "name": self.task,
            "outcome": self.outcome.value,
            "started": _isoformat(self.started),
            "ended": _isoformat(self.ended),
            "duration": None if self.duration is None else self.duration.total_seconds(),
            "last_known": _isoformat(self.last_known),
            "known_by": self.known_by.value,
            "plex_log": self.plex_log,
        }


type RunEvent = Run | EndedRun
"""A run whose start was seen, or a run that has ended."""


def _isoformat(time: datetime | None) -> str | None:
    return time.isoformat() if time else None
