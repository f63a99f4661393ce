"""Automations that note what their triggers told them."""

from typing import Any, Final

from homeassistant.components.automation import DOMAIN as AUTOMATION
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import async_mock_service

from custom_components.plex_butler.const import DOMAIN


def trigger(name: str, **options: Any) -> dict[str, Any]:
    """Return a trigger as the automation editor writes it; its id is its name."""
    return {"trigger": f"{DOMAIN}.{name}", "id": name} | ({"options": options} if options else {})


EVERYTHING: Final = tuple(
    trigger(name)
    for name in ("task_started", "task_ended", "maintenance_started", "maintenance_over")
)

STARTED: Final = [("maintenance_started",), ("task_started", "generate_intro_markers")]


async def automate(
    hass: HomeAssistant, *triggers: dict[str, Any], **data: str
) -> list[ServiceCall]:
    """Set up an automation; return the calls that its action will make."""
    calls = async_mock_service(hass, "test", "told")
    automation = {
        "alias": "Told",
        "triggers": list(triggers),
        "actions": [{"action": "test.told", "data": {"trigger": "{{ trigger }}"} | data}],
        "mode": "parallel",
    }
    assert await async_setup_component(hass, AUTOMATION, {AUTOMATION: automation})
    await hass.async_block_till_done()
    return calls


def told(calls: list[ServiceCall]) -> list[tuple[str, ...]]:
    """Return which triggers have fired since the last time, with task and outcome."""
    payloads = [call.data["trigger"] for call in calls]
    calls.clear()
    return [
        (payload["id"], *(payload[key] for key in ("task", "outcome") if key in payload))
        for payload in payloads
    ]
