"""The connection to one server: an aiohttp session of its own, and the client that uses it."""

from collections.abc import Mapping
from typing import Any

from aiohttp import ClientSession, DummyCookieJar
from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.core import HomeAssistant
from homeassistant.helpers.aiohttp_client import async_create_clientsession
from homeassistant.loader import async_get_loaded_integration
from yarl import URL

from .const import CONF_CLIENT_IDENTIFIER, DOMAIN
from .plex import PlexClient, refuse_redirects


def create_session(
    hass: HomeAssistant, *, verify_ssl: bool, auto_cleanup: bool = True
) -> ClientSession:
    """Create a session that follows no redirect and keeps no cookie.

    With `auto_cleanup` Home Assistant closes it when the config entry being set up is unloaded.
    """
    return async_create_clientsession(
        hass,
        verify_ssl,
        auto_cleanup,
        cookie_jar=DummyCookieJar(),
        middlewares=(refuse_redirects,),
    )


def integration_version(hass: HomeAssistant) -> str:
    """Return the version of this integration, from its manifest."""
    return str(async_get_loaded_integration(hass, DOMAIN).version)


def create_client(
    hass: HomeAssistant,
    session: ClientSession,
    data: Mapping[str, Any],
    *,
    machine_identifier: str | None,
) -> PlexClient:
    """Create a client from the data of a config entry.

    A `machine_identifier` of None accepts any server, as the flow that adds one has to.
    """
    return PlexClient(
        session,
        URL(data[CONF_URL]),
        data[CONF_TOKEN],
        client_identifier=data[CONF_CLIENT_IDENTIFIER],
        machine_identifier=machine_identifier,
        version=integration_version(hass),
    )
