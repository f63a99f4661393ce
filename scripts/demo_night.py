"""The nights before the demo began, as the integration would have stored them.

The nights are made up: a server of some size, with Plex's log read, and two automations.
"""

from datetime import UTC, date, datetime, time, timedelta
import json
from pathlib import Path
from typing import Any, Final

from tests.live.instance import write_store

OPENS: Final = time(2)
CLOSES: Final = time(5)
NIGHTS: Final = 14
VERSION: Final = "1.43.4.10903-e5521bd8c"

_BACKUP: Final = "automation.backup_then_snapshot"
_DISTURB: Final = "automation.do_not_disturb"
# Name, every how many nights, minutes after the window has opened, seconds, outcome, started and
# stopped by
_PLAN: Final[tuple[tuple[str, int, int, int, str, str | None, str | None], ...]] = (
    ("OptimizeDatabase", 7, 1, 1145, "succeeded", None, None),
    ("CleanOldBundles", 7, 22, 64, "finished", None, None),
    ("CleanOldCacheFiles", 7, 24, 93, "finished", None, None),
    ("DeepMediaAnalysis", 1, 28, 1260, "finished", None, None),
    ("ButlerTaskGenerateIntroMarkers", 1, 51, 1935, "finished", None, None),
    ("RefreshEpgGuides", 1, 66, 95, "finished", None, None),
    ("ButlerTaskGenerateCreditsMarkers", 2, 85, 2010, "finished", None, None),
    ("RefreshLocalMedia", 3, 109, 540, "end_not_seen", None, None),
    ("BackupDatabase", 1, 120, 221, "succeeded", _BACKUP, None),
    ("LoudnessAnalysis", 1, 126, 2520, "stopped", None, _DISTURB),
)

type Row = dict[str, Any]


def rows(now: datetime) -> list[Row]:
    """Return the runs of the nights that are over, oldest first, by the clock of this machine."""
    today = now.date()
    last = today if now.time() >= CLOSES else today - timedelta(days=1)
    nights = range(NIGHTS - 1, -1, -1)
    return [row for ago in nights for row in _night(last - timedelta(days=ago), ago)]


def _night(day: date, ago: int) -> list[Row]:
    """Return the runs of one night; no two of them take equally long."""
    opened = datetime.combine(day, OPENS).astimezone(UTC)
    night: list[Row] = []
    for task, every, minutes, seconds, outcome, started_by, stopped_by in _PLAN:
        if ago % every:
            continue
        begun = opened + timedelta(minutes=minutes, seconds=(len(task) * 7 + ago * 11) % 60)
        duration = timedelta(seconds=seconds * (1 - ago % 5 / 20))
        seen = outcome != "end_not_seen"
        night.append(
            {
                "task": task,
                "since": begun.isoformat(),
                "ended": (begun + duration).isoformat() if seen else None,
                "duration": duration.total_seconds() if seen else None,
                "outcome": outcome,
                "known_by": "observed",
                "last_known": (begun + duration).isoformat(),
                "ours": started_by is not None,
                "start_known": True,
                "started_by": {"entity_id": started_by} if started_by else None,
                "stopped_by": {"entity_id": stopped_by} if stopped_by else None,
                "plex_log": True,
            }
        )
    return night


def write_nights(folder: Path, file: str, now: datetime) -> None:
    """Add the nights to the two files of an entry that Home Assistant is about to read."""
    nights = rows(now)
    kept = {(row["task"], row["since"]): row for row in [*_stored(folder, file), *nights]}
    history = sorted(kept.values(), key=lambda row: str(row["last_known"]))
    write_store(folder, f"{file}.history", {"runs": history})
    if (folder / ".storage" / file).exists():
        return
    backups = [row["ended"] for row in nights if row["task"] == "BackupDatabase"]
    runs = {
        "version": VERSION,
        "row_proven": True,
        "runs": {},
        "last_runs": list({row["task"]: row for row in nights}.values()),
        "denied": {},
        "backups": {
            "since": nights[0]["since"],
            "silence": 0,
            "time": backups[-1],
            "source": "log",
        },
    }
    write_store(folder, file, runs)


def _stored(folder: Path, file: str) -> list[Row]:
    """Return the runs that an earlier demo has left."""
    path = folder / ".storage" / f"{file}.history"
    stored: list[Row] = json.loads(path.read_text())["data"]["runs"] if path.exists() else []
    return stored
