"""The device of a server: its name, and its version."""

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_URL
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.device_registry import DeviceInfo
from yarl import URL

from .const import DOMAIN
from .plex import Server, host_of


@callback
def async_device_info(hass: HomeAssistant, entry: ConfigEntry, server: Server) -> DeviceInfo:
    """Return what all entities of a server say of their device."""
    return DeviceInfo(
        identifiers={(DOMAIN, server.machine_identifier)},
        name=_device_name(hass, entry, server),
        manufacturer="Plex",
        model="Plex Media Server",
        sw_version=server.version,
        entry_type=dr.DeviceEntryType.SERVICE,
        configuration_url=f"{entry.data[CONF_URL].rstrip('/')}/web",
    )


@callback
def async_update_device(hass: HomeAssistant, entry: ConfigEntry, server: Server) -> None:
    """Update the device after the server was renamed or updated."""
    registry = dr.async_get(hass)
    for device in dr.async_entries_for_config_entry(registry, entry.entry_id):
        registry.async_update_device(
            device.id,
            name=_device_name(hass, entry, server),
            sw_version=server.version,
        )


def _device_name(hass: HomeAssistant, entry: ConfigEntry, server: Server) -> str:
    """Return the server's name, with its host if the device of another entry has that name."""
    registry = dr.async_get(hass)
    taken = {
        device.name
        for other in hass.config_entries.async_entries(DOMAIN)
        if other is not entry
        for device in dr.async_entries_for_config_entry(registry, other.entry_id)
    }
    url = URL(entry.data[CONF_URL])
    name = server.friendly_name or entry.title
    with_host = f"{name} ({host_of(url)})"
    if name not in taken:
        return name
    return with_host if with_host not in taken else f"{name} ({host_of(url)}:{url.port})"
