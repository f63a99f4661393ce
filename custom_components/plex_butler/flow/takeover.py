"""Servers that are set up in Home Assistant's own Plex integration."""

from collections.abc import Container, Mapping
from typing import Any, Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant

from ..plex import parse_address

# The constants of that integration; each of its entries is one server.
_PLEX_DOMAIN: Final = "plex"
_SERVER_IDENTIFIER: Final = "server_id"
_SERVER_CONFIG: Final = "server_config"


def takeover_entries(
    hass: HomeAssistant, added: Container[str | None]
) -> dict[str, ConfigEntry[Any]]:
    """Return the entries of the Plex integration by entry id.

    Entries without an address, and those whose machine identifier is in `added`, are left out.
    """
    return {
        entry.entry_id: entry
        for entry in hass.config_entries.async_entries(
            _PLEX_DOMAIN, include_ignore=False, include_disabled=False
        )
        if entry.data.get(_SERVER_IDENTIFIER) not in added
        and entry.data.get(_SERVER_CONFIG, {}).get("url")
    }


def takeover_data(entry: ConfigEntry[Any]) -> tuple[str, dict[str, Any]]:
    """Return the machine identifier of a server, and the data to copy into an entry of ours."""
    config: Mapping[str, Any] = entry.data[_SERVER_CONFIG]
    return entry.data[_SERVER_IDENTIFIER], {
        CONF_URL: parse_address(config["url"]).text,
        CONF_TOKEN: config.get("token") or "",
        CONF_VERIFY_SSL: config.get("verify_ssl", True),
    }
