"""A Home Assistant Cloud that is in use, without a connection to anything."""

from collections.abc import Callable
import sys
from types import ModuleType
from typing import Any, Final

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers.dispatcher import async_dispatcher_connect, async_dispatcher_send
import pytest

MODULE: Final = "homeassistant.components.cloud"


class SimulatedCloud:
    """What Home Assistant's own functions for the cloud use; they are the real ones where they can be."""

    def __init__(self) -> None:
        """Initialize: signed in, with a subscription, connected, without an address."""
        self.is_logged_in = self.connected = True
        self.subscription_expired = self.remote_enabled = False
        self.cloudhooks_by_id: dict[str, dict[str, Any]] = {}
        self.fault: Exception | None = None
        self.created = 0
        self.iot = self.client = self.cloudhooks = self.prefs = self

    def get(self, webhook_id: str) -> dict[str, Any] | None:
        """Return the address of a webhook."""
        return self.cloudhooks_by_id.get(webhook_id)

    def changes_account(self, hass: HomeAssistant, **addresses: str) -> None:
        """Let the user change the account, or delete addresses: those that are left are given."""
        self.cloudhooks_by_id = {
            webhook_id: {"webhook_id": webhook_id, "cloudhook_url": url, "managed": True}
            for webhook_id, url in addresses.items()
        }
        signal = sys.modules[MODULE]._SIGNAL_CLOUDHOOKS_UPDATED
        async_dispatcher_send(hass, signal, self.cloudhooks_by_id)

    @property
    def addresses(self) -> list[str]:
        """Return all addresses."""
        return [hook["cloudhook_url"] for hook in self.cloudhooks_by_id.values()]

    async def async_create(self, webhook_id: str, managed: bool) -> dict[str, Any]:
        """Create an address; it does not hold the id of the webhook."""
        if self.fault:
            raise self.fault
        assert webhook_id not in self.cloudhooks_by_id
        self.created += 1
        url = f"https://hooks.nabu.casa/gAAAAA{self.created}"
        hook = {"webhook_id": webhook_id, "cloudhook_url": url, "managed": managed}
        self.cloudhooks_by_id[webhook_id] = hook
        return hook

    async def async_delete(self, webhook_id: str) -> None:
        """Delete an address."""
        if self.fault:
            raise self.fault
        if webhook_id not in self.cloudhooks_by_id:
            raise ValueError("Hook is not enabled for the cloud.")
        del self.cloudhooks_by_id[webhook_id]


def simulate_cloud(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> SimulatedCloud:
    """Let Home Assistant have a cloud."""
    cloud = SimulatedCloud()
    try:
        from homeassistant.components import cloud as _  # noqa: F401
    except ImportError:
        # The oldest test leg lacks what the component requires.
        monkeypatch.setitem(sys.modules, MODULE, _stand_in(cloud))
    hass.data["cloud"] = cloud
    hass.config.components.add("cloud")
    return cloud


def _stand_in(cloud: SimulatedCloud) -> Any:
    module: Any = ModuleType(MODULE)
    module._SIGNAL_CLOUDHOOKS_UPDATED = "cloudhooks_updated"

    class CloudNotAvailable(HomeAssistantError):  # noqa: N818 - Home Assistant's name
        """As the component raises it."""

    def async_active_subscription(_: HomeAssistant) -> bool:
        return cloud.is_logged_in and not cloud.subscription_expired

    async def async_get_or_create_cloudhook(_: HomeAssistant, webhook_id: str) -> str:
        if not cloud.connected or not cloud.is_logged_in:
            raise CloudNotAvailable
        hook = cloud.get(webhook_id) or await cloud.async_create(webhook_id, True)
        return str(hook["cloudhook_url"])

    async def async_delete_cloudhook(_: HomeAssistant, webhook_id: str) -> None:
        await cloud.async_delete(webhook_id)

    def async_listen_cloudhook_change(
        hass: HomeAssistant, webhook_id: str, on_change: Callable[[dict[str, Any] | None], None]
    ) -> CALLBACK_TYPE:
        return async_dispatcher_connect(
            hass,
            module._SIGNAL_CLOUDHOOKS_UPDATED,
            callback(lambda hooks: on_change(hooks.get(webhook_id))),
        )

    def async_remote_ui_url(_: HomeAssistant) -> str:
        raise CloudNotAvailable

    for each in (
        CloudNotAvailable,
        async_active_subscription,
        async_get_or_create_cloudhook,
        async_delete_cloudhook,
        async_listen_cloudhook_change,
        async_remote_ui_url,
    ):
        setattr(module, each.__name__, each)
    return module
