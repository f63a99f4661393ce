"""Entities that a user has enabled: they are disabled by default."""

from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_butler.const import DOMAIN
from tests.simulator import SimulatedPlex


def enable(
    hass: HomeAssistant, entry: MockConfigEntry, server: SimulatedPlex, platform: str, key: str
) -> None:
    """Enable an entity of an entry that is not set up yet."""
    if entry.entry_id not in {each.entry_id for each in hass.config_entries.async_entries()}:
        entry.add_to_hass(hass)
    er.async_get(hass).async_get_or_create(
        platform,
        DOMAIN,
        f"{server.machine_identifier}_{key}",
        config_entry=entry,
        suggested_object_id=f"{server.friendly_name}_{key}".lower(),
    )
