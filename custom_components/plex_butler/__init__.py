"""Plex Butler: the maintenance tasks of Plex Media Server in Home Assistant."""

from homeassistant.config_entries import (
    SIGNAL_CONFIG_ENTRY_CHANGED,
    ConfigEntry,
    ConfigEntryChange,
    ConfigEntryState,
)
from homeassistant.const import CONF_VERIFY_SSL, CONF_WEBHOOK_ID, EVENT_HOMEASSISTANT_STOP
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.typing import ConfigType

from .cloudhook import async_delete_cloudhook, async_follow_cloudhook
from .connection import create_client, create_session
from .const import CONF_CLOUDHOOK_URL, DOMAIN, LOGGER, PLATFORMS
from .coordinator import PlexButlerConfigEntry, PlexButlerCoordinator
from .entry_file import async_remove_file
from .history_store import HISTORY
from .issues import (
    async_create_webhook_repair,
    async_delete_corruption_repair,
    async_delete_log_repair,
)
from .origins import async_follow_authors
from .outages import async_forget_failures
from .run_log import async_log_runs
from .run_store import RUNS
from .services import async_setup_services
from .webhook import async_register_webhook, async_report_webhook, async_unregister_webhook

CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Register the actions, also if no server is set up; and clean up after entries that end."""

    @callback
    def handle_change(_: ConfigEntryChange, entry: ConfigEntry) -> None:
        # An entry that waits to be set up again is unloaded without a call of ours.
        if entry.domain == DOMAIN and entry.state is ConfigEntryState.NOT_LOADED:
            async_forget_failures(hass, entry)
            async_unregister_webhook(hass, entry)

    async_follow_authors(hass)
    async_setup_services(hass)
    async_dispatcher_connect(hass, SIGNAL_CONFIG_ENTRY_CHANGED, handle_change)
    return True


async def async_setup_entry(hass: HomeAssistant, entry: PlexButlerConfigEntry) -> bool:
    """Set up one server."""
    async_register_webhook(hass, entry)
    async_follow_cloudhook(hass, entry)
    session = create_session(hass, verify_ssl=entry.data[CONF_VERIFY_SSL])
    client = create_client(hass, session, entry.data, machine_identifier=entry.unique_id)
    coordinator = PlexButlerCoordinator(hass, entry, client)
    await coordinator.async_config_entry_first_refresh()
    entry.runtime_data = coordinator
    await hass.config_entries.async_forward_entry_setups(entry, PLATFORMS)
    async_log_runs(entry)
    coordinator.async_start()
    async_report_webhook(hass, entry, coordinator.reports)

    @callback
    def store(_: Event) -> None:
        coordinator.async_store()

    entry.async_on_unload(hass.bus.async_listen_once(EVENT_HOMEASSISTANT_STOP, store))
    return True


async def async_unload_entry(hass: HomeAssistant, entry: PlexButlerConfigEntry) -> bool:
    """Unload one server."""
    if not await hass.config_entries.async_unload_platforms(entry, PLATFORMS):
        return False
    await entry.runtime_data.async_close()
    return True


async def async_remove_entry(hass: HomeAssistant, entry: PlexButlerConfigEntry) -> None:
    """Remove what is stored about a server, and say what may be left of it elsewhere."""
    async_unregister_webhook(hass, entry)
    async_delete_corruption_repair(hass, entry)
    async_delete_log_repair(hass, entry)
    if CONF_CLOUDHOOK_URL in entry.options and not await async_delete_cloudhook(
        hass, entry.options[CONF_WEBHOOK_ID]
    ):
        LOGGER.warning(
            "Home Assistant Cloud did not delete the webhook address of %s; nothing answers there",
            entry.title,
        )
    if CONF_WEBHOOK_ID in entry.options:
        async_create_webhook_repair(hass, entry)
    for content in (RUNS, HISTORY):
        await async_remove_file(hass, entry.entry_id, content)
