"""The base classes of all entities."""

from collections.abc import Callable, Mapping
from typing import Final, override

from homeassistant.const import EntityCategory
from homeassistant.core import Context, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity import Entity, EntityDescription
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.helpers.update_coordinator import CoordinatorEntity

from .butler.snapshot import Snapshot
from .const import DOMAIN
from .coordinator import PlexButlerConfigEntry, PlexButlerCoordinator
from .plex import ButlerTask, Preference, PreferenceValue
from .runs.tasks import BY_NAME

BEHAVIOR: Final = "behavior"
SCHEDULED: Final = "scheduled"
_TASK: Final = "task"
_OF_TASKS: Final = {
    "button": (_TASK,),
    "select": (BEHAVIOR,),
    "sensor": (_TASK,),
    "switch": (_TASK, SCHEDULED),
}
"""The kinds of entities that tasks have, by their platforms."""


def task_prefix(machine_identifier: str) -> str:
    """Return what the unique ids of the entities of a task begin with; its name follows."""
    return f"{machine_identifier}_{_TASK}_"


def task_of(entity: er.RegistryEntry, machine_identifier: str) -> str | None:
    """Return the server's name of the task that an entity is about, None for one of the server's."""
    kind, _, task = entity.unique_id.removeprefix(f"{machine_identifier}_").partition("_")
    return task if kind in _OF_TASKS.get(entity.domain, ()) else None


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

    def name_after(self, task: ButlerTask, suffix: str = "") -> None:
        """Name the entity after a task; one that is not known is named by the server's own title."""
        if known := BY_NAME.get(task.name):
            self._attr_translation_key = f"{known.key}{suffix}"
        else:
            self._attr_translation_key = f"{_TASK}{suffix}"
            self._attr_translation_placeholders = {"task": task.title}

    @property
    def shown(self) -> object:
        """Return the part of the coordinator's data that the entity shows, for comparison."""
        return None

    @property
    def called_in(self) -> Context:
        """Return the context of the action that is being called on the entity."""
        return self._context or Context()

    @property
    def changed_in(self) -> Context | None:
        """Return the context of the change that is being shown, None for Home Assistant's own guess."""
        return self.coordinator.origins.context_of_server()

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
            if context := self.changed_in:
                self.async_set_context(context)
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
        """Initialize."""
        super().__init__(coordinator, f"{_TASK}_{task.name}")
        self.task_name = task.name
        self.name_after(task)
        if known := BY_NAME.get(task.name):
            self._attr_entity_registry_enabled_default = known.enabled_by_default

    @property
    @override
    def changed_in(self) -> Context | None:
        """Return the context of the change of the task that is being shown."""
        return self.coordinator.origins.context_of_task(self.task_name)

    @property
    @override
    def available(self) -> bool:
        """Return whether the server answers and lists the task."""
        return super().available and self.task_name in self.coordinator.data.tasks


class PlexButlerPreferenceEntity(PlexButlerEntity):
    """Base class of the entities of one preference of the server."""

    _attr_entity_category = EntityCategory.CONFIG

    def __init__(self, coordinator: PlexButlerCoordinator, key: str, preference_id: str) -> None:
        """Initialize with the server's own id of a preference that it lists."""
        super().__init__(coordinator, key)
        self._preference_id = preference_id
        self._last_listed = coordinator.data.preferences.by_id[preference_id]

    @property
    @override
    def available(self) -> bool:
        """Return whether the server answers and lists the preference."""
        return super().available and self.shown is not None

    @property
    @override
    def shown(self) -> Preference | None:
        """Return the preference, None if the server does not list it."""
        return self.coordinator.data.preferences.by_id.get(self._preference_id)

    @property
    def last_listed(self) -> Preference:
        """Return the preference as the server lists it, or as it did last.

        Home Assistant shows, and keeps, what there is to choose from also of an entity that is not
        available.
        """
        return self.shown or self._last_listed

    @callback
    @override
    def _handle_coordinator_update(self) -> None:
        """Keep the preference, and write the state if it has changed."""
        self._last_listed = self.last_listed
        super()._handle_coordinator_update()

    async def async_set(self, value: PreferenceValue) -> None:
        """Set the preference."""
        await self.coordinator.commands.set_schedule({self._preference_id: value}, self.called_in)


@callback
def async_remove_entity(entry: PlexButlerConfigEntry, platform: str, key: str) -> None:
    """Remove an entity of the server that the options no longer include."""
    coordinator = entry.runtime_data
    registry = er.async_get(coordinator.hass)
    unique_id = f"{coordinator.data.server.machine_identifier}_{key}"
    if entity_id := registry.async_get_entity_id(platform, DOMAIN, unique_id):
        registry.async_remove(entity_id)


@callback
def async_follow_tasks(
    entry: PlexButlerConfigEntry,
    platform: str,
    async_add_entities: AddConfigEntryEntitiesCallback,
    create: Callable[[PlexButlerCoordinator, ButlerTask], Entity],
) -> None:
    """Add one entity for every task that the server lists, and remove those of other tasks."""
    _async_follow(
        entry, platform, _TASK, async_add_entities, lambda data: data.tasks or None, create
    )


@callback
def async_follow_preferences[T](
    entry: PlexButlerConfigEntry,
    platform: str,
    kind: str,
    async_add_entities: AddConfigEntryEntitiesCallback,
    listed: Callable[[Snapshot], Mapping[str, T]],
    create: Callable[[PlexButlerCoordinator, T], Entity],
) -> None:
    """Do the same for preferences of one kind; `listed` returns what stands for each of them."""
    _async_follow(
        entry,
        platform,
        kind,
        async_add_entities,
        lambda data: listed(data) if data.preferences and data.tasks else None,
        create,
    )


@callback
def _async_follow[T](
    entry: PlexButlerConfigEntry,
    platform: str,
    kind: str,
    async_add_entities: AddConfigEntryEntitiesCallback,
    listed: Callable[[Snapshot], Mapping[str, T] | None],
    create: Callable[[PlexButlerCoordinator, T], Entity],
) -> None:
    """Add one entity of a kind for everything that is listed, and remove the others of that kind.

    An empty list, for which `listed` returns None, must not remove every entity that a user has
    named and arranged.
    """
    coordinator = entry.runtime_data
    registry = er.async_get(coordinator.hass)
    prefix = f"{coordinator.data.server.machine_identifier}_{kind}_"
    known: set[str] = set()

    @callback
    def follow() -> None:
        items = listed(coordinator.data)
        if items is None or items.keys() == known:
            return
        for registered in er.async_entries_for_config_entry(registry, entry.entry_id):
            if (
                registered.domain == platform
                and registered.unique_id.startswith(prefix)
                and registered.unique_id.removeprefix(prefix) not in items
            ):
                registry.async_remove(registered.entity_id)
        async_add_entities(
            create(coordinator, item) for name, item in items.items() if name not in known
        )
        known.clear()
        known.update(items)

    follow()
    entry.async_on_unload(coordinator.async_add_listener(follow))
