"""Buttons: start one task, start all, stop all."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import override

from homeassistant.components.button import (
    DOMAIN as BUTTON_DOMAIN,
    ButtonEntity,
    ButtonEntityDescription,
)
from homeassistant.const import EntityCategory
from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .commands import Commands
from .coordinator import PlexButlerConfigEntry, PlexButlerCoordinator
from .entity import PlexButlerServerEntity, PlexButlerTaskEntity, async_follow_tasks
from .plex import ButlerTask

# Commands do not wait for each other: each has a time limit, and the server has its own queue.
PARALLEL_UPDATES = 0


@dataclass(frozen=True, kw_only=True)
class PlexButlerButtonDescription(ButtonEntityDescription):
    """Describes a button of the server as a whole."""

    press: Callable[[Commands, Context], Awaitable[None]]


BUTTONS = (
    PlexButlerButtonDescription(
        key="start_all",
        translation_key="start_all",
        press=Commands.start_all,
    ),
    PlexButlerButtonDescription(
        key="stop_all",
        translation_key="stop_all",
        press=Commands.stop_all,
    ),
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: PlexButlerConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the two buttons of the server and one for each task."""
    async_add_entities(
        PlexButlerServerButton(entry.runtime_data, description) for description in BUTTONS
    )
    async_follow_tasks(entry, BUTTON_DOMAIN, async_add_entities, PlexButlerTaskButton)


class PlexButlerServerButton(PlexButlerServerEntity, ButtonEntity):
    """Starts or stops all tasks."""

    entity_description: PlexButlerButtonDescription

    @override
    async def async_press(self) -> None:
        """Send the command."""
        await self.entity_description.press(self.coordinator.commands, self.called_in)


class PlexButlerTaskButton(PlexButlerTaskEntity, ButtonEntity):
    """Starts one task. The switch of the task does so too."""

    _attr_entity_category = EntityCategory.CONFIG

    def __init__(self, coordinator: PlexButlerCoordinator, task: ButlerTask) -> None:
        """Initialize, disabled by default: there are many of these buttons."""
        super().__init__(coordinator, task)
        self._attr_entity_registry_enabled_default = False

    @override
    async def async_press(self) -> None:
        """Start the task."""
        await self.coordinator.commands.start(self.task_name, self.called_in)
