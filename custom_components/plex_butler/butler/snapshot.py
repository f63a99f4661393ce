"""What entities show of one server."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter
from typing import Final

from ..plex import NO_PREFERENCES, ButlerTask, Preferences, Server
from ..runs.models import EndedRun, Origin, Run
from .backups import BackupReport

MAINTENANCE: Final = ""
"""Stands for Butler as a whole beside the names of tasks; no task has such a name."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that entities show, at one moment.

    The keys of `tasks`, `running` and `last_runs` are the server's own task names; `last_runs` are in
    the order in which they have ended. `server_busy`: the server accepts connections but answers
    nothing, because of its maintenance. `preferences` are those that decide when Butler runs the
    tasks; none if the server does not list them. `sessions`: in how many something is played; None if
    that is not known. `queued`: the tasks that wait for a time which the server does not tell, by the
    word of its log. `backups` is None if neither Plex's log nor its webhook is used.
    """

    server: Server
    tasks: Mapping[str, ButlerTask]
    running: Mapping[str, Run]
    last_runs: Mapping[str, EndedRun]
    maintenance: bool
    server_busy: bool = False
    preferences: Preferences = NO_PREFERENCES
    sessions: int | None = None
    queued: frozenset[str] = frozenset()
    backups: BackupReport | None = None

    def differences(self, shown: Snapshot) -> set[str]:
        """Return the names of tasks whose runs differ, and MAINTENANCE if that or the queue differs."""
        differing = set[str]()
        if self.running != shown.running:
            tasks = self.running.keys() | shown.running.keys()
            differing = {t for t in tasks if self.running.get(t) != shown.running.get(t)}
        if self.last_runs is not shown.last_runs:
            differing |= {t for t, run in self.last_runs.items() if run != shown.last_runs.get(t)}
        if self.maintenance != shown.maintenance or self.queued != shown.queued:
            differing.add(MAINTENANCE)
        return differing

    def origins(self, shown: Snapshot, asked_by: Origin | None) -> dict[str, Origin | None]:
        """Return whose doing it is that the runs of tasks differ, the latest change last.

        `asked_by` sent the command whose effects these are: also that a task which Plex says to be
        running already is shown as such.
        """
        changes: list[tuple[datetime, str, Origin | None]] = []
        for task in self.differences(shown) - {MAINTENANCE}:
            run, ended = self.running.get(task), self.last_runs.get(task)
            if run and run != shown.running.get(task):
                changes.append(
                    (run.since, task, run.started_by or (asked_by if run.ours else None))
                )
            elif ended:
                changes.append((ended.last_known, task, ended.ended_by))
        return {task: origin for _, task, origin in sorted(changes, key=itemgetter(0))}
