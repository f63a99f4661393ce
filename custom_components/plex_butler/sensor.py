"""Sensors: how many tasks are known to run, and when each task last ran."""

from datetime import datetime
from typing import Any, override

from homeassistant.components.sensor import (
    DOMAIN as SENSOR_DOMAIN,
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import PlexButlerConfigEntry, PlexButlerCoordinator
from .entity import PlexButlerServerEntity, PlexButlerTaskEntity, async_follow_tasks
from .plex import ButlerTask
from .runs.models import EndedRun
from .runs.tasks import task_key

PARALLEL_UPDATES = 0

RUNNING_TASKS = SensorEntityDescription(key="running_tasks", translation_key="running_tasks")


async def async_setup_entry(
    hass: HomeAssistant,
    entry: PlexButlerConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the sensor of the server and one for each task."""
    async_add_entities((RunningTasksSensor(entry.runtime_data, RUNNING_TASKS),))
    async_follow_tasks(entry, SENSOR_DOMAIN, async_add_entities, LastRunSensor)


class RunningTasksSensor(PlexButlerServerEntity, SensorEntity):
    """The number of running tasks; 0 during maintenance if it is not known which task runs."""

    @property
    @override
    def shown(self) -> list[str]:
        """Return what the state depends on."""
        return [*self.coordinator.data.running]

    @property
    @override
    def native_value(self) -> int:
        """Return how many tasks are known, or assumed, to run."""
        return len(self.coordinator.data.running)

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        """Return the keys of these tasks, or the name of a task that has none."""
        return {"tasks": [task_key(name) for name in self.coordinator.data.running]}


class LastRunSensor(PlexButlerTaskEntity, SensorEntity):
    """When a task was last known to run, and how that run ended."""

    _attr_device_class = SensorDeviceClass.TIMESTAMP
    _attr_entity_category = EntityCategory.DIAGNOSTIC

    def __init__(self, coordinator: PlexButlerCoordinator, task: ButlerTask) -> None:
        """Initialize, disabled by default: there are many of these sensors."""
        super().__init__(coordinator, task)
        self._attr_entity_registry_enabled_default = False

    @property
    @override
    def shown(self) -> EndedRun | None:
        """Return what the state depends on."""
        return self._last_run

    @property
    def _last_run(self) -> EndedRun | None:
        return self.coordinator.data.last_runs.get(self.task_name)

    @property
    @override
    def native_value(self) -> datetime | None:
        """Return when the task was last known to run; unknown before its first run has ended."""
        return self._last_run.last_known if self._last_run else None

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        """Return how the run ended, how long it took in seconds, and how it is known."""
        details = self._last_run.as_dict() if self._last_run else {}
        attributes = ("outcome", "started", "ended", "duration", "known_by")
        return {key: details.get(key) for key in attributes}
