"""Config flow: the ways to a server, from the easiest to the last resort."""

from collections.abc import Mapping
from typing import Any, Final, override

from homeassistant.config_entries import ConfigEntry, ConfigFlowResult
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.helpers.selector import SelectOptionDict, SelectSelector, SelectSelectorConfig
import voluptuous as vol
from yarl import URL

from .const import DOMAIN
from .flow_server import TOKEN_SCHEMA, token_of
from .flow_sign_in import CONF_SERVER, SignInFlow
from .plex import gdm, parse_address

# Of Home Assistant's own Plex integration, whose entries hold a server each.
PLEX_DOMAIN: Final = "plex"
PLEX_SERVER_IDENTIFIER: Final = "server_id"
PLEX_SERVER_CONFIG: Final = "server_config"


class PlexButlerConfigFlow(SignInFlow, domain=DOMAIN):
    """Adds a server, gives it a new token, or finds it at a new address."""

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Offer the ways to add a server."""
        ways = ["sign_in", "find", "manual"]
        if self._plex_entries:
            ways.insert(1, "plex")
        return self.async_show_menu(step_id="user", menu_options=ways)

    async def async_step_manual(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Add a server by address and token."""
        if user_input is None:
            self._machine_identifier, self._taken_token = None, ""
        return await self._async_step_server("manual", user_input)

    # --- the server that the Plex integration knows

    async def async_step_plex(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Copy address and token of an entry of the Plex integration; the user chooses to."""
        entries = self._plex_entries
        if user_input is not None and (entry := entries.get(user_input[CONF_SERVER])):
            config: Mapping[str, Any] = entry.data[PLEX_SERVER_CONFIG]
            self._machine_identifier = entry.data[PLEX_SERVER_IDENTIFIER]
            self._data |= {
                CONF_URL: parse_address(config["url"]).text,
                CONF_TOKEN: config.get("token") or "",
                CONF_VERIFY_SSL: config.get("verify_ssl", True),
            }
            return await self._async_try()
        if not entries:
            return await self.async_step_user()
        options = [
            SelectOptionDict(value=entry_id, label=entry.title)
            for entry_id, entry in entries.items()
        ]
        return self.async_show_form(
            step_id="plex",
            data_schema=vol.Schema(
                {
                    vol.Required(CONF_SERVER, default=options[0]["value"]): SelectSelector(
                        SelectSelectorConfig(options=options)
                    )
                }
            ),
        )

    @property
    def _plex_entries(self) -> dict[str, ConfigEntry]:
        """Return the entries of the Plex integration whose servers are not set up here."""
        return {
            entry.entry_id: entry
            for entry in self.hass.config_entries.async_entries(
                PLEX_DOMAIN, include_ignore=False, include_disabled=False
            )
            if entry.data.get(PLEX_SERVER_IDENTIFIER) not in self._others
            and entry.data.get(PLEX_SERVER_CONFIG, {}).get("url")
        }

    # --- the network

    async def async_step_find(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask the network, now and never else, and let the user choose."""
        if user_input is None:
            servers = await gdm.find_servers(group=gdm.GROUP)
            self._found = {
                server.machine_identifier: server
                for server in servers
                if server.machine_identifier not in self._others
                and self._expected in (None, server.machine_identifier)
            }
            if not self._found:
                return await self.async_step_nothing_found()
        else:
            server = self._found[user_input[CONF_SERVER]]
            self._wanted = server.machine_identifier
            # One port speaks both; what is secure stays so.
            scheme = URL(self._data[CONF_URL]).scheme if self._entry else "http"
            address = f"{scheme}://{server.host}:{server.port}"
            if self._entry and URL(self._data[CONF_URL]) == URL(address):
                return await self._async_try()
            self._data[CONF_URL] = address
            if self._entry:
                return await self.async_step_moved()
            return await self.async_step_found()
        options = [
            SelectOptionDict(value=identifier, label=f"{server.name or '?'} ({server.host})")
            for identifier, server in self._found.items()
        ]
        return self.async_show_form(
            step_id="find",
            data_schema=vol.Schema(
                {
                    vol.Required(CONF_SERVER, default=options[0]["value"]): SelectSelector(
                        SelectSelectorConfig(options=options)
                    )
                }
            ),
        )

    async def async_step_found(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Offer the two ways to the token of a server that was found."""
        return self.async_show_menu(
            step_id="found",
            menu_options=["sign_in", "manual"],
            description_placeholders={"address": self._data[CONF_URL]},
        )

    async def async_step_nothing_found(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Say that no server answered that could be used."""
        return self.async_show_menu(step_id="nothing_found", menu_options=["find", *self._ways_on])

    # --- a server that is known

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Offer the ways to change a server."""
        self._data = dict(self._get_reconfigure_entry().data)
        return self.async_show_menu(
            step_id="reconfigure", menu_options=["change", "sign_in", "find"]
        )

    async def async_step_change(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Change address, token or certificate check by hand."""
        return await self._async_step_server("change", user_input)

    async def async_step_reauth(self, entry_data: Mapping[str, Any]) -> ConfigFlowResult:
        """Begin to ask for a new token."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Offer the ways to a new token."""
        self._data = dict(self._get_reauth_entry().data)
        return self.async_show_menu(
            step_id="reauth_confirm",
            menu_options=["sign_in", "reauth_token"],
            description_placeholders=self._placeholders,
        )

    async def async_step_reauth_token(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for a new token."""
        errors: dict[str, str] = {}
        if user_input is not None:
            entry = self._get_reauth_entry()
            # Empty is an answer here: a server may no longer want a token.
            self._data = {**entry.data, CONF_TOKEN: token_of(user_input)}
            if not (errors := await self._async_errors()):
                return await self._async_tell_and_finish(entry.data[CONF_URL])
        return self.async_show_form(
            step_id="reauth_token",
            data_schema=TOKEN_SCHEMA,
            errors=errors,
            description_placeholders=self._placeholders,
        )
