"""Switches: one for each task, on while it is known or assumed to run."""

from typing import Any, override

from homeassistant.components.switch import DOMAIN as SWITCH_DOMAIN, SwitchEntity
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .const import CONF_LOG
from .coordinator import PlexButlerConfigEntry
from .entity import PlexButlerTaskEntity, async_follow_tasks
from .runs.models import KnownBy, Run

# Commands do not wait for each other: each has a time limit, and the server has its own queue.
PARALLEL_UPDATES = 0


async def async_setup_entry(
    hass: HomeAssistant,
    entry: PlexButlerConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add a switch for each task."""
    async_follow_tasks(entry, SWITCH_DOMAIN, async_add_entities, PlexButlerTaskSwitch)


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
