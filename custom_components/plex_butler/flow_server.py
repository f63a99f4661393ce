"""What every way to a server shares: check address and token, and keep them."""

from collections.abc import Mapping
import re
from typing import Any, Final
from uuid import uuid4

from homeassistant.config_entries import (
    SOURCE_REAUTH,
    SOURCE_RECONFIGURE,
    SOURCE_USER,
    ConfigEntry,
    ConfigFlow,
    ConfigFlowResult,
)
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.data_entry_flow import AbortFlow
from homeassistant.helpers.selector import (
    BooleanSelector,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
from homeassistant.util.ssl import create_client_context
import voluptuous as vol
from yarl import URL

from .connection import create_client, create_session
from .const import CONF_CLIENT_IDENTIFIER
from .plex import (
    CannotConnectError,
    HostnameMismatchError,
    NotOwnerError,
    OtherServerError,
    PlexError,
    PlexTimeoutError,
    Server,
    TlsError,
    UnauthorizedError,
    parse_address,
    plex_direct_address,
    without_secrets,
)

HELP_URL: Final = (
    "https://support.plex.tv/articles/204059436-finding-an-authentication-token-x-plex-token/"
)

# What may stand in a header; an empty one is for servers that want none.
_TOKEN_PATTERN: Final = re.compile(r"[!-~]*")
_TOKEN_IN_ADDRESS: Final = re.compile(r"X-Plex-Token=([^&#\s]*)", re.IGNORECASE)
_SHOWN: Final = (CONF_URL, CONF_VERIFY_SSL)

_TOKEN = {
    vol.Optional(CONF_TOKEN): TextSelector(
        TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="off")
    )
}
TOKEN_SCHEMA: Final = vol.Schema(_TOKEN)
SERVER_SCHEMA: Final = vol.Schema(
    {
        # Not of type URL: browsers would refuse what people type, "192.168.1.5" or "nas:32400".
        vol.Required(CONF_URL): TextSelector(TextSelectorConfig(autocomplete="url")),
        **_TOKEN,
        vol.Required(CONF_VERIFY_SSL, default=True): BooleanSelector(),
    }
)


class ServerFlow(ConfigFlow):
    """Checks one server, and adds it or changes its entry."""

    VERSION = 1
    MINOR_VERSION = 1

    def __init__(self) -> None:
        """Initialize; each entry keeps the random identifier that its flow was begun with."""
        self._data: dict[str, Any] = {
            CONF_CLIENT_IDENTIFIER: str(uuid4()),
            CONF_TOKEN: "",
            CONF_VERIFY_SSL: True,
        }
        self._server: Server | None = None
        # Of the server that the user chose, and what a sign-in or another entry told of it.
        self._machine_identifier: str | None = None
        self._taken_token = ""
        self._plex_direct = ""

    async def _async_step_server(
        self, step_id: str, user_input: dict[str, Any] | None
    ) -> ConfigFlowResult:
        """Show the form for a server, or take what was typed into it."""
        errors: dict[str, str] = {}
        suggested = self._data
        if user_input is not None:
            suggested = {**user_input, CONF_URL: without_secrets(user_input[CONF_URL])}
            self._data[CONF_VERIFY_SSL] = user_input[CONF_VERIFY_SSL]
            # Empty means "as it was": there is no way to show a token again, nor a wish to.
            self._data[CONF_TOKEN] = token_of(user_input) or self._stored_token
            try:
                address = parse_address(user_input[CONF_URL]).text
            except ValueError:
                errors[CONF_URL] = "invalid_address"
            else:
                self._data[CONF_URL] = address
                if not (errors := await self._async_errors()):
                    return await self._async_tell_and_finish(address)
        return self._async_show_server(step_id, errors, suggested)

    def _async_show_server(
        self, step_id: str, errors: dict[str, str], suggested: Mapping[str, Any]
    ) -> ConfigFlowResult:
        """Show the form for a server; a token is never shown again."""
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(
                SERVER_SCHEMA, {key: suggested[key] for key in _SHOWN if key in suggested}
            ),
            errors=errors,
            description_placeholders=self._placeholders,
        )

    async def async_step_https(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Tell that the server wants https where http was asked for."""
        if user_input is not None:
            return await self._async_finish()
        return self.async_show_form(
            step_id="https",
            data_schema=vol.Schema({}),
            description_placeholders={"address": self._data[CONF_URL]},
        )

    async def _async_tell_and_finish(self, address: str) -> ConfigFlowResult:
        """Keep what was checked, but tell first if it is another address than was asked for."""
        if self._data[CONF_URL] != address:
            return await self.async_step_https()
        return await self._async_finish()

    async def _async_finish(self) -> ConfigFlowResult:
        """Keep what was checked."""
        if self.source == SOURCE_REAUTH:
            return self.async_update_reload_and_abort(self._get_reauth_entry(), data=self._data)
        if self.source == SOURCE_RECONFIGURE:
            return self.async_update_reload_and_abort(
                self._get_reconfigure_entry(), data=self._data
            )
        return self.async_create_entry(title=self._title, data=self._data)

    async def _async_try(self) -> ConfigFlowResult:
        """Check what a sign-in, another entry or the network told, and keep it.

        Where something is wrong with it, the user sees what, and can mend it by hand.
        """
        address = self._data[CONF_URL]
        if errors := await self._async_errors():
            self._taken_token = self._data[CONF_TOKEN]
            return self._async_show_server(self._manual_step, errors, self._data)
        return await self._async_tell_and_finish(address)

    async def _async_errors(self) -> dict[str, str]:
        """Ask the server; return the form's errors, none where all is well."""
        if not _TOKEN_PATTERN.fullmatch(self._data[CONF_TOKEN]):
            return {CONF_TOKEN: "invalid_token"}
        try:
            await self._async_ask_http_then_https()
        except OtherServerError as err:
            if self._entry:
                raise AbortFlow("other_server", self._placeholders) from err
            return {"base": err.key}
        except HostnameMismatchError as err:
            return {"base": await self._async_offer_plex_direct(err)}
        except (UnauthorizedError, NotOwnerError) as err:
            return {CONF_TOKEN: err.key}
        except PlexError as err:
            return {"base": err.key}
        return {}

    async def _async_ask_http_then_https(self) -> None:
        """Ask at the address as it was typed; where plain http is dropped, over https."""
        try:
            await self._async_ask()
        except CannotConnectError as err:
            address = self._data[CONF_URL].removeprefix("http:")
            if address == self._data[CONF_URL] or not err.empty_reply:
                raise
            self._data[CONF_URL] = f"https:{address}"
            try:
                await self._async_ask()
            except CannotConnectError, PlexTimeoutError:
                raise err from None
            except TlsError as tls:
                # Who typed http is not told of a TLS that is not there.
                raise tls if tls.spoken else err from None

    async def _async_ask(self) -> None:
        """Check address, server and token, in this order: the token goes to a Plex server only."""
        session = create_session(
            self.hass, verify_ssl=self._data[CONF_VERIFY_SSL], auto_cleanup=False
        )
        try:
            client = create_client(
                self.hass, session, self._data, machine_identifier=self._expected
            )
            identity = await client.identity()
            if self.source == SOURCE_USER:
                await self.async_set_unique_id(identity.machine_identifier, raise_on_progress=False)
                self._abort_if_unique_id_configured()
            self._server = await client.server()
            await client.tasks()
        finally:
            session.detach()

    async def _async_offer_plex_direct(self, err: HostnameMismatchError) -> str:
        """Return the error's key; where Plex's own certificate answers, one with its address."""
        # One of its own: the chain is verified, and only the name in the certificate is read.
        context = await self.hass.async_add_executor_job(create_client_context)
        context.check_hostname = False
        address = await plex_direct_address(URL(self._data[CONF_URL]), context)
        if address is None:
            return err.key
        self._plex_direct = str(address)
        return "hostname_mismatch_plex_direct"

    @property
    def _entry(self) -> ConfigEntry | None:
        """Return the entry that this flow is about to change."""
        if self.source == SOURCE_REAUTH:
            return self._get_reauth_entry()
        if self.source == SOURCE_RECONFIGURE:
            return self._get_reconfigure_entry()
        return None

    @property
    def _manual_step(self) -> str:
        """Return the form for everything; a known server's has another text."""
        return "change" if self._entry else "manual"

    @property
    def _others(self) -> set[str | None]:
        """Return the servers that are set up already, the one of this flow aside."""
        return {entry.unique_id for entry in self._async_current_entries()} - {self._expected}

    @property
    def _expected(self) -> str | None:
        return entry.unique_id if (entry := self._entry) else self._machine_identifier

    @property
    def _stored_token(self) -> str:
        return self._taken_token or (entry.data[CONF_TOKEN] if (entry := self._entry) else "")

    @property
    def _title(self) -> str:
        """Return the server's name, with its address where another entry has that name."""
        host = URL(self._data[CONF_URL]).host or ""
        name = (self._server and self._server.friendly_name) or host
        titles = {entry.title for entry in self._async_current_entries()}
        return f"{name} ({host})" if name in titles else name

    @property
    def _placeholders(self) -> dict[str, str]:
        return {
            "name": entry.title if (entry := self._entry) else "",
            "token_help": HELP_URL,
            "plex_direct": self._plex_direct,
            "example": "http://nas:32400",
        }


def token_of(user_input: Mapping[str, Any]) -> str:
    """Return the token, also out of an address that was pasted in its place; empty for none."""
    typed: str = user_input.get(CONF_TOKEN, "")
    found = _TOKEN_IN_ADDRESS.search(typed)
    return found[1] if found else typed.strip()
