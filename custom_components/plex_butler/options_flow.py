"""Options flow: whether to use what Plex itself says about its maintenance."""

from contextlib import suppress
from typing import Any, Final, override

from homeassistant.components import webhook
from homeassistant.config_entries import (
    ConfigEntryState,
    ConfigFlowResult,
    OptionsFlowWithReload,
)
from homeassistant.const import CONF_WEBHOOK_ID
from homeassistant.core import callback
from homeassistant.data_entry_flow import UnknownFlow
from homeassistant.helpers.selector import (
    BooleanSelector,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
)
from homeassistant.util import dt as dt_util
import voluptuous as vol
from yarl import URL

from .cloudhook import (
    async_cloud_is_active,
    async_delete_cloudhook,
    async_get_or_create_cloudhook,
)
from .const import CONF_CLIENT_IDENTIFIER, CONF_CLOUDHOOK_URL, CONF_LOG, CONF_WEBHOOK
from .flow.webhook_list import WebhookList
from .texts import text
from .webhook import async_webhook_addresses

_ADDRESS: Final = "address"
_SCHEMA: Final = vol.Schema(
    {vol.Required(option, default=False): BooleanSelector() for option in (CONF_LOG, CONF_WEBHOOK)}
)


class PlexButlerOptionsFlow(OptionsFlowWithReload):
    """Changes the options of a server; its config entry is reloaded if they have changed."""

    def __init__(self) -> None:
        """Initialize without a choice."""
        self._options: dict[str, Any] = {}
        self._webhook_id = ""
        self._cloudhook: str | None = None
        self._list = WebhookList()
        # The address to enter in the Plex account; None to take it out.
        self._address: str | None = None

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Choose which of Plex's own words to use."""
        entry = self.config_entry
        if user_input is None:
            return self.async_show_form(
                step_id="init",
                data_schema=self.add_suggested_values_to_schema(_SCHEMA, entry.options),
            )
        self._options = {**entry.options, **user_input}
        self._webhook_id = self._options.pop(CONF_WEBHOOK_ID, "")
        self._cloudhook = self._options.pop(CONF_CLOUDHOOK_URL, None)
        if not self._options[CONF_WEBHOOK]:
            return await (
                self.async_step_webhook_off() if self._webhook_id else self.async_step_finish()
            )
        self._webhook_id = self._webhook_id or webhook.async_generate_id()
        self._options[CONF_WEBHOOK_ID] = self._webhook_id
        if self._cloudhook:
            self._options[CONF_CLOUDHOOK_URL] = self._cloudhook
        # Now, and not at the end: the next step shows whether something has arrived.
        if self.hass.config_entries.async_update_entry(entry, options=self._options):
            self.hass.config_entries.async_schedule_reload(entry.entry_id)
        return await self.async_step_webhook()

    async def async_step_finish(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Store the options, and delete what is not used any more."""
        if self._cloudhook and not self._options[CONF_WEBHOOK]:
            if not await async_delete_cloudhook(self.hass, self._webhook_id):
                return await self.async_step_cloud_left()
            self._cloudhook = None
        return await self.async_step_store()

    async def async_step_cloud_left(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Say that Home Assistant Cloud has not deleted its address."""
        return self.async_show_menu(step_id="cloud_left", menu_options=["finish", "store"])

    async def async_step_store(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Store the options."""
        return self.async_create_entry(data=self._options)

    # The webhook

    async def async_step_webhook(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show the address to enter in the Plex account, and whether something has arrived there."""
        addresses = self._addresses
        cloud_is_active = async_cloud_is_active(self.hass)
        return self.async_show_menu(
            step_id="webhook",
            menu_options=[
                *(["register"] if addresses else []),
                *(["cloud"] if cloud_is_active != bool(self._cloudhook) else []),
                "webhook",
                "finish",
            ],
            description_placeholders={
                "addresses": "\n".join(f"- `{address}`" for address in addresses)
                or text(self.hass, "webhook_no_address"),
                "received": self._received,
            },
        )

    @property
    def _addresses(self) -> list[str]:
        """Return the addresses that reach Home Assistant now."""
        cloudhook = self._cloudhook if async_cloud_is_active(self.hass) else None
        return async_webhook_addresses(self.hass, self._webhook_id, cloudhook)

    async def async_step_cloud(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Get an address over Home Assistant Cloud, and show it with the others."""
        cloudhook = await async_get_or_create_cloudhook(self.hass, self._webhook_id)
        if not cloudhook:
            return await self.async_step_cloud_failed()
        # Now, and not at the end, so that it is deleted one day. The entry need not be reloaded.
        self._cloudhook = cloudhook
        # A copy, because the entry has the other one already.
        self._options = {**self._options, CONF_CLOUDHOOK_URL: cloudhook}
        self.hass.config_entries.async_update_entry(self.config_entry, options=self._options)
        return await self.async_step_webhook()

    async def async_step_cloud_failed(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Say that Home Assistant Cloud provides no address."""
        return self.async_show_menu(step_id="cloud_failed", menu_options=["cloud", "webhook"])

    @property
    def _received(self) -> str:
        """Return when an event of the server last arrived."""
        entry = self.config_entry
        loaded = entry.state is ConfigEntryState.LOADED
        if not (loaded and (received := entry.runtime_data.reports.webhook_received)):
            return text(self.hass, "webhook_silent")
        return f"{dt_util.as_local(received):%Y-%m-%d %H:%M:%S}"

    async def async_step_webhook_off(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Say that the address is still in the Plex account, and offer to take it out."""
        return self.async_show_menu(step_id="webhook_off", menu_options=["unregister", "finish"])

    # The list of webhooks in the Plex account

    async def async_step_register(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Choose the address that is entered in the Plex account by a sign-in."""
        if user_input is not None:
            self._address = user_input[_ADDRESS]
            return await self.async_step_sign_in()
        addresses = self._addresses
        # Without the path, which a phone would cut; the step before shows it.
        options = [
            SelectOptionDict(value=address, label=str(URL(address).origin()))
            for address in addresses
        ]
        schema = {
            vol.Required(_ADDRESS, default=addresses[0]): SelectSelector(
                SelectSelectorConfig(options=options)
            )
        }
        return self._show_account_form("register", vol.Schema(schema))

    async def async_step_unregister(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Explain that the address is taken out of the Plex account by a sign-in."""
        if user_input is not None:
            self._address = None
            return await self.async_step_sign_in()
        return self._show_account_form("unregister", vol.Schema({}))

    def _show_account_form(self, step_id: str, schema: vol.Schema) -> ConfigFlowResult:
        return self.async_show_form(
            step_id=step_id, data_schema=schema, errors=self._list.take_errors()
        )

    async def async_step_sign_in(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Open the sign-in page of Plex; the flow continues once the user has signed in."""
        identifier = self.config_entry.data[CONF_CLIENT_IDENTIFIER]
        sign_in = await self._list.begin(self.hass, identifier, self._async_continue)
        if not sign_in:
            return await self.async_step_signed_in()
        own = (self._webhook_id, self._cloudhook or "")
        if page := await self._list.replace(sign_in, own, self._address):
            return self.async_external_step(step_id="sign_in", url=page)
        return self.async_external_step_done(next_step_id="signed_in")

    @callback
    def _async_continue(self) -> None:
        """Continue the flow after the user has signed in, or the wait for it has failed."""
        self.hass.async_create_task(self._async_configure())

    async def _async_configure(self) -> None:
        # Unless the user has closed the dialog meanwhile.
        with suppress(UnknownFlow):
            await self.hass.config_entries.options.async_configure(self.flow_id)

    async def async_step_signed_in(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Show what has come of it."""
        if self._list.failed:
            return await (
                self.async_step_register() if self._address else self.async_step_unregister()
            )
        return await (self.async_step_registered() if self._address else self.async_step_finish())

    async def async_step_registered(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Say that the address is in the Plex account now."""
        return self.async_show_menu(step_id="registered", menu_options=["webhook", "finish"])

    @callback
    @override
    def async_remove(self) -> None:
        """End the sign-in, at the latest when the dialog is closed."""
        self._list.close()
