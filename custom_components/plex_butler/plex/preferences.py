"""The preferences of a server that decide when Butler runs its tasks.

A server lists about 150 preferences (seen); only those that Butler's schedule depends on are read.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from .decoding import LONGEST_TEXT, bool_of, int_of, text_of
from .parse import MOST_TASKS, rows_in

type PreferenceValue = bool | int | str

WINDOW_START: Final = "ButlerStartHour"
WINDOW_END: Final = "ButlerEndHour"
BEHAVIORS: Final = {
    "ButlerTaskGenerateAdMarkers": "GenerateAdMarkerBehavior",
    "ButlerTaskGenerateCreditsMarkers": "GenerateCreditsMarkerBehavior",
    "ButlerTaskGenerateIntroMarkers": "GenerateIntroMarkerBehavior",
    "ButlerTaskGenerateVoiceActivity": "GenerateVADBehavior",
    "GenerateChapterThumbs": "GenerateChapterThumbBehavior",
    "GenerateMediaIndexFiles": "GenerateBIFBehavior",
    "LoudnessAnalysis": "LoudnessAnalysisBehavior",
    "MusicAnalysis": "MusicAnalysisBehavior",
}
"""The preference that governs each of the heavy tasks, in place of a switch (seen on live servers).

The pairs are inferred from their names, but for two that other clients rely on.
"""
BEHAVIOR_NEVER: Final = "never"
"""The value with which a server does not even run the task if asked to (reported for one task)."""
MOST_ROWS: Final = 10_000
"""How many rows of an answer to `GET /:/prefs` are read; a server lists about 150 (seen)."""
MOST_OPTIONS: Final = 100
"""How many values of one preference are read; an hour has 24 (seen)."""

_SWITCH: Final = "ButlerTask"
_TASKS: Final = {behavior: task for task, behavior in BEHAVIORS.items()}
_HOURS: Final = range(24)


@dataclass(frozen=True, slots=True)
class Preference:
    """The value of a preference, and the values that the server lists for it."""

    value: PreferenceValue
    options: tuple[PreferenceValue, ...]


@dataclass(frozen=True, slots=True)
class Preferences:
    """The preferences that Butler's schedule depends on, by the server's ids; none if it is false."""

    by_id: Mapping[str, Preference] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Return whether the server lists any of them."""
        return bool(self.by_id)

    def get(self, preference_id: str | None) -> PreferenceValue | None:
        """Return a value, None if the preference is not listed."""
        return listed.value if (listed := self.by_id.get(preference_id or "")) else None

    def allows(self, preference_id: str, value: PreferenceValue) -> bool:
        """Return whether a preference is listed, and a value among those that are listed for it."""
        listed = self.by_id.get(preference_id)
        # True equals 1, but is no hour.
        return listed is not None and any(
            value == option and type(value) is type(option) for option in listed.options
        )

    @property
    def window(self) -> tuple[int, int] | None:
        """Return the hours of the server's own clock at which the window opens and closes.

        It is open over midnight if it opens later than it closes, and never if they are the same
        (inferred). None if the server does not list both.
        """
        start, end = self.get(WINDOW_START), self.get(WINDOW_END)
        return (start, end) if isinstance(start, int) and isinstance(end, int) else None

    def switch_of(self, task: str) -> str | None:
        """Return the id of the switch that includes a task in the schedule, None if there is none."""
        preference_id = switch_id(task)
        return preference_id if preference_id in self.by_id else None

    def behavior_of(self, task: str) -> str | None:
        """Return the id of the behavior that governs a task, None if there is none."""
        preference_id = BEHAVIORS.get(task)
        return preference_id if preference_id in self.by_id else None


NO_PREFERENCES: Final = Preferences()


def switch_id(task: str) -> str:
    """Return the id of the switch that includes a task in the schedule, if there is one (seen)."""
    return f"{_SWITCH}{task}"


def task_of(preference_id: str) -> str | None:
    """Return the name of the task that a preference is about, None if it is the window's."""
    if preference_id.startswith(_SWITCH):
        return preference_id.removeprefix(_SWITCH)
    return _TASKS.get(preference_id)


def parse_preferences(body: bytes) -> Preferences:
    """Parse the answer to `GET /:/prefs`; rows that cannot be read are left out.

    The first of two rows with the same id counts. A switch of a task that a behavior governs is left
    out: it has no effect (inferred). Of more than MOST_TASKS switches the rest are left out.
    """
    by_id: dict[str, Preference] = {}
    switches: dict[str, Preference] = {}
    for row in islice(rows_in(body, "Setting"), MOST_ROWS):
        preference_id = row.get("id")
        if not isinstance(preference_id, str) or len(preference_id) > LONGEST_TEXT:
            continue
        if preference := _preference(preference_id, row):
            listed = switches if preference_id.startswith(_SWITCH) else by_id
            listed.setdefault(preference_id, preference)
    for task, behavior in BEHAVIORS.items():
        if behavior in by_id:
            switches.pop(switch_id(task), None)
    return Preferences(by_id | dict(islice(switches.items(), MOST_TASKS)))


def _preference(preference_id: str, row: Mapping[str, Any]) -> Preference | None:
    """Parse one row; None if it is another preference, or cannot be read."""
    value: PreferenceValue | None = None
    options: tuple[PreferenceValue, ...] = ()
    if preference_id in (WINDOW_START, WINDOW_END):
        value = _hour(row.get("value"))
        options = tuple(hour for key in _keys(row) if (hour := _hour(key)) is not None)
    elif preference_id in _TASKS:
        value = text_of(row.get("value"))
        options = tuple(key for key in _keys(row) if key)
    elif preference_id.startswith(_SWITCH) and text_of(row.get("type")) in ("bool", None):
        value = bool_of(row.get("value"))
        options = (False, True)
    return None if value is None else Preference(value, tuple(dict.fromkeys(options)))


def _keys(row: Mapping[str, Any]) -> Iterator[str | None]:
    """Yield the values that a row lists, without their labels.

    An hour is written as `2:2:00`, with U+A789 in place of the second colon, on old servers as
    `0:Midnight`; the values of some preferences have no labels (all seen).
    """
    values = row.get("enumValues")
    for value in values.split("|", MOST_OPTIONS)[:MOST_OPTIONS] if isinstance(values, str) else ():
        yield text_of(value.partition(":")[0])


def _hour(value: Any) -> int | None:
    hour = int_of(value)
    return hour if hour in _HOURS else None
