"""What entities show of one server."""

from collections.abc import Mapping
from dataclasses import dataclass

from ..plex import ButlerTask, Server
from ..runs.models import EndedRun, Run


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything that entities show, at one moment.

    `tasks`, `running` and `last_runs` go by the server's own task names; `busy` is a server that
    accepts connections but answers nothing because its maintenance holds it.
    """

    server: Server
    tasks: Mapping[str, ButlerTask]
    running: Mapping[str, Run]
    last_runs: Mapping[str, EndedRun]
    maintenance: bool
    busy: bool = False
