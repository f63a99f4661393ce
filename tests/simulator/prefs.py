"""The preferences of a simulated server: those that Butler's schedule depends on, and a few more."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from .faults import Faults
from .tasks import Task

type Value = bool | float | str

_HOURS: Final = "|".join(f"{hour}:{hour}\ua78900" for hour in range(24))
_OLD_HOURS: Final = "|".join(
    ["0:Midnight", *(f"{hour}:{hour % 12 or 12} {'ap'[hour // 12]}m" for hour in range(1, 24))]
)
_BEHAVIOR: Final = (
    "never:never|scheduled:as a scheduled task|asap:as a scheduled task and when media is added"
)
_TYPES: Final = {bool: "bool", int: "int", float: "double", str: "text"}


@dataclass(frozen=True, slots=True)
class Setting:
    """A preference as a server describes it; the type of its default is its type."""

    id: str
    default: Value
    group: str = ""
    label: str = ""
    summary: str = ""
    hidden: bool = False
    advanced: bool = False
    enum_values: str = ""
    plex_pass: bool = False

    def read(self, text: str) -> Value:
        """Return a value from a query's text. Raises ValueError for what is no number."""
        if isinstance(self.default, bool):
            return text.lower() in ("1", "true")
        return type(self.default)(text)

    def as_dict(self, value: Value) -> dict[str, Any]:
        """Return its row."""
        row: dict[str, Any] = {
            "id": self.id,
            "label": self.label,
            "summary": self.summary,
            "type": _TYPES[type(self.default)],
            "default": self.default,
            "value": value,
            "hidden": self.hidden,
            "advanced": self.advanced,
            "group": self.group,
        }
        return row | ({"enumValues": self.enum_values} if self.enum_values else {})


def _butler(name: str, label: str, *, default: bool = True, hidden: bool = False) -> Setting:
    return Setting(f"ButlerTask{name}", default, "butler", label, hidden=hidden)


def _behavior(
    name: str, label: str, default: str = "scheduled", *, plex_pass: bool = False
) -> Setting:
    return Setting(
        f"{name}Behavior", default, "library", label, enum_values=_BEHAVIOR, plex_pass=plex_pass
    )


# As on 1.43, but for the behaviors that only a Plex Pass brings: their labels are made up.
SETTINGS: Final = (
    Setting("FriendlyName", "", "general", "Friendly name"),
    Setting("requestLimitsScale", 1.0, "network", hidden=True),
    Setting("BackgroundQueueIdlePaused", False, hidden=True),
    Setting(
        "allowedNetworks",
        "",
        "network",
        "List of IP addresses and networks that are allowed without auth",
        "Comma separated list of IP addresses or networks that need not log in.",
        advanced=True,
    ),
    Setting("logDebug", True, "general", "Enable Plex Media Server debug logging", advanced=True),
    Setting(
        "ButlerStartHour",
        2,
        "butler",
        "Time at which tasks start to run",
        "The time at which the server starts running background maintenance tasks.",
        enum_values=_HOURS,
    ),
    Setting(
        "ButlerEndHour",
        5,
        "butler",
        "Time at which tasks stop running",
        "The time at which the background maintenance tasks stop running.",
        enum_values=_HOURS,
    ),
    _butler("BackupDatabase", "Backup database every three days"),
    Setting(
        "ButlerDatabaseBackupPath",
        "/config/Library/Application Support/Plex Media Server/Plug-in Support/Databases",
        "butler",
        "Backup directory",
        "The directory in which database backups are stored.",
        advanced=True,
    ),
    _butler("OptimizeDatabase", "Optimize database every week"),
    _butler("CleanOldBundles", "Remove old bundles every week"),
    _butler("CleanOldCacheFiles", "Remove old cache files every week"),
    _butler("RefreshLocalMedia", "Refresh local metadata every three days"),
    _butler("RefreshLibraries", "Update all libraries during maintenance", default=False),
    _butler("UpgradeMediaAnalysis", "Upgrade media analysis during maintenance"),
    _butler("RefreshPeriodicMetadata", "Refresh library metadata periodically"),
    _butler("DeepMediaAnalysis", "Perform extensive media analysis during maintenance"),
    _butler("GarbageCollectBlobs", "Perform cleanup on blobs database", hidden=True),
    _butler("RefreshEpgGuides", "Perform refresh of program guide data.", hidden=True),
    Setting(
        "ButlerUpdateChannel",
        "16",
        "general",
        "Server update Channel",
        enum_values="16:unknown",
    ),
    # What it decided is decided by the next one (inferred).
    Setting("ButlerTaskGenerateMediaIndexFiles", False, hidden=True),
    _behavior("GenerateBIF", "Generate video preview thumbnails", "never"),
    _behavior("GenerateChapterThumb", "Generate chapter thumbnails"),
    _behavior("LoudnessAnalysis", "Analyze audio tracks for loudness"),
    _behavior("GenerateIntroMarker", "Generate intro video markers", "asap", plex_pass=True),
    _behavior("GenerateCreditsMarker", "Generate credits video markers", "asap", plex_pass=True),
    _behavior("GenerateAdMarker", "Generate ad video markers", plex_pass=True),
    _behavior("MusicAnalysis", "Analyze audio tracks for sonic features", plex_pass=True),
    _behavior("GenerateVAD", "Generate voice activity data", "never", plex_pass=True),
)


class Preferences:
    """The preferences by id, and the night window that two of them make."""

    def __init__(
        self,
        faults: Faults,
        tasks: dict[str, Task],
        allowed_networks: str,
        has_plex_pass: Callable[[], bool],
    ) -> None:
        """Take the defaults, which say what is enabled."""
        self._faults = faults
        self._tasks = tasks
        self._has_plex_pass = has_plex_pass
        self._settings = {setting.id: setting for setting in SETTINGS}
        self._refusals = 0
        self.values: dict[str, Value] = {setting.id: setting.default for setting in SETTINGS}
        self.values["allowedNetworks"] = allowed_networks
        for name in self.values:
            self._enable(name)

    def add(self, setting: Setting) -> None:
        """Let an update of the server bring a preference."""
        self._settings[setting.id] = setting
        self.values[setting.id] = setting.default

    def remove(self, name: str) -> None:
        """Let an update of the server drop a preference."""
        del self._settings[name], self.values[name]

    def is_listed(self, name: str) -> bool:
        """Tell whether there is one of this name; some come with a Plex Pass."""
        setting = self._settings.get(name)
        return setting is not None and (not setting.plex_pass or self._has_plex_pass())

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the settings as `GET /:/prefs` lists them."""
        for name in self._settings:
            if self.is_listed(name):
                yield self.row(name)

    def row(self, name: str) -> dict[str, Any]:
        """Return one setting. Raises KeyError for a name that there is none of."""
        if not self.is_listed(name):
            raise KeyError(name)
        row = self._settings[name].as_dict(self.values[name])
        if self._faults.old_hour_labels and row.get("enumValues") == _HOURS:
            row["enumValues"] = _OLD_HOURS
        if self._faults.no_enum_labels and "enumValues" in row:
            values = str(row["enumValues"]).split("|")
            row["enumValues"] = "|".join(value.partition(":")[0] for value in values)
        return row

    def notification(self, name: str) -> dict[str, Any]:
        """Return one setting as a notification tells it: types are mixed (seen in a client)."""
        row = self.row(name)
        value = row["value"]
        is_bool = isinstance(value, bool)
        default = row["default"]
        return row | {
            "default": str(int(default) if isinstance(default, bool) else default),
            "value": int(value) if is_bool else value,
        }

    def put(self, name: str, text: str) -> bool:
        """Set one from a query's text, and what it enables; False if there is none of that name.

        What is no number changes nothing (inferred).
        """
        if not self.is_listed(name):
            return False
        self._refusals = self._faults.prefs_unreadable
        if not self._faults.prefs_ignored:
            with suppress(ValueError):
                self.values[name] = self._settings[name].read(text)
            self._enable(name)
        return True

    def refuses_to_be_read(self) -> bool:
        """Tell whether a read comes too soon after a change (reported), and count it."""
        refuses = self._refusals > 0
        self._refusals -= refuses
        return refuses

    def is_never(self, task: str) -> bool:
        """Tell whether a task's behavior keeps it from running, even if it is started by name."""
        if self._faults.never_is_ignored:
            return False
        name = self._tasks[task].preference if task in self._tasks else None
        return name is not None and self.is_listed(name) and self.values[name] == "never"

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

    def _enable(self, name: str) -> None:
        for task in self._tasks.values():
            if task.preference == name:
                task.enabled = self.values[name] not in (False, "never")

    def _hour(self, name: str) -> int:
        return int(self.values[name])
