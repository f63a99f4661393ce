"""Sensors: which task runs, which ran last, when each last ran, and the last good backup."""

from datetime import datetime
from typing import Any, Final, override

from homeassistant.components.sensor import (
    DOMAIN as SENSOR_DOMAIN,
    SensorDeviceClass,
    SensorEntity,
    SensorEntityDescription,
    SensorStateClass,
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
from .runs.tasks import BY_NAME, KNOWN_TASKS, task_key

PARALLEL_UPDATES = 0

NOTHING: Final = "nothing"
SEVERAL: Final = "several"
ANOTHER_TASK: Final = "another_task"
NOT_TOLD: Final = "not_told"

_KEYS: Final = sorted(task.key for task in KNOWN_TASKS)
_HOW_IT_RAN: Final = ("outcome", "started", "ended", "duration", "known_by", "plex_log")

CURRENT_TASK = SensorEntityDescription(
    key="current_task",
    translation_key="current_task",
    device_class=SensorDeviceClass.ENUM,
    options=[NOTHING, *_KEYS, ANOTHER_TASK, SEVERAL, NOT_TOLD],
)
LAST_TASK = SensorEntityDescription(
    key="last_task",
    translation_key="last_task",
    device_class=SensorDeviceClass.ENUM,
    options=[*_KEYS, ANOTHER_TASK],
)
RUNNING_TASKS = SensorEntityDescription(
    key="running_tasks",
    translation_key="running_tasks",
    state_class=SensorStateClass.MEASUREMENT,
    entity_registry_enabled_default=False,
)
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
    """Add the sensors of the server and one for each task."""
    coordinator = entry.runtime_data
    async_add_entities(
        (
            CurrentTaskSensor(coordinator, CURRENT_TASK),
            LastTaskSensor(coordinator, LAST_TASK),
            RunningTasksSensor(coordinator, RUNNING_TASKS),
        )
    )
    if coordinator.data.backups:
        async_add_entities((LastGoodBackupSensor(coordinator, LAST_GOOD_BACKUP),))
    else:
        async_remove_entity(entry, SENSOR_DOMAIN, LAST_GOOD_BACKUP.key)
    async_follow_tasks(entry, SENSOR_DOMAIN, async_add_entities, LastRunSensor)


class CurrentTaskSensor(PlexButlerServerEntity, SensorEntity):
    """The task that runs, in words; Plex does not always tell which it is."""

    @property
    @override
    def shown(self) -> tuple[list[str], bool]:
        """Return what the state depends on."""
        return [*self.coordinator.data.running], self.coordinator.data.maintenance

    @property
    @override
    def native_value(self) -> str:
        """Return the key of the task that is known, or assumed, to run."""
        match self.shown:
            case [], True:
                return NOT_TOLD
            case [], _:
                return NOTHING
            case [task], _:
                return _key(task)
        return SEVERAL

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        """Return the keys of the tasks that run, or the name of a task that has none."""
        return {"tasks": [task_key(name) for name in self.coordinator.data.running]}


class LastTaskSensor(PlexButlerServerEntity, SensorEntity):
    """The task that ended last, in words, and how."""

    @property
    @override
    def shown(self) -> EndedRun | None:
        """Return what the state depends on."""
        runs = [*self.coordinator.data.last_runs.values()]
        return runs[-1] if runs else None

    @property
    @override
    def native_value(self) -> str | None:
        """Return the key of the task; unknown before the first run has ended."""
        return _key(run.task) if (run := self.shown) else None

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        """Return the key of the task, or its name if it has none, and how it ran."""
        run = self.shown
        return {"tasks": [task_key(run.task)] if run else []} | _how_it_ran(run)


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
        return _how_it_ran(self._last_run)


def _key(task: str) -> str:
    return known.key if (known := BY_NAME.get(task)) else ANOTHER_TASK


def _how_it_ran(run: EndedRun | None) -> dict[str, Any]:
    details = run.as_dict() if run else {}
    return {key: details.get(key) for key in _HOW_IT_RAN}
