"""Selects: when the maintenance window opens and closes, and when each heavy task works."""

from typing import override

from homeassistant.components.select import DOMAIN as SELECT_DOMAIN, SelectEntity
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .butler.preferences import WINDOW
from .butler.snapshot import Snapshot
from .coordinator import PlexButlerConfigEntry, PlexButlerCoordinator
from .entity import BEHAVIOR, PlexButlerPreferenceEntity, async_follow_preferences
from .plex import BEHAVIORS, ButlerTask, PreferenceValue

# Commands do not wait for each other: each has a time limit.
PARALLEL_UPDATES = 0

_WINDOW = "window"


async def async_setup_entry(
    hass: HomeAssistant,
    entry: PlexButlerConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the two selects of the window, and one for each behavior."""

    def offered(data: Snapshot, preference_id: str) -> bool:
        listed = data.preferences.by_id.get(preference_id)
        return listed is not None and bool(listed.options)

    def window(data: Snapshot) -> dict[str, str]:
        return {
            key.removeprefix(f"{_WINDOW}_"): key
            for key, preference_id in WINDOW.items()
            if offered(data, preference_id)
        }

    def behaviors(data: Snapshot) -> dict[str, ButlerTask]:
        return {
            name: task
            for name, task in data.tasks.items()
            if name in BEHAVIORS and offered(data, BEHAVIORS[name])
        }

    async_follow_preferences(
        entry, SELECT_DOMAIN, _WINDOW, async_add_entities, window, WindowSelect
    )
    async_follow_preferences(
        entry, SELECT_DOMAIN, BEHAVIOR, async_add_entities, behaviors, BehaviorSelect
    )


class WindowSelect(PlexButlerPreferenceEntity, SelectEntity):
    """The hour, by the server's own clock, at which the window opens or closes."""

    def __init__(self, coordinator: PlexButlerCoordinator, key: str) -> None:
        """Initialize."""
        super().__init__(coordinator, key, WINDOW[key])
        self._attr_translation_key = key

    @property
    @override
    def options(self) -> list[str]:
        """Return the hours that the server lists."""
        return [_as_time(hour) for hour in self.last_listed.options]

    @property
    @override
    def current_option(self) -> str | None:
        """Return the hour."""
        return _as_time(self.shown.value) if self.shown else None

    @override
    async def async_select_option(self, option: str) -> None:
        """Move this end of the window."""
        await self.async_set(int(option.partition(":")[0]))


class BehaviorSelect(PlexButlerPreferenceEntity, SelectEntity):
    """When a task works: never, in the window, or as soon as media is added."""

    _attr_entity_registry_enabled_default = False

    def __init__(self, coordinator: PlexButlerCoordinator, task: ButlerTask) -> None:
        """Initialize."""
        super().__init__(coordinator, f"{BEHAVIOR}_{task.name}", BEHAVIORS[task.name])
        self.name_after(task, f"_{BEHAVIOR}")

    @property
    @override
    def options(self) -> list[str]:
        """Return the values that the server lists."""
        return [str(option) for option in self.last_listed.options]

    @property
    @override
    def current_option(self) -> str | None:
        """Return the value."""
        return str(self.shown.value) if self.shown else None

    @override
    async def async_select_option(self, option: str) -> None:
        """Change the behavior."""
        await self.async_set(option)


def _as_time(hour: PreferenceValue) -> str:
    return f"{hour:02}:00"
