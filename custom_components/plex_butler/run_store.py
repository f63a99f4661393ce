"""What is remembered of one server over restarts: the runs that go on, and each task's last run."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.helpers.storage import Store
from homeassistant.util import dt as dt_util

from .const import DOMAIN, LOGGER
from .runs.models import EndedRun, KnownBy, Outcome
from .runs.tracked_run import Evidence

SAVE_DELAY: Final = 10.0
"""How long a change may wait to be written, in seconds."""

_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Memories:
    """What is remembered. `version` is the server's, for which `row_proven` holds."""

    version: str | None = None
    row_proven: bool = False
    runs: Mapping[str, Evidence] = field(default_factory=dict)
    last_runs: Mapping[str, EndedRun] = field(default_factory=dict)


class Memory:
    """The file of one config entry."""

    def __init__(
        self, hass: HomeAssistant, entry_id: str, remember: Callable[[], Memories]
    ) -> None:
        """Initialize; `remember` is asked for what there is to be written.

        `closed` is True once the entry is unloaded: nothing is kept or told of it any more.
        """
        self._store = _store(hass, entry_id)
        self._remember = remember
        self.closed = False

    async def load(self) -> Memories:
        """Read the file; what cannot be read in it is forgotten."""
        stored = await self._store.async_load() or {}
        try:
            return Memories(
                stored["version"],
                bool(stored["row_proven"]),
                {task: _evidence(row) for task, row in stored["runs"].items()},
                {row["task"]: _ended_run(row) for row in stored["last_runs"]},
            )
        except KeyError, TypeError, ValueError, AttributeError:
            if stored:
                LOGGER.warning("What was remembered of a server cannot be read and is forgotten")
            return Memories()

    def save_soon(self) -> None:
        """Write what has changed in a while, or when Home Assistant stops."""
        self._store.async_delay_save(self._content, SAVE_DELAY)

    async def close(self) -> None:
        """Write everything now; the file belongs to whoever sets the entry up next."""
        self.closed = True
        await self._store.async_save(self._content())

    def _content(self) -> dict[str, Any]:
        memories = self._remember()
        return {
            "version": memories.version,
            "row_proven": memories.row_proven,
            "runs": {task: _row(evidence) for task, evidence in memories.runs.items()},
            "last_runs": [_row(ended) for ended in memories.last_runs.values()],
        }


async def async_forget(hass: HomeAssistant, entry_id: str) -> None:
    """Remove the file of an entry that is gone."""
    await _store(hass, entry_id).async_remove()


def _store(hass: HomeAssistant, entry_id: str) -> Store[dict[str, Any]]:
    return Store(hass, _VERSION, f"{DOMAIN}.{entry_id}")


def _row(record: Evidence | EndedRun) -> dict[str, Any]:
    """Turn a record into what JSON can hold."""
    row: dict[str, Any] = {}
    for key, value in asdict(record).items():
        match value:
            case datetime():
                row[key] = value.isoformat()
            case timedelta():
                row[key] = value.total_seconds()
            case frozenset():
                row[key] = sorted(value)
            case _:
                row[key] = value
    return row


def _evidence(row: Mapping[str, Any]) -> Evidence:
    return Evidence(
        **{
            **row,
            "since": _needed_time(row["since"]),
            "grace_until": _time(row["grace_until"]),
            "known_by": KnownBy(row["known_by"]),
            "foreign": frozenset(row["foreign"]),
            "item_seen": _time(row["item_seen"]),
            "row_seen": _time(row["row_seen"]),
        }
    )


def _ended_run(row: Mapping[str, Any]) -> EndedRun:
    duration = row["duration"]
    return EndedRun(
        **{
            **row,
            "started": _time(row["started"]),
            "ended": _time(row["ended"]),
            "duration": None if duration is None else timedelta(seconds=duration),
            "outcome": Outcome(row["outcome"]),
            "known_by": KnownBy(row["known_by"]),
            "last_known": _needed_time(row["last_known"]),
        }
    )


def _needed_time(text: str) -> datetime:
    return dt_util.parse_datetime(text, raise_on_error=True)


def _time(text: str | None) -> datetime | None:
    return None if text is None else _needed_time(text)
