"""Automations that tell whether their conditions are met."""

from typing import Any

from homeassistant.components.automation import DOMAIN as AUTOMATION
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import async_mock_service

from custom_components.plex_butler.const import DOMAIN


def is_running(target: dict[str, Any] | None = None, /, **options: Any) -> dict[str, Any]:
    """Return the condition as the automation editor writes it."""
    written: dict[str, Any] = {"condition": f"{DOMAIN}.task_is_running"}
    given = {"target": target, "options": options}
    return written | {key: value for key, value in given.items() if value}


class Asked:
    """Automations that run whenever they are asked to, if their condition is met."""

    def __init__(self, hass: HomeAssistant) -> None:
        """Initialize without any."""
        self._hass = hass
        self._calls = async_mock_service(hass, "test", "met")

    async def set_up(self, conditions: dict[str, dict[str, Any]], *beside: dict[str, Any]) -> None:
        """Set up an automation for each condition, and others beside them."""
        automations = [
            {
                "alias": alias,
                "triggers": [{"trigger": "event", "event_type": "ask"}],
                "conditions": [condition],
                "actions": [{"action": "test.met", "data": {"alias": alias}}],
            }
            for alias, condition in conditions.items()
        ]
        config = {AUTOMATION: [*automations, *beside]}
        assert await async_setup_component(self._hass, AUTOMATION, config)
        await self._hass.async_block_till_done()

    async def met(self) -> set[str]:
        """Return of which automations the condition is met now."""
        self._calls.clear()
        self._hass.bus.async_fire("ask")
        await self._hass.async_block_till_done()
        return {call.data["alias"] for call in self._calls}
