"""A process that does nothing but store the runs of a server, until somebody kills it."""

import asyncio
from datetime import UTC, datetime, timedelta
import json
import logging
import os
import sys
from typing import Final, override

from homeassistant.core import HomeAssistant
from homeassistant.helpers.storage import get_internal_store_manager

from custom_components.plex_butler.entry_file import EntryFile
from custom_components.plex_butler.run_store import RUNS, StoredRuns
from custom_components.plex_butler.runs.models import EndedRun, KnownBy, Outcome

ENTRY_ID: Final = "0123456789abcdef"
TASKS: Final = 500
"""So many that a write takes a while."""

_BEGAN: Final = datetime(2026, 11, 2, tzinfo=UTC)


def runs_of(generation: int) -> StoredRuns:
    """Return what is stored at a write; everything in it tells of which one it is."""
    ended = _BEGAN + timedelta(minutes=generation)
    last_runs = {
        name: EndedRun(
            task=name,
            since=_BEGAN,
            ended=ended,
            duration=ended - _BEGAN,
            outcome=Outcome.FINISHED,
            known_by=KnownBy.OBSERVED,
            last_known=ended,
        )
        for name in (f"Task{number}" for number in range(TASKS))
    }
    return StoredRuns(str(generation), row_proven=True, last_runs=last_runs)


class _Counter(logging.Handler):
    """Counts what is logged at warning or above."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def main(folder: str) -> None:
    """For each line that arrives, fork a process that writes until it is killed.

    Home Assistant is imported once for all of them, which takes longest.
    """
    for _ in sys.stdin:
        if child := os.fork():
            os.waitpid(child, 0)
            tell("dead")
        else:
            tell(os.getpid())
            log = _Counter()
            logging.getLogger().addHandler(log)
            asyncio.run(_write(folder, log))
            os._exit(0)


def tell(what: object) -> None:
    """Write a line of JSON; that nobody reads it any more ends this process."""
    # In one piece: Python may be told not to buffer.
    sys.stdout.write(f"{json.dumps(what)}\n")
    sys.stdout.flush()


async def _write(folder: str, log: _Counter) -> None:
    """Tell what is stored and what was logged at reading it; then write, and tell each write."""
    hass = HomeAssistant(folder)
    await get_internal_store_manager(hass).async_initialize()
    stored = await EntryFile(hass, ENTRY_ID, RUNS).load()
    generation = int(stored.version or 0)
    as_written = stored == (runs_of(generation) if generation else StoredRuns())
    tell({"generation": generation, "as_written": as_written, "logged": log.texts})
    while True:
        generation += 1
        # As at every reload of the entry: written at once, by a store of its own.
        await EntryFile(hass, ENTRY_ID, RUNS).close(runs_of(generation))
        tell(generation)


if __name__ == "__main__":
    main(sys.argv[1])
