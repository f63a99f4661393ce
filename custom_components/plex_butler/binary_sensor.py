"""Binary sensors: is Butler at work, and does the server answer."""

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
    """On while Butler is at work, whether Plex says with which task or not."""

    @property
    @override
    def is_on(self) -> bool:
        """Return whether Butler is at work."""
        return self.coordinator.data.maintenance


class ServerBinarySensor(PlexButlerServerEntity, BinarySensorEntity):
    """On while the server answers, or is known to be held up by its own maintenance."""

    @property
    @override
    def available(self) -> bool:
        """Return True: that the server is away is what this entity is there to say."""
        return True

    @property
    @override
    def is_on(self) -> bool:
        """Return whether the server can be used."""
        return self.coordinator.last_update_success

    @property
    @override
    def extra_state_attributes(self) -> dict[str, Any]:
        """Return whether the server is too busy with its maintenance to answer."""
        return {"busy": self.coordinator.last_update_success and self.coordinator.data.busy}
