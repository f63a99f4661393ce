"""The preferences of a simulated server: those that Butler's schedule depends on, and a few more."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from .tasks import Task

type Value = bool | int | str

# id: (type, group, default, hidden, enumValues); as a 1.43 server shows them.
_HOURS = "|".join(f"{hour}:{hour}\ua78900" for hour in range(24))
_BEHAVIOR = (
    "never:never|scheduled:as a scheduled task|asap:as a scheduled task and when media is added"
)
_SETTINGS: dict[str, tuple[str, str, Value, bool, str]] = {
    "FriendlyName": ("text", "general", "", False, ""),
    "BackgroundQueueIdlePaused": ("bool", "", False, True, ""),
    "requestLimitsScale": ("double", "network", "1.0", True, ""),
    "allowedNetworks": ("text", "network", "", False, ""),
    "ButlerStartHour": ("int", "butler", 2, False, _HOURS),
    "ButlerEndHour": ("int", "butler", 5, False, _HOURS),
    "ButlerDatabaseBackupPath": ("text", "butler", "/var/backups/plex", False, ""),
    "ButlerTaskRefreshPeriodicMetadata": ("bool", "butler", True, False, ""),
}


class Preferences:
    """The preferences by id, and the night window that two of them make."""

    def __init__(self, tasks: dict[str, Task]) -> None:
        """Take the defaults; those of the tasks follow what is enabled."""
        self._tasks = tasks
        self._settings = dict(_SETTINGS)
        for task in tasks.values():
            if (name := task.preference) is None:
                continue
            if name.endswith("Behavior"):
                default: Value = "scheduled" if task.enabled else "never"
                self._settings[name] = ("text", "library", default, False, _BEHAVIOR)
            else:
                hidden = name.endswith(("Blobs", "EpgGuides"))
                self._settings[name] = ("bool", "butler", task.enabled, hidden, "")
        self.values: dict[str, Value] = {name: row[2] for name, row in self._settings.items()}

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the settings as `GET /:/prefs` lists them."""
        for name in self._settings:
            yield self.row(name)

    def row(self, name: str) -> dict[str, Any]:
        """Return one setting. Raises KeyError for a name that there is none of."""
        type_, group, default, hidden, values = self._settings[name]
        row: dict[str, Any] = {
            "id": name,
            "label": name,
            "summary": "",
            "type": type_,
            "default": default,
            "value": self.values[name],
            "hidden": hidden,
            "advanced": name == "ButlerDatabaseBackupPath",
            "group": group,
        }
        return row | {"enumValues": values} if values else row

    def put(self, name: str, text: str) -> bool:
        """Set one from a query's text, and what it enables; False if there is none of that name."""
        if name not in self._settings:
            return False
        type_ = self._settings[name][0]
        value: Value = text
        if type_ == "bool":
            value = text.lower() in ("1", "true")
        elif type_ == "int":
            value = int(text)
        self.values[name] = value
        for task in self._tasks.values():
            if task.preference == name:
                task.enabled = value not in (False, "never")
        return True

    def seconds_until_window(self, now: datetime) -> float:
        """Return how long it is until the window opens; a day and more where it is empty."""
        opens = now.replace(hour=self._hour("ButlerStartHour"), minute=0, second=0, microsecond=0)
        if opens <= now:
            opens += timedelta(days=1)
        return (opens - now).total_seconds()

    def seconds_left_in_window(self, now: datetime) -> float:
        """Return how long the window stays open, 0 if it is not; it may wrap at midnight."""
        start, end = self._hour("ButlerStartHour"), self._hour("ButlerEndHour")
        inside = start <= now.hour < end if start <= end else now.hour >= start or now.hour < end
        if not inside:
            return 0
        closes = now.replace(hour=end, minute=0, second=0, microsecond=0)
        if closes <= now:
            closes += timedelta(days=1)
        return (closes - now).total_seconds()

    def _hour(self, name: str) -> int:
        return int(self.values[name])
