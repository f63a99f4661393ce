"""Servers that are set up in Home Assistant's own Plex integration."""

from collections.abc import Container, Mapping
from contextlib import suppress
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

    Entries without a machine identifier or an address, and those whose machine identifier is in
    `added`, are left out.
    """
    return {
        entry.entry_id: entry
        for entry in hass.config_entries.async_entries(
            _PLEX_DOMAIN, include_ignore=False, include_disabled=False
        )
        if isinstance(identifier := entry.data.get(_SERVER_IDENTIFIER), str)
        and identifier not in added
        and isinstance(config := entry.data.get(_SERVER_CONFIG), Mapping)
        and isinstance(url := config.get(CONF_URL), str)
        and url
    }


def takeover_address(entry: ConfigEntry[Any]) -> str:
    """Return the address of a server as it stands in its entry; it may be none that can be used."""
    address: str = entry.data[_SERVER_CONFIG][CONF_URL]
    return address


def takeover_data(entry: ConfigEntry[Any]) -> tuple[str, dict[str, Any]]:
    """Return the machine identifier of a server, and the data to copy into an entry of ours.

    An address that is none is copied as it is.
    """
    config: Mapping[str, Any] = entry.data[_SERVER_CONFIG]
    address, token = takeover_address(entry), config.get(CONF_TOKEN)
    with suppress(ValueError):
        address = parse_address(address).text
    return entry.data[_SERVER_IDENTIFIER], {
        CONF_URL: address,
        CONF_TOKEN: token if isinstance(token, str) else "",
        CONF_VERIFY_SSL: config.get(CONF_VERIFY_SSL) is not False,
    }
