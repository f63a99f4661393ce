"""The address of the webhook over Home Assistant Cloud, where that is in use."""

from homeassistant.core import HomeAssistant, callback

from .const import LOGGER


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
