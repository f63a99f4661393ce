"""The address of the webhook over Home Assistant Cloud, where that is in use."""

from typing import Any

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_WEBHOOK_ID
from homeassistant.core import HomeAssistant, callback

from .const import CONF_CLOUDHOOK_URL, LOGGER


@callback
def async_cloud_is_active(hass: HomeAssistant) -> bool:
    """Return whether the user is signed in to Home Assistant Cloud, with a subscription."""
    if "cloud" not in hass.config.components:
        return False
    from homeassistant.components import cloud  # noqa: PLC0415 - not installed everywhere

    return cloud.async_active_subscription(hass)


async def async_get_or_create_cloudhook(hass: HomeAssistant, webhook_id: str) -> str | None:
    """Return the address of a webhook over Home Assistant Cloud; None if there is none."""
    if not async_cloud_is_active(hass):
        return None
    from homeassistant.components import cloud  # noqa: PLC0415 - not installed everywhere

    try:
        return await cloud.async_get_or_create_cloudhook(hass, webhook_id)
    except Exception as err:  # noqa: BLE001 - its library has errors of its own
        LOGGER.debug("Home Assistant Cloud provides no address: %s", type(err).__name__)
        return None


@callback
def async_follow_cloudhook(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Keep the address of an entry true until it is unloaded.

    It changes with the account at Home Assistant Cloud, and the user can delete it in the settings.
    """
    webhook_id = entry.options.get(CONF_WEBHOOK_ID)
    if not webhook_id or "cloud" not in hass.config.components:
        return
    from homeassistant.components import cloud  # noqa: PLC0415 - not installed everywhere

    @callback
    def handle_change(hook: dict[str, Any] | None) -> None:
        options = dict(entry.options)
        if options.pop(CONF_CLOUDHOOK_URL, None) and hook:
            options[CONF_CLOUDHOOK_URL] = hook["cloudhook_url"]
        hass.config_entries.async_update_entry(entry, options=options)

    entry.async_on_unload(cloud.async_listen_cloudhook_change(hass, webhook_id, handle_change))


async def async_delete_cloudhook(hass: HomeAssistant, webhook_id: str) -> bool:
    """Delete the address of a webhook over Home Assistant Cloud. Returns whether it is gone."""
    if "cloud" not in hass.config.components:
        return False
    from homeassistant.components import cloud  # noqa: PLC0415 - not installed everywhere

    try:
        await cloud.async_delete_cloudhook(hass, webhook_id)
    except ValueError:
        return True  # There is none.
    except Exception as err:  # noqa: BLE001 - its library has errors of its own
        LOGGER.debug("Home Assistant Cloud keeps an address: %s", type(err).__name__)
        return False
    return True
