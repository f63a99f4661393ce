"""Switches: one for each task, on while it runs, and one for its place in the server's schedule."""

from typing import Any, override

from homeassistant.components.switch import DOMAIN as SWITCH_DOMAIN, SwitchEntity
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .butler.snapshot import Snapshot
from .const import CONF_LOG
from .coordinator import PlexButlerConfigEntry, PlexButlerCoordinator
from .entity import (
    SCHEDULED,
    PlexButlerPreferenceEntity,
    PlexButlerTaskEntity,
    async_follow_preferences,
    async_follow_tasks,
)
from .plex import ButlerTask, switch_id
from .runs.models import KnownBy, Run

# Commands do not wait for each other: each has a time limit, and the server has its own queue.
PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant,
    entry: PlexButlerConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add a switch for each task, and one for each that a switch of Plex's schedules."""

    def scheduled(data: Snapshot) -> dict[str, ButlerTask]:
        return {name: task for name, task in data.tasks.items() if data.preferences.switch_of(name)}

    async_follow_tasks(entry, SWITCH_DOMAIN, async_add_entities, PlexButlerTaskSwitch)
    async_follow_preferences(
        entry, SWITCH_DOMAIN, SCHEDULED, async_add_entities, scheduled, PlexButlerScheduleSwitch
    )


class PlexButlerTaskSwitch(PlexButlerTaskEntity, SwitchEntity):
    """On while a task runs; turning it on starts the task, turning it off stops it."""

    # Without a category, "turn everything on" in an area would start every task at once.
    _attr_entity_category = EntityCategory.CONFIG

    @property
    @override
    def shown(self) -> tuple[Run | None, bool | None, bool]:
        """Return what the state depends on."""
        return self._run, self._schedule_enabled, self._queued

    @property
    def _queued(self) -> bool:
        return self.task_name in self.coordinator.data.queued

    @property
    def _schedule_enabled(self) -> bool | None:
        task = self.coordinator.data.tasks.get(self.task_name)
        return task.enabled if task else None

    @property
    def _run(self) -> Run | None:
        return self.coordinator.data.running.get(self.task_name)

    @property
    @override
    def is_on(self) -> bool:
        """Return whether the task is known, or assumed, to run."""
        return self._run is not None

    @property
    @override
    def assumed_state(self) -> bool:
        """Return whether the task is only assumed to run. A switch that is off is never assumed."""
        return self._run is not None and self._run.known_by is KnownBy.ASSUMED

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        """Return whether the server's schedule includes the task; None if the server does not say.

        If the server's log is read, also whether it says that the task waits for its time, which it
        does not tell.
        """
        attributes = {"schedule_enabled": self._schedule_enabled}
        if self.coordinator.config_entry.options.get(CONF_LOG):
            attributes["queued"] = self._queued
        return attributes

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Start the task."""
        await self.coordinator.commands.start(self.task_name, self.called_in)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Stop the task."""
        await self.coordinator.commands.stop(self.task_name, self.called_in)


class PlexButlerScheduleSwitch(PlexButlerPreferenceEntity, SwitchEntity):
    """On if the server's own schedule includes a task."""

    _attr_entity_registry_enabled_default = False

    def __init__(self, coordinator: PlexButlerCoordinator, task: ButlerTask) -> None:
        """Initialize."""
        super().__init__(coordinator, f"{SCHEDULED}_{task.name}", switch_id(task.name))
        self.name_after(task, f"_{SCHEDULED}")

    @property
    @override
    def is_on(self) -> bool | None:
        """Return whether the schedule includes the task."""
        return bool(self.shown.value) if self.shown else None

    @override
    async def async_turn_on(self, **kwargs: Any) -> None:
        """Include the task in the schedule."""
        await self.async_set(True)

    @override
    async def async_turn_off(self, **kwargs: Any) -> None:
        """Leave the task out of the schedule."""
        await self.async_set(False)
