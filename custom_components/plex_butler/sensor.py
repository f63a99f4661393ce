"""The sensor that counts the tasks known to run."""

from typing import Any, override

from homeassistant.components.sensor import SensorEntity, SensorEntityDescription
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import PlexButlerConfigEntry
from .entity import PlexButlerServerEntity
from .tasks import task_key

PARALLEL_UPDATES = 0

RUNNING_TASKS = SensorEntityDescription(key="running_tasks", translation_key="running_tasks")


async def async_setup_entry(
    hass: HomeAssistant,
    entry: PlexButlerConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the sensor of the server."""
    async_add_entities((RunningTasksSensor(entry.runtime_data, RUNNING_TASKS),))


class RunningTasksSensor(PlexButlerServerEntity, SensorEntity):
    """Counts the tasks that are known to run; 0 during maintenance: Plex does not say which."""

    @property
    @override
    def native_value(self) -> int:
        """Return how many tasks are known, or assumed, to run."""
        return len(self.coordinator.data.running)

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        """Return the keys of these tasks; the name where a task is not in our table."""
        return {"tasks": [task_key(name) for name in self.coordinator.data.running]}
