"""The dialogue of the config flow, as the frontend drives it."""

from typing import Any, Final

from homeassistant.config_entries import SOURCE_USER, ConfigFlowResult
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType

from custom_components.plex_butler.const import DOMAIN
from tests.simulator import SimulatedPlex

WEBHOOK_FAILURES: Final = [
    ("no_plex_pass", True, "no_plex_pass"),
    ("webhooks_lost", True, "webhooks_not_kept"),
    ("bad_gateway", True, "plex_tv_down"),
    ("garbage", b"<html>", "not_plex_tv"),
    ("rate_limited", True, "rate_limited"),
]
"""The faults with which the account's list of webhooks cannot be changed, and what is said then."""


async def begin(hass: HomeAssistant) -> ConfigFlowResult:
    """Open the form, as *Add integration* does."""
    result = await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "user")
    result = await by_hand(hass, result)
    assert result["step_id"] == "manual"
    return result


async def by_hand(hass: HomeAssistant, result: ConfigFlowResult) -> ConfigFlowResult:
    """Choose the way of the menu on which everything is typed."""
    assert result["type"] is FlowResultType.MENU
    ways = ("manual", "change", "reauth_token")
    [way] = [each for each in ways if each in result["menu_options"]]
    result = await submit(hass, result, next_step_id=way)
    assert result["type"] is FlowResultType.FORM
    assert not result["errors"]
    return result


async def submit(
    hass: HomeAssistant, result: ConfigFlowResult, **user_input: Any
) -> ConfigFlowResult:
    """Fill in the form and submit it."""
    return await hass.config_entries.flow.async_configure(result["flow_id"], user_input)


def typed(server: SimulatedPlex, **changes: Any) -> dict[str, Any]:
    """Return what a user types who knows address and token."""
    return {
        CONF_URL: server.url,
        CONF_TOKEN: server.owner_token,
        CONF_VERIFY_SSL: True,
    } | changes


def suggested(result: ConfigFlowResult) -> dict[str, Any]:
    """Return what the form is filled with."""
    schema = result["data_schema"]
    assert schema
    return {
        str(key): key.description["suggested_value"]
        for key in schema.schema
        if key.description and "suggested_value" in key.description
    }
