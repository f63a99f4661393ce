"""Sensors: how many tasks run, when each last ran, and when Plex last reported a good backup."""

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

from .butler.backups import GoodBackup
from .coordinator import PlexButlerConfigEntry, PlexButlerCoordinator
from .entity import (
    PlexButlerServerEntity,
    PlexButlerTaskEntity,
    async_follow_tasks,
    async_remove_entity,
)
from .plex import ButlerTask
from .runs.models import EndedRun
from .runs.tasks import task_key

PARALLEL_UPDATES = 0

RUNNING_TASKS = SensorEntityDescription(key="running_tasks", translation_key="running_tasks")
LAST_GOOD_BACKUP = SensorEntityDescription(
    key="last_good_backup",
    translation_key="last_good_backup",
    device_class=SensorDeviceClass.TIMESTAMP,
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: PlexButlerConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the sensor of the server and one for each task."""
    coordinator = entry.runtime_data
    async_add_entities((RunningTasksSensor(coordinator, RUNNING_TASKS),))
    if coordinator.data.backups:
        async_add_entities((LastGoodBackupSensor(coordinator, LAST_GOOD_BACKUP),))
    else:
        async_remove_entity(entry, SENSOR_DOMAIN, LAST_GOOD_BACKUP.key)
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


class LastGoodBackupSensor(PlexButlerServerEntity, SensorEntity):
    """When Plex last reported a good backup; unknown until it does."""

    @property
    @override
    def shown(self) -> GoodBackup | None:
        """Return what the state depends on."""
        return self._last

    @property
    def _last(self) -> GoodBackup | None:
        return backups.last if (backups := self.coordinator.data.backups) else None

    @property
    @override
    def native_value(self) -> datetime | None:
        """Return when the report arrived."""
        return self._last.time if self._last else None

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        """Return where Plex has reported it."""
        return {"source": self._last.source.value if self._last else None}


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
