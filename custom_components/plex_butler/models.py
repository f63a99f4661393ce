"""What travels from the coordinator to the entities."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from .plex import ButlerTask, Server


class KnownBy(StrEnum):
    """How it is known that a task runs."""

    OBSERVED = "observed"
    ASSUMED = "assumed"


class Outcome(StrEnum):
    """How a run ended. Never "succeeded": Plex does not tell."""

    FINISHED = "finished"
    STOPPED = "stopped"
    END_NOT_SEEN = "end_not_seen"


@dataclass(frozen=True, slots=True)
class Run:
    """A task that runs. `started` is None where it was running before anybody looked."""

    task: str
    started: datetime | None
    known_by: KnownBy


@dataclass(frozen=True, slots=True)
class EndedRun:
    """A run that is over. `ended` and `duration` are None where the end was not seen."""

    task: str
    started: datetime | None
    ended: datetime | None
    duration: timedelta | None
    outcome: Outcome
    known_by: KnownBy


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that entities show, at one moment.

    `tasks` and `running` go by the server's own task names; `busy` is a server that accepts
    connections but answers nothing because its maintenance holds it.
    """

    server: Server
    tasks: Mapping[str, ButlerTask]
    running: Mapping[str, Run]
    maintenance: bool
    busy: bool = False
