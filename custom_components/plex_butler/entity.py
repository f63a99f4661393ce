"""The base classes of all entities."""

from collections.abc import Callable
from typing import Final, override

from homeassistant.core import callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity import Entity, EntityDescription
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .coordinator import PlexButlerConfigEntry, PlexButlerCoordinator
from .plex import ButlerTask
from .runs.tasks import BY_NAME

_TASK: Final = "task_"


def task_prefix(machine_identifier: str) -> str:
    """Return what the unique ids of the entities of a task begin with; its name follows."""
    return f"{machine_identifier}_{_TASK}"


class PlexButlerEntity(CoordinatorEntity[PlexButlerCoordinator]):
    """Base class of the entities of a server. A state is written only if what it shows has changed."""

    _attr_has_entity_name = True
    _written: object = None

    def __init__(self, coordinator: PlexButlerCoordinator, key: str) -> None:
        """Initialize. `key` must be unique among the entities of one platform and server."""
        super().__init__(coordinator)
        server = coordinator.data.server
        self._attr_unique_id = f"{server.machine_identifier}_{key}"
        self._attr_device_info = coordinator.device_info

    @property
    def shown(self) -> object:
        """Return the part of the coordinator's data that the entity shows, for comparison."""
        return None

    @property
    def _state_depends_on(self) -> object:
        available = self.available
        return (available, self.shown if available else None)

    @override
    async def async_added_to_hass(self) -> None:
        """Follow the coordinator. The first state is written right after this."""
        await super().async_added_to_hass()
        self._written = self._state_depends_on

    @override
    async def async_update(self) -> None:
        """Poll the server because a user asks for that: also for the list of tasks."""
        self.coordinator.session.read_task_list_next()
        await super().async_update()

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Write the state if what the entity shows has changed."""
        if (state := self._state_depends_on) != self._written:
            self._written = state
            self.async_write_ha_state()


class PlexButlerServerEntity(PlexButlerEntity):
    """Base class of the entities of the server as a whole."""

    def __init__(self, coordinator: PlexButlerCoordinator, description: EntityDescription) -> None:
        """Initialize from a description."""
        super().__init__(coordinator, description.key)
        self.entity_description = description


class PlexButlerTaskEntity(PlexButlerEntity):
    """Base class of the entities of one task."""

    def __init__(self, coordinator: PlexButlerCoordinator, task: ButlerTask) -> None:
        """Initialize. A task that is not known is named by the server's own title."""
        super().__init__(coordinator, f"{_TASK}{task.name}")
        self.task_name = task.name
        if known := BY_NAME.get(task.name):
            self._attr_translation_key = known.key
            self._attr_entity_registry_enabled_default = known.enabled_by_default
        else:
            self._attr_translation_key = "task"
            self._attr_translation_placeholders = {"task": task.title}

    @property
    @override
    def available(self) -> bool:
        """Return whether the server answers and lists the task."""
        return super().available and self.task_name in self.coordinator.data.tasks


@callback
def async_follow_tasks(
    entry: PlexButlerConfigEntry,
    platform: str,
    async_add_entities: AddConfigEntryEntitiesCallback,
    create: Callable[[PlexButlerCoordinator, ButlerTask], Entity],
) -> None:
    """Add one entity for every task that the server lists, and remove those of other tasks."""
    coordinator = entry.runtime_data
    registry = er.async_get(coordinator.hass)
    prefix = task_prefix(coordinator.data.server.machine_identifier)
    known: set[str] = set()

    @callback
    def follow() -> None:
        tasks = coordinator.data.tasks
        # An empty list must not remove every entity that a user has named and arranged.
        if not tasks or tasks.keys() == known:
            return
        for registered in er.async_entries_for_config_entry(registry, entry.entry_id):
            if (
                registered.domain == platform
                and registered.unique_id.startswith(prefix)
                and registered.unique_id.removeprefix(prefix) not in tasks
            ):
                registry.async_remove(registered.entity_id)
        async_add_entities(
            create(coordinator, task) for name, task in tasks.items() if name not in known
        )
        known.clear()
        known.update(tasks)

    follow()
    entry.async_on_unload(coordinator.async_add_listener(follow))
