"""What entities show of one server."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ..plex import ButlerTask, Server
from ..runs.models import EndedRun, Run

MAINTENANCE: Final = ""
"""Stands for Butler as a whole beside the names of tasks; no task has such a name."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that entities show, at one moment.

    The keys of `tasks`, `running` and `last_runs` are the server's own task names. `server_busy`: the
    server accepts connections but answers nothing, because of its maintenance. `sessions`: in how
    many something is played; None if that is not known.
    """

    server: Server
    tasks: Mapping[str, ButlerTask]
    running: Mapping[str, Run]
    last_runs: Mapping[str, EndedRun]
    maintenance: bool
    server_busy: bool = False
    sessions: int | None = None

    def differences(self, shown: Snapshot) -> set[str]:
        """Return the names of tasks whose runs differ, and MAINTENANCE if that differs."""
        differing = set[str]()
        if self.running != shown.running:
            tasks = self.running.keys() | shown.running.keys()
            differing = {t for t in tasks if self.running.get(t) != shown.running.get(t)}
        if self.last_runs is not shown.last_runs:
            differing |= {t for t, run in self.last_runs.items() if run != shown.last_runs.get(t)}
        if self.maintenance != shown.maintenance:
            differing.add(MAINTENANCE)
        return differing
