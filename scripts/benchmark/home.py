"""A Home Assistant with Plex Butler, seen from outside: by states, events and actions."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from importlib import import_module
from pathlib import Path
import tempfile
from typing import Any, Final
from unittest.mock import AsyncMock, patch

import aiohttp
from homeassistant.config_entries import ConfigEntries
from homeassistant.const import EVENT_STATE_CHANGED, EVENT_STATE_REPORTED
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er, frame
from homeassistant.loader import DATA_CUSTOM_COMPONENTS

from custom_components.plex_butler.const import CONF_CLIENT_IDENTIFIER, DOMAIN

from .servers import Address

from pytest_homeassistant_custom_component.common import (  # isort: skip
    MockConfigEntry,
    async_test_home_assistant,
)

__all__ = ["DOMAIN", "MockConfigEntry"]

QUIET: Final = 0.5
"""How long after a set-up nothing is measured, in seconds: the stream opens, and is read anew."""


class Resolver(aiohttp.ThreadedResolver):
    """A resolver that Home Assistant can close."""

    async def real_close(self) -> None:
        """Close it."""
        await self.close()


@contextmanager
def row_that_counts_at_once() -> Iterator[None]:
    """Let Butler's row count as idle as soon as it turns: waiting for that measures nothing."""
    try:
        rules: Any = import_module("custom_components.plex_butler.runs.rules")
    except ImportError:  # an earlier version, which does not wait
        yield
        return
    with patch.object(rules, "ROW_STAYS_IDLE", timedelta()):
        yield


@asynccontextmanager
async def home_assistant() -> AsyncIterator[HomeAssistant]:
    """Run the test harness's Home Assistant, on a real clock and with real files."""
    with (
        tempfile.TemporaryDirectory() as folder,
        # The other one would look for names in the network.
        patch("homeassistant.helpers.aiohttp_client._async_make_resolver", return_value=Resolver()),
        row_that_counts_at_once(),
    ):
        async with async_test_home_assistant(config_dir=folder) as hass:
            hass.data.pop(DATA_CUSTOM_COMPONENTS, None)
            hass.loop.set_debug(False)
            frame.async_setup(hass)
            try:
                yield hass
            finally:
                await hass.async_stop(force=True)


def add_entry(hass: HomeAssistant, address: Address) -> MockConfigEntry:
    """Add the config entry of a server."""
    entry = MockConfigEntry(
        domain=DOMAIN,
        entry_id=address.machine_identifier,
        title="Cellar",
        unique_id=address.machine_identifier,
        version=1,
        minor_version=1,
        data={
            "url": address.url,
            "token": address.token,
            "verify_ssl": True,
            CONF_CLIENT_IDENTIFIER: "benchmark",
        },
    )
    entry.add_to_hass(hass)
    return entry


async def set_up(hass: HomeAssistant, entry: MockConfigEntry) -> None:
    """Set an entry up.

    Raises:
        SystemExit: That went wrong.
    """
    if not await hass.config_entries.async_setup(entry.entry_id):
        raise SystemExit(f"The integration was not set up: {entry.reason}")


@contextmanager
def without_platforms() -> Iterator[None]:
    """Set entries up without their entities: the platforms are asked for, and not set up."""
    with (
        patch.object(ConfigEntries, "async_forward_entry_setups", AsyncMock()),
        patch.object(ConfigEntries, "async_unload_platforms", AsyncMock(return_value=True)),
    ):
        yield


def entity_id(hass: HomeAssistant, address: Address, platform: str, key: str) -> str:
    """Return an entity's id."""
    unique_id = f"{address.machine_identifier}_{key}"
    found = er.async_get(hass).async_get_entity_id(platform, DOMAIN, unique_id)
    if found is None:
        raise SystemExit(f"There is no {platform} {key}")
    return found


def storage_file(hass: HomeAssistant, address: Address) -> Path:
    """Return the file in which the integration keeps what it knows of a server."""
    return Path(hass.config.path(".storage", f"{DOMAIN}.{address.machine_identifier}"))


class Writes:
    """Counts the states that are written: those that change, and those that stay the same."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Begin to count."""
        self.changed = 0
        self.unchanged = 0

        @callback
        def changed(_: Any) -> None:
            self.changed += 1

        @callback
        def count_unchanged(_: Any) -> bool:
            self.unchanged += 1
            return False

        hass.bus.async_listen(EVENT_STATE_CHANGED, changed)
        hass.bus.async_listen(EVENT_STATE_REPORTED, changed, event_filter=count_unchanged)

    def __sub__(self, before: tuple[int, int]) -> tuple[int, int]:
        """Return how many were written since then."""
        return self.changed - before[0], self.unchanged - before[1]

    @property
    def now(self) -> tuple[int, int]:
        """How many have been written: changed, and unchanged."""
        return self.changed, self.unchanged


async def quiet() -> None:
    """Wait until what follows a set-up is over."""
    await asyncio.sleep(QUIET)
