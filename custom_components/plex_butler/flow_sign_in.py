"""Sign in with Plex: no token to find, no address to know."""

import asyncio
from typing import Any, Final, override

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.core import callback
from homeassistant.helpers.selector import SelectOptionDict, SelectSelector, SelectSelectorConfig
import voluptuous as vol
from yarl import URL

from .connection import create_client, create_session, integration_version
from .const import CONF_CLIENT_IDENTIFIER, DOMAIN
from .flow_server import ServerFlow
from .plex import ParsedAddress, PlexError
from .plex.account.errors import AccountError
from .plex.account.models import AccountServer, addresses
from .plex.account.sign_in import SignIn

PROBE_TIMEOUT: Final = 5.0
"""How long an address may take to show which server answers there, in seconds."""

CONF_SERVER: Final = "server"
_NONE: Final = "-"


class SignInFlow(ServerFlow):
    """Gets the server's token, and its address, from the owner's account."""

    def __init__(self) -> None:
        """Initialize; nothing is asked."""
        super().__init__()
        self._sign_in: SignIn | None = None
        self._page = URL()
        self._waiting: asyncio.Task[None] | None = None
        self._wanted: str | None = None  # the server that was found in the network
        self._servers: dict[str, AccountServer] = {}
        self._shared: list[str] = []
        self._known: list[str] = []

    async def async_step_sign_in(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Open Plex's page, and go on by itself once the user has signed in there."""
        if self._waiting and self._waiting.done():
            return self.async_external_step_done(next_step_id="signed_in")
        if not self._waiting:
            self.async_remove()
            session = create_session(self.hass, verify_ssl=True, auto_cleanup=False)
            self._sign_in = SignIn(
                session, self._data[CONF_CLIENT_IDENTIFIER], integration_version(self.hass)
            )
            try:
                self._page, pin = await self._sign_in.begin()
            except AccountError as err:
                return self._async_sign_in_failed(err)
            self._waiting = self.hass.async_create_background_task(
                self._sign_in.wait(pin), f"{DOMAIN} sign-in"
            )
            self._waiting.add_done_callback(self._async_go_on)
        return self.async_external_step(step_id="sign_in", url=str(self._page))

    @callback
    def _async_go_on(self, waiting: asyncio.Task[None]) -> None:
        """Let the flow go on, unless the user has closed the dialog."""
        if not waiting.cancelled():
            self.hass.async_create_task(
                self.hass.config_entries.flow.async_configure(self.flow_id, {})
            )

    @callback
    @override
    def async_remove(self) -> None:
        """Stop waiting, and give the connections back."""
        if self._waiting:
            self._waiting.cancel()
        if self._sign_in:
            self._sign_in.close()
        self._waiting = self._sign_in = None

    async def async_step_signed_in(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Look at the servers of the account."""
        sign_in, waiting = self._sign_in, self._waiting
        if not sign_in or not waiting:
            return await self.async_step_sign_in()
        try:
            await waiting
            servers = await sign_in.servers()
        except AccountError as err:
            return self._async_sign_in_failed(err)
        finally:
            self.async_remove()
        self._machine_identifier = None
        wanted = self._expected or self._wanted
        owned = [server for server in servers if server.owned]
        self._shared = [server.name for server in servers if not server.owned]
        self._known = [s.name for s in owned if s.machine_identifier in self._others]
        self._servers = {
            server.machine_identifier: server
            for server in owned
            if server.machine_identifier not in self._others
            and wanted in (None, server.machine_identifier)
        }
        if not self._servers:
            return await self.async_step_no_server()
        if len(self._servers) == 1 and (wanted or not self._shared + self._known):
            return await self._async_take(next(iter(self._servers.values())))
        return await self.async_step_choose_server()

    async def async_step_choose_server(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Let the user choose one of the account's own servers."""
        if user_input is not None:
            return await self._async_take(self._servers[user_input[CONF_SERVER]])
        options = [
            SelectOptionDict(value=identifier, label=server.name)
            for identifier, server in self._servers.items()
        ]
        return self.async_show_form(
            step_id="choose_server",
            data_schema=vol.Schema(
                {
                    vol.Required(CONF_SERVER, default=options[0]["value"]): SelectSelector(
                        SelectSelectorConfig(options=options)
                    )
                }
            ),
            description_placeholders=self._not_usable,
        )

    async def _async_take(self, server: AccountServer) -> ConfigFlowResult:
        """Take a server of the account, at the best address that reaches it."""
        self._machine_identifier = server.machine_identifier
        self._data[CONF_TOKEN] = server.token or ""
        if not (address := await self._async_best_address(server)):
            return await self.async_step_not_reached()
        known = self._data.get(CONF_URL)
        # With its port: a form reads it again, and means 32400 where there is none.
        text = ParsedAddress(address, scheme_given=True).text
        if self._entry and known and URL(known) != address:
            self._data |= {CONF_URL: text, CONF_VERIFY_SSL: True}
            return await self.async_step_moved()
        if not self._entry:
            self._data[CONF_URL] = text
        return await self._async_try()

    async def _async_best_address(self, server: AccountServer) -> URL | None:
        """Return the best address at which this server shows itself; nothing secret is sent.

        That of an entry stays what it is as long as the server is there.
        """
        candidates = [(address, True) for address in addresses(server)]
        if self._entry:
            candidates.insert(0, (URL(self._data[CONF_URL]), self._data[CONF_VERIFY_SSL]))
        answers = await asyncio.gather(
            *(
                self._async_is_there(address, server.machine_identifier, verify_ssl=verify)
                for address, verify in candidates
            )
        )
        there = [address for (address, _), yes in zip(candidates, answers, strict=True) if yes]
        return there[0] if there else None

    async def _async_is_there(
        self, address: URL, machine_identifier: str, *, verify_ssl: bool
    ) -> bool:
        session = create_session(self.hass, verify_ssl=verify_ssl, auto_cleanup=False)
        data = self._data | {CONF_URL: str(address), CONF_TOKEN: ""}
        client = create_client(self.hass, session, data, machine_identifier=None)
        try:
            async with asyncio.timeout(PROBE_TIMEOUT):
                return (await client.identity()).machine_identifier == machine_identifier
        except PlexError, TimeoutError:
            return False
        finally:
            session.detach()

    async def async_step_moved(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Let the user confirm a known server's new address before its token goes there."""
        if user_input is not None:
            return await self._async_try()
        return self.async_show_form(
            step_id="moved",
            data_schema=vol.Schema({}),
            description_placeholders=self._placeholders | {"address": self._data[CONF_URL]},
        )

    # --- what can go wrong, each with a way on

    def _async_sign_in_failed(self, err: AccountError) -> ConfigFlowResult:
        return self.async_show_menu(step_id=err.key, menu_options=self._ways_on)

    async def async_step_no_server(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Say that the account has no server that can be used."""
        return self.async_show_menu(
            step_id="no_server",
            menu_options=self._ways_on,
            description_placeholders=self._not_usable,
        )

    async def async_step_not_reached(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Say that the server is in the account, but out of reach."""
        return self.async_show_menu(step_id="not_reached", menu_options=self._ways_on)

    @property
    def _ways_on(self) -> list[str]:
        return ["sign_in", self._manual_step]

    @property
    def _not_usable(self) -> dict[str, str]:
        """Return the names of the servers that cannot be chosen, by the reason."""
        return {
            "shared": ", ".join(self._shared) or _NONE,
            "known": ", ".join(self._known) or _NONE,
        }

    async def async_step_sign_in_refused(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Exist, as every menu has to."""
        return await self.async_step_sign_in()

    async_step_sign_in_expired = async_step_sign_in_refused
    async_step_rate_limited = async_step_sign_in_refused
    async_step_plex_tv_down = async_step_sign_in_refused
    async_step_not_plex_tv = async_step_sign_in_refused
