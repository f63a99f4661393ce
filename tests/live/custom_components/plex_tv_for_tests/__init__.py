"""Point Plex Butler to a simulated plex.tv and a simulated network. For tests only."""

from unittest.mock import patch

from homeassistant.core import HomeAssistant
from homeassistant.helpers.typing import ConfigType
from yarl import URL

from custom_components.plex_butler.plex import gdm
from custom_components.plex_butler.plex.account import client

DOMAIN = "plex_tv_for_tests"


async def async_setup(hass: HomeAssistant, config: ConfigType) -> bool:
    """Take the addresses from the configuration."""
    patch.object(client, "PLEX_TV", URL(config[DOMAIN]["plex_tv"])).start()
    if page := config[DOMAIN].get("sign_in_page"):
        patch.object(client, "SIGN_IN_PAGE", page).start()
    patch.object(gdm, "GROUP", ("127.0.0.1", config[DOMAIN]["gdm_port"])).start()
    return True
