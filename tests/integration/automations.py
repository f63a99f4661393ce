"""Automations that note what their triggers told them."""

from typing import Any, Final

from homeassistant.components.automation import DOMAIN as AUTOMATION
from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.helpers import device_registry as dr
from homeassistant.setup import async_setup_component
from pytest_homeassistant_custom_component.common import async_mock_service

from custom_components.plex_butler.const import DOMAIN


def trigger(name: str, target: dict[str, Any] | None = None, /, **options: Any) -> dict[str, Any]:
    """Return a trigger as the automation editor writes it; its id is its name."""
    written: dict[str, Any] = {"trigger": f"{DOMAIN}.{name}", "id": name}
    given = {"target": target, "options": options}
    return written | {key: value for key, value in given.items() if value}


def device_id(hass: HomeAssistant, entry: ConfigEntry) -> str:
    """Return the id of the device of a server, which there is once it was set up."""
    (device,) = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    return device.id


EVERYTHING: Final = tuple(
    trigger(name)
    for name in ("task_started", "task_ended", "maintenance_started", "maintenance_over")
)

STARTED: Final = [("maintenance_started",), ("task_started", "generate_intro_markers")]


def telling(*triggers: dict[str, Any], **data: str) -> dict[str, Any]:
    """Return an automation that tells of its triggers."""
    return {
        "alias": "Told",
        "triggers": list(triggers),
        "actions": [{"action": "test.told", "data": {"trigger": "{{ trigger }}"} | data}],
        "mode": "parallel",
    }


async def automate(
    hass: HomeAssistant, *triggers: dict[str, Any], **data: str
) -> list[ServiceCall]:
    """Set up an automation; return the calls that its action will make."""
    calls = async_mock_service(hass, "test", "told")
    automation = telling(*triggers, **data)
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
