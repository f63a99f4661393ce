"""Somebody who goes through the dialogue, and what goes on behind it."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import SOURCE_USER, ConfigEntryState, ConfigFlowResult
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest
from pytest_homeassistant_custom_component.common import async_fire_time_changed
from yarl import URL

from custom_components.plex_butler.const import CONF_CLIENT_IDENTIFIER, DOMAIN
from tests.flow.dialogue import submit
from tests.passing_time import rest
from tests.simulator import SimulatedPlex
from tests.simulator.plex_tv import SimulatedPlexTv

WAITING: Final = "plex_butler sign-in"


class User:
    """Somebody in front of the dialog; time passes only when they wait."""

    def __init__(
        self, hass: HomeAssistant, freezer: FrozenDateTimeFactory, plex_tv: SimulatedPlexTv
    ) -> None:
        """Initialize; nothing is opened."""
        self.hass = hass
        self.plex_tv = plex_tv
        self.freezer = freezer

    async def begins(self) -> ConfigFlowResult:
        """Open the menu, as *Add integration* does."""
        result = await self.hass.config_entries.flow.async_init(
            DOMAIN, context={"source": SOURCE_USER}
        )
        assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "user")
        return result

    async def chooses(self, result: ConfigFlowResult, way: str) -> ConfigFlowResult:
        """Choose one of the ways that a menu offers."""
        assert result["type"] is FlowResultType.MENU
        assert way in result["menu_options"]
        return await submit(self.hass, result, next_step_id=way)

    async def opens_plex(self, result: ConfigFlowResult | None = None) -> ConfigFlowResult:
        """Choose to sign in, and see Plex's page open."""
        result = await self.chooses(result or await self.begins(), "sign_in")
        assert (result["type"], result["step_id"]) == (FlowResultType.EXTERNAL_STEP, "sign_in")
        return result

    async def waits(self, seconds: float = 3) -> None:
        """Let time pass, no more of it than one poll of plex.tv takes in."""
        asked = len(self.plex_tv.requests)
        self.plex_tv.advance(seconds)
        self.freezer.tick(timedelta(seconds=seconds))
        async_fire_time_changed(self.hass)
        if waiting(self.hass):
            await until(lambda: not waiting(self.hass) or self._answered(asked))
        await self.hass.async_block_till_done()

    def _answered(self, asked: int) -> bool:
        requests = self.plex_tv.requests
        return len(requests) > asked and requests[-1].status is not None

    async def signs_in(self, result: ConfigFlowResult | None = None) -> ConfigFlowResult:
        """Sign in on Plex's page, and see where the dialog goes by itself."""
        result = await self.opens_plex(result)
        self.plex_tv.sign_in(self.plex_tv.codes[-1])
        return await self.sees_it_go_on(result)

    async def sees_it_go_on(self, result: ConfigFlowResult) -> ConfigFlowResult:
        """Wait until the dialog goes on, and return what it shows."""
        await self.waits()
        assert not waiting(self.hass)
        return await self.looks(result)

    async def looks(self, result: ConfigFlowResult) -> ConfigFlowResult:
        """Let the frontend fetch what there is to show."""
        return await self.hass.config_entries.flow.async_configure(result["flow_id"])

    def tokens_sent(self, server: SimulatedPlex) -> set[str]:
        """Return the tokens that a server was sent."""
        return {r.headers["x-plex-token"] for r in server.requests if "x-plex-token" in r.headers}


def waiting(hass: HomeAssistant) -> bool:
    """Tell whether anything waits for somebody who signs in."""
    return any(
        isinstance(task, asyncio.Task) and task.get_name() == WAITING
        for task in hass._background_tasks
    )


async def until(condition: Callable[[], bool]) -> None:
    """Let what goes over sockets arrive; the clock stands still."""
    for _ in range(100_000):
        if condition():
            await rest()
            return
        await asyncio.sleep(0)
    pytest.fail("it never came")


async def created(hass: HomeAssistant, result: ConfigFlowResult, server: SimulatedPlex) -> None:
    """See the entry of a server that was added, and take it down again."""
    assert result["type"] is FlowResultType.CREATE_ENTRY
    entry = result["result"]
    assert entry.unique_id == server.machine_identifier
    assert entry.title == server.friendly_name
    assert set(entry.data) == {CONF_URL, CONF_TOKEN, CONF_VERIFY_SSL, CONF_CLIENT_IDENTIFIER}
    assert entry.data[CONF_TOKEN] == server.owner_token
    assert URL(entry.data[CONF_URL]) == URL(server.url)
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED
    await hass.config_entries.async_unload(entry.entry_id)
