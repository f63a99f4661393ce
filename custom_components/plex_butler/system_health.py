"""System health: the servers at a glance."""

from typing import Any

from homeassistant.components import system_health
from homeassistant.core import HomeAssistant, callback

from .const import DOMAIN
from .coordinator import PlexButlerConfigEntry


@callback
def async_register(hass: HomeAssistant, register: system_health.SystemHealthRegistration) -> None:
    """Register the information."""
    register.async_register_info(_info)


async def _info(hass: HomeAssistant) -> dict[str, Any]:
    """Return how many servers there are, how many answer, and their versions."""
    loaded: list[PlexButlerConfigEntry] = hass.config_entries.async_loaded_entries(DOMAIN)
    answering = [entry for entry in loaded if entry.runtime_data.last_update_success]
    versions = {entry.runtime_data.data.server.version or "?" for entry in loaded}
    return {
        "servers": len(hass.config_entries.async_entries(DOMAIN)),
        "servers_answering": len(answering),
        "server_versions": ", ".join(sorted(versions)) or "-",
    }
