"""Plex Butler: the maintenance tasks of Plex Media Server in Home Assistant."""

from homeassistant.const import CONF_VERIFY_SSL, EVENT_HOMEASSISTANT_STOP
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.typing import ConfigType

from .connection import create_client, create_session
from .const import DOMAIN, PLATFORMS
from .coordinator import PlexButlerConfigEntry, PlexButlerCoordinator
from .repairs import async_delete_repairs
from .run_store import async_remove_store
from .services import async_setup_services

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register the actions, also if no server is set up."""
    async_setup_services(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: PlexButlerConfigEntry) -> bool:
    """Set up one server."""
    session = create_session(hass, verify_ssl=entry.data[CONF_VERIFY_SSL])
    client = create_client(hass, session, entry.data, machine_identifier=entry.unique_id)
    coordinator = PlexButlerCoordinator(hass, entry, client)
    await coordinator.async_config_entry_first_refresh()
    entry.runtime_data = coordinator
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    coordinator.async_start()

    @callback
    def store(_: Event) -> None:
        coordinator.async_store()

    entry.async_on_unload(hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, store))
    return True


async def async_unload_entry(hass: HomeAssistant, entry: PlexButlerConfigEntry) -> bool:
    """Unload one server."""
    async_delete_repairs(hass, entry)
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def async_remove_entry(hass: HomeAssistant, entry: PlexButlerConfigEntry) -> None:
    """Remove what is stored about a server."""
    async_delete_repairs(hass, entry)
    await async_remove_store(hass, entry.entry_id)
