"""Binary sensors: whether Butler works, somebody plays something, the server answers, a backup is overdue."""

from typing import Any, override

from homeassistant.components.binary_sensor import (
    DOMAIN as BINARY_SENSOR_DOMAIN,
    BinarySensorDeviceClass,
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .butler.backups import BackupReport
from .coordinator import PlexButlerConfigEntry
from .entity import PlexButlerServerEntity, async_remove_entity

PARALLEL_UPDATES = 0

MAINTENANCE = BinarySensorEntityDescription(
    key="maintenance",
    translation_key="maintenance",
    device_class=BinarySensorDeviceClass.RUNNING,
)
BEING_WATCHED = BinarySensorEntityDescription(
    key="being_watched",
    translation_key="being_watched",
)
SERVER = BinarySensorEntityDescription(
    key="server",
    translation_key="server",
    device_class=BinarySensorDeviceClass.CONNECTIVITY,
    entity_category=EntityCategory.DIAGNOSTIC,
)
BACKUP_OVERDUE = BinarySensorEntityDescription(
    key="backup_overdue",
    translation_key="backup_overdue",
    device_class=BinarySensorDeviceClass.PROBLEM,
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: PlexButlerConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the binary sensors of the server."""
    coordinator = entry.runtime_data
    async_add_entities(
        (
            MaintenanceBinarySensor(coordinator, MAINTENANCE),
            BeingWatchedBinarySensor(coordinator, BEING_WATCHED),
            ServerBinarySensor(coordinator, SERVER),
        )
    )
    if coordinator.data.backups:
        async_add_entities((BackupOverdueBinarySensor(coordinator, BACKUP_OVERDUE),))
    else:
        async_remove_entity(entry, BINARY_SENSOR_DOMAIN, BACKUP_OVERDUE.key)


class MaintenanceBinarySensor(PlexButlerServerEntity, BinarySensorEntity):
    """On while Butler is at work, also if it is not known with which task."""

    @property
    @override
    def shown(self) -> bool:
        """Return what the state depends on."""
        return self.coordinator.data.maintenance

    @property
    @override
    def is_on(self) -> bool:
        """Return whether Butler is at work."""
        return self.coordinator.data.maintenance


class BeingWatchedBinarySensor(PlexButlerServerEntity, BinarySensorEntity):
    """On while somebody plays something from the server; a paused film is not being watched.

    Unknown if the server has no list of its sessions. They are counted only for this entity, while it
    is enabled; nothing of them is known but how many there are.
    """

    @override
    async def async_added_to_hass(self) -> None:
        """Let the sessions be counted, for the first time before the first state is written."""
        self.async_on_remove(await self.coordinator.async_count_sessions())
        await super().async_added_to_hass()

    @property
    @override
    def shown(self) -> int | None:
        """Return what the state depends on."""
        return self.coordinator.data.sessions

    @property
    @override
    def is_on(self) -> bool | None:
        """Return whether somebody plays something."""
        return None if self.shown is None else self.shown > 0

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        """Return in how many sessions something is played."""
        return {"sessions": self.shown}


class ServerBinarySensor(PlexButlerServerEntity, BinarySensorEntity):
    """On while the server answers, or while its own maintenance keeps it from answering."""

    @property
    @override
    def available(self) -> bool:
        """Return True, because the state is whether the server answers."""
        return True

    @property
    @override
    def shown(self) -> tuple[bool, bool]:
        """Return what the state depends on."""
        return self.coordinator.last_update_success, self.coordinator.data.server_busy

    @property
    @override
    def is_on(self) -> bool:
        """Return whether the server answers, or is busy."""
        return self.coordinator.last_update_success

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        """Return whether the server is busy: its maintenance keeps it from answering."""
        return {"busy": self.coordinator.last_update_success and self.coordinator.data.server_busy}


class BackupOverdueBinarySensor(PlexButlerServerEntity, BinarySensorEntity):
    """On if Plex has not reported a good backup for too long; unknown if that cannot be told."""

    @property
    @override
    def shown(self) -> BackupReport | None:
        """Return what the state depends on."""
        return self.coordinator.data.backups

    @property
    @override
    def is_on(self) -> bool | None:
        """Return whether a backup is overdue."""
        return self.shown.overdue if self.shown else None

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        """Return since when nothing was reported."""
        return {"not_told_since": self.shown.silent_since.isoformat() if self.shown else None}
