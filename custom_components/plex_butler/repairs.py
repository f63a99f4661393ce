"""Repairs platform: what a user can do about an issue."""

from contextlib import suppress
from typing import Any, cast, override

from homeassistant.components.repairs import (
    ConfirmRepairFlow,
    RepairsFlow,
    RepairsFlowManager,
    RepairsFlowResult,
    repairs_flow_manager,
)
from homeassistant.const import CONF_WEBHOOK_ID
from homeassistant.core import HomeAssistant, callback
from homeassistant.data_entry_flow import UnknownFlow
from homeassistant.helpers import issue_registry as ir
import voluptuous as vol

from .const import CONF_CLIENT_IDENTIFIER, CONF_CLOUDHOOK_URL
from .flow.webhook_list import WebhookList
from .issues import WEBHOOK_LEFT

type IssueData = dict[str, str | int | float | None]


async def async_create_fix_flow(
    hass: HomeAssistant, issue_id: str, data: IssueData | None
) -> RepairsFlow:
    """Return the flow for an issue. One that nothing else can end is dismissed by the user."""
    if data and issue_id.startswith(WEBHOOK_LEFT):
        return WebhookLeftFlow(data)
    return ConfirmRepairFlow()


class WebhookLeftFlow(RepairsFlow):
    """Takes the address of a removed server out of the Plex account, or says how to do that."""

    def __init__(self, data: IssueData) -> None:
        """Initialize without a sign-in."""
        self._identifier = str(data[CONF_CLIENT_IDENTIFIER])
        self._own = tuple(str(data[key] or "") for key in (CONF_WEBHOOK_ID, CONF_CLOUDHOOK_URL))
        self._list = WebhookList()

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> RepairsFlowResult:
        """Offer to remove the address by a sign-in, or by hand."""
        return self.async_show_menu(
            step_id="init",
            menu_options=["unregister", "confirm"],
            description_placeholders=self._placeholders,
        )

    async def async_step_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Say where the address is, and take the user's word that it is gone."""
        if user_input is not None:
            return self.async_create_entry(data={})
        return self.async_show_form(
            step_id="confirm",
            data_schema=vol.Schema({}),
            description_placeholders=self._placeholders,
        )

    async def async_step_unregister(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Explain what the sign-in does, and show why the last one has failed."""
        if user_input is not None:
            return await self.async_step_sign_in()
        return self.async_show_form(
            step_id="unregister",
            data_schema=vol.Schema({}),
            errors=self._list.take_errors(),
            description_placeholders=self._placeholders,
        )

    async def async_step_sign_in(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """Open the sign-in page of Plex; the flow continues once the user has signed in."""
        sign_in = await self._list.begin(self.hass, self._identifier, self._async_continue)
        if not sign_in:
            return await self.async_step_unregister()
        if page := await self._list.replace(sign_in, self._own, None):
            return self.async_external_step(step_id="sign_in", url=page)
        return self.async_external_step_done(next_step_id="signed_in")

    async def async_step_signed_in(
        self, user_input: dict[str, Any] | None = None
    ) -> RepairsFlowResult:
        """End the flow, and with it the issue, unless the address is still there."""
        if self._list.failed:
            return await self.async_step_unregister()
        return self.async_create_entry(data={})

    @property
    def _placeholders(self) -> dict[str, str] | None:
        issue = ir.async_get(self.hass).async_get_issue(self.handler, self.issue_id)
        return issue.translation_placeholders if issue else None

    @callback
    def _async_continue(self) -> None:
        """Continue the flow after the user has signed in, or the wait for it has failed."""
        self.hass.async_create_task(self._async_configure())

    async def _async_configure(self) -> None:
        flows = cast("RepairsFlowManager", repairs_flow_manager(self.hass))
        # Unless the user has closed the dialog meanwhile.
        with suppress(UnknownFlow):
            await flows.async_configure(self.flow_id)

    @callback
    @override
    def async_remove(self) -> None:
        """End the sign-in, at the latest when the dialog is closed."""
        self._list.close()
