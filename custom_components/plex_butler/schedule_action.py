"""The action that changes the server's own schedule: what it takes, what it sends, what it returns."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from homeassistant.core import Context
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv
import voluptuous as vol

from .butler.preferences import WINDOW
from .const import DOMAIN
from .coordinator import PlexButlerCoordinator
from .plex import Preferences, PreferenceValue, task_of
from .runs.tasks import task_key

_SWITCHES: Final[dict[str, PreferenceValue]] = {"include": True, "leave_out": False}
_BEHAVIORS: Final[dict[str, PreferenceValue]] = {
    "never": "never",
    "in_window": "scheduled",
    "as_soon_as_added": "asap",
}
_FIELD_OF: Final[dict[PreferenceValue | None, str]] = {
    value: field for field, value in (_SWITCHES | _BEHAVIORS).items()
}


def _whole_number(value: Any) -> int:
    """Validate a whole number: half past two is no hour, and neither is true."""
    number: float = vol.Coerce(float)(value)
    if isinstance(value, bool) or not number.is_integer():
        raise vol.Invalid("expected a whole number")
    return int(number)


_HOUR: Final = vol.All(_whole_number, vol.Range(min=0, max=23))
_TASKS: Final = vol.All(cv.ensure_list, [cv.string])

SCHEDULE_FIELDS: Final = {
    **{vol.Optional(key): _HOUR for key in WINDOW},
    **{vol.Optional(field): _TASKS for field in (*_SWITCHES, *_BEHAVIORS)},
}


async def async_set_schedule(
    coordinator: PlexButlerCoordinator, data: Mapping[str, Any], context: Context
) -> dict[str, Any]:
    """Change the schedule, and return what was before and what the server has now.

    Both have the fields of the action, so that what was before can be passed to it again.
    """
    values = _values(coordinator, data)
    before = await coordinator.commands.set_schedule(values, context, read_before=True)
    return {
        "before": _as_data(before, values),
        "after": _as_data(coordinator.session.preferences, values),
    }


def _values(
    coordinator: PlexButlerCoordinator, data: Mapping[str, Any]
) -> dict[str, PreferenceValue]:
    """Return the values to set, by the server's ids. Raises ServiceValidationError."""
    preferences = coordinator.session.preferences
    server = coordinator.config_entry.title
    values: dict[str, PreferenceValue] = {
        preference_id: data[key] for key, preference_id in WINDOW.items() if key in data
    }
    without, contradictory = dict[str, None](), dict[str, None]()
    for fields, id_of in (
        (_SWITCHES, preferences.switch_of),
        (_BEHAVIORS, preferences.behavior_of),
    ):
        for field, value in fields.items():
            for wanted in data.get(field, ()):
                task = coordinator.commands.find(wanted).name
                if (preference_id := id_of(task)) is None:
                    without[task_key(task)] = None
                elif values.setdefault(preference_id, value) != value:
                    contradictory[task_key(task)] = None
    if without:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="schedule_not_listed",
            translation_placeholders={"server": server, "settings": ", ".join(without)},
        )
    if contradictory:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="schedule_contradiction",
            translation_placeholders={"server": server, "tasks": ", ".join(contradictory)},
        )
    if not values:
        raise ServiceValidationError(
            translation_domain=DOMAIN,
            translation_key="schedule_empty",
            translation_placeholders={"server": server},
        )
    return values


def _as_data(preferences: Preferences, ids: Iterable[str]) -> dict[str, Any]:
    """Return what the server has of some preferences, in the fields of the action."""
    data: dict[str, Any] = {
        key: preferences.get(preference_id)
        for key, preference_id in WINDOW.items()
        if preference_id in ids
    }
    for preference_id in ids:
        if task := task_of(preference_id):
            value = preferences.get(preference_id)
            data.setdefault(_FIELD_OF.get(value, str(value)), []).append(task_key(task))
    return data
