"""Plex Butler: the maintenance tasks of Plex Media Server in Home Assistant."""

from homeassistant.const import CONF_VERIFY_SSL, EVENT_HOMEASSISTANT_STOP
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.typing import ConfigType

from .connection import create_client, create_session
from .const import DOMAIN, PLATFORMS
from .coordinator import PlexButlerConfigEntry, PlexButlerCoordinator
from .repairs import async_clear_issues
from .run_store import async_forget
from .services import async_setup_services

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register the actions: they exist, and explain themselves, without a loaded server too."""
    async_setup_services(hass)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: PlexButlerConfigEntry) -> bool:
    """Set up one server."""
    session = create_session(hass, verify_ssl=entry.data[CONF_VERIFY_SSL])
    client = create_client(hass, session, entry.data, machine_identifier=entry.unique_id)
    coordinator = PlexButlerCoordinator(hass, entry, client)
    await coordinator.async_config_entry_first_refresh()
    entry.async_on_unload(coordinator.memory.close)
    entry.runtime_data = coordinator
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    entry.async_create_background_task(
        hass, coordinator.push.live(), f"{DOMAIN} notification stream"
    )

    @callback
    def remember(_: Event) -> None:
        coordinator.memory.save_soon()

    entry.async_on_unload(hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, remember))
    return True


async def async_unload_entry(hass: HomeAssistant, entry: PlexButlerConfigEntry) -> bool:
    """Unload one server."""
    async_clear_issues(hass, entry)
    return await hass.config_entries.async_unload_platforms(entry, PLATFORMS)


async def async_remove_entry(hass: HomeAssistant, entry: PlexButlerConfigEntry) -> None:
    """Leave nothing behind, also of a server that was never reached."""
    async_clear_issues(hass, entry)
    await async_forget(hass, entry.entry_id)
