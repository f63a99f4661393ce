"""Plex Butler: the maintenance tasks of Plex Media Server in Home Assistant."""

from homeassistant.const import CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.typing import ConfigType

from .connection import create_client, create_session
from .const import DOMAIN, PLATFORMS
from .coordinator import PlexButlerConfigEntry, PlexButlerCoordinator
from .issues import async_clear_issues
from .services import async_setup_services

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register the actions: they exist, and explain themselves, without a loaded server too."""
    async_setup_services(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: PlexButlerConfigEntry) -> bool:
    """Set up one server."""
    session = create_session(hass, verify_ssl=entry.data[CONF_VERIFY_SSL])
    client = create_client(session, entry.data, machine_identifier=entry.unique_id)
    coordinator = PlexButlerCoordinator(hass, entry, client)
    await coordinator.async_config_entry_first_refresh()
    entry.runtime_data = coordinator
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    return True


async def async_unload_entry(hass: HomeAssistant, entry: PlexButlerConfigEntry) -> bool:
    """Unload one server."""
    async_clear_issues(hass, entry)
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def async_remove_entry(hass: HomeAssistant, entry: PlexButlerConfigEntry) -> None:
    """Leave nothing behind, also of a server that was never reached."""
    async_clear_issues(hass, entry)
