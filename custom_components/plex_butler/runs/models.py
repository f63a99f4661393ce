"""The models of runs: those that go on, and those that have ended."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from .tasks import task_key

USER: Final = "user"
"""The author of what a user did, whoever that was."""


class KnownBy(StrEnum):
    """How it is known that a task runs."""

    OBSERVED = "observed"
    ASSUMED = "assumed"


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asked for a start or a stop: what Home Assistant knows of the call of an action.

    `context_id`, `parent_id`: the context of the call, and the one that led to it. `user_id`: the
    user who made the call. `entity_id`: the automation or script that made it.
    """

    context_id: str | None = None
    parent_id: str | None = None
    user_id: str | None = None
    entity_id: str | None = None

    @property
    def author(self) -> str | None:
        """Return the automation or script, or USER; None if neither is known."""
        return self.entity_id or (USER if self.user_id else None)


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

    `since`: when it began, or was first seen if not `start_known`. `ours`: Home Assistant started it,
    or tried to and got the answer that it was running already. `started_by`: who asked for the start;
    None if it was running already. `plex_log`: Plex's own log says that it started.
    """

    task: str
    since: datetime
    known_by: KnownBy
    ours: bool = False
    start_known: bool = True
    started_by: Origin | None = None
    plex_log: bool = False

    @property
    def started(self) -> datetime | None:
        """Return when it began, or None if that was not seen."""
        return self.since if self.start_known else None

    def moved(self, move: Callable[[datetime], datetime]) -> Run:
        """Return a copy whose times are those of another clock."""
        return replace(self, since=move(self.since))

    def as_dict(self) -> dict[str, Any]:
        """Return the run as in responses and trigger variables."""
        return {
            "task": task_key(self.task),
            "name": self.task,
            "started": _isoformat(self.started),
            "known_by": self.known_by.value,
            "ours": self.ours,
            "started_by": _author(self.started_by),
            "plex_log": self.plex_log,
        }


@dataclass(frozen=True, slots=True)
class EndedRun:
    """A run that has ended.

    `since`, `start_known`, `ours` and `started_by` are those of the `Run`. `ended` and `duration` are
    None if its end was not seen. `last_known` is when the task was last known, or assumed, to run; it
    is never missing. `stopped_by`: who sent the stop that ended it. `plex_log`: Plex's own log says that it
    started, or how it ended.
    """

    task: str
    since: datetime
    ended: datetime | None
    duration: timedelta | None
    outcome: Outcome
    known_by: KnownBy
    last_known: datetime
    ours: bool = False
    start_known: bool = True
    started_by: Origin | None = None
    stopped_by: Origin | None = None
    plex_log: bool = False

    @property
    def started(self) -> datetime | None:
        """Return when it began, or None if that was not seen."""
        return self.since if self.start_known else None

    @property
    def ended_by(self) -> Origin | None:
        """Return who sent the stop or, for a run that ended by itself, the start."""
        return self.stopped_by or self.started_by

    def moved(self, move: Callable[[datetime], datetime]) -> EndedRun:
        """Return a copy whose times are those of another clock."""
        return replace(
            self,
            since=move(self.since),
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
            "ours": self.ours,
            "started_by": _author(self.started_by),
            "stopped_by": _author(self.stopped_by),
            "plex_log": self.plex_log,
        }


type RunEvent = Run | EndedRun
"""A run whose start was seen, or a run that has ended."""


def _isoformat(time: datetime | None) -> str | None:
    return time.isoformat() if time else None


def _author(origin: Origin | None) -> str | None:
    return origin.author if origin else None
