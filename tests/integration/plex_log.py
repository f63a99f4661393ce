"""Servers whose log Home Assistant reads."""

from datetime import UTC
from typing import Any, Final

from freezegun.api import FrozenDateTimeFactory
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_butler.const import CONF_LOG
from tests.conftest import House, entry_for
from tests.simulator import SimulatedPlex

STREAM: Final = "/:/websockets/notifications"


async def set_up_with_log(
    house: House,
    server: SimulatedPlex,
    freezer: FrozenDateTimeFactory | None = None,
    **more: Any,
) -> MockConfigEntry:
    """Set up a server with the option on, and `more` options; with a `freezer`, its clock shows UTC."""
    if freezer:
        freezer.move_to(server.clock.now.replace(tzinfo=UTC))
    entry = entry_for(server)
    entry.add_to_hass(house.hass)
    house.hass.config_entries.async_update_entry(entry, options={CONF_LOG: True, **more})
    return await house.set_up(entry, server)


def log_tries(server: SimulatedPlex) -> int:
    """Count how often somebody asked for the log."""
    return sum(r.path == STREAM and r.query == {"filters": "log"} for r in server.requests)


def log_is_open(server: SimulatedPlex) -> bool:
    """Tell whether somebody reads the log now, beside the notification stream."""
    return server.notifications.listeners == 2
