"""Binary sensors: whether Butler is at work, and whether the server answers."""

from typing import Any, override

from homeassistant.components.binary_sensor import (
    BinarySensorDeviceClass,
    BinarySensorEntity,
    BinarySensorEntityDescription,
)
from homeassistant.const import EntityCategory
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import PlexButlerConfigEntry
from .entity import PlexButlerServerEntity

PARALLEL_UPDATES = 0

MAINTENANCE = BinarySensorEntityDescription(
    key="maintenance",
    translation_key="maintenance",
    device_class=BinarySensorDeviceClass.RUNNING,
)
SERVER = BinarySensorEntityDescription(
    key="server",
    translation_key="server",
    device_class=BinarySensorDeviceClass.CONNECTIVITY,
    entity_category=EntityCategory.DIAGNOSTIC,
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
            ServerBinarySensor(coordinator, SERVER),
        )
    )


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
