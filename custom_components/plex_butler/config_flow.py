"""Config flow: the ways to add a server, and to change its address or token."""

from collections.abc import Mapping
from typing import Any, Final, override
from uuid import uuid4

from homeassistant.config_entries import (
    SOURCE_REAUTH,
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigFlow,
    ConfigFlowResult,
)
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.core import callback
from homeassistant.data_entry_flow import AbortFlow, UnknownFlow
from yarl import URL

from .const import CONF_CLIENT_IDENTIFIER, DOMAIN
from .flow.forms import (
    CONF_SERVER,
    SERVER_SCHEMA,
    TOKEN_SCHEMA,
    choice_schema,
    suggested_values,
    token_of,
)
from .flow.server_check import best_address, check_server, find_plex_direct_address
from .flow.sign_in import ServerChoice, WaitingSignIn, start_sign_in
from .flow.takeover import takeover_data, takeover_entries
from .plex import (
    HostnameMismatchError,
    NotOwnerError,
    OtherServerError,
    ParsedAddress,
    PlexError,
    Server,
    UnauthorizedError,
    gdm,
    parse_address,
)
from .plex.account.errors import AccountError
from .plex.account.models import AccountServer
from .plex.account.parse import is_token

HELP_URL: Final = (
    "https://support.plex.tv/articles/204059436-finding-an-authentication-token-x-plex-token/"
)


class PlexButlerConfigFlow(ConfigFlow, domain=DOMAIN):
    """Adds a server, replaces its token, or changes its address."""

    VERSION = 1
    MINOR_VERSION = 1

    def __init__(self) -> None:
        """Initialize with a new client identifier; a known server keeps the one of its entry."""
        # The data of the entry to be created or updated.
        self._data: dict[str, Any] = {
            CONF_CLIENT_IDENTIFIER: str(uuid4()),
            CONF_TOKEN: "",
            CONF_VERIFY_SSL: True,
        }
        self._server: Server | None = None
        # The machine identifier of the server that the user has chosen: no other gets its token.
        self._chosen: str | None = None
        self._chosen_token = ""
        # That of the server that was found on the network: a sign-in looks for this server.
        self._wanted: str | None = None
        self._found: dict[str, gdm.FoundServer] = {}
        self._sign_in: WaitingSignIn | None = None
        self._choice = ServerChoice({}, [], [])
        self._plex_direct = ""

    # Menus: add a server, change it, or replace its token

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Offer the ways to add a server."""
        takeover = ["plex"] if takeover_entries(self.hass, self._added) else []
        return self.async_show_menu(
            step_id="user", menu_options=["sign_in", *takeover, "find", "manual"]
        )

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Offer the ways to change a server."""
        self._data = dict(self._get_reconfigure_entry().data)
        return self.async_show_menu(
            step_id="reconfigure", menu_options=["change", "sign_in", "find"]
        )

    async def async_step_reauth(self, entry_data: Mapping[str, Any]) -> ConfigFlowResult:
        """Start to replace a token that the server no longer accepts."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Offer the ways to get a new token."""
        self._data = dict(self._get_reauth_entry().data)
        return self.async_show_menu(
            step_id="reauth_confirm",
            menu_options=["sign_in", "reauth_token"],
            description_placeholders=self._placeholders,
        )

    # By hand

    async def async_step_manual(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Add a server by its address and token."""
        if user_input is None:
            # Any server may be entered here, and only what is entered is sent to it.
            self._chosen, self._chosen_token = None, ""
        return await self._async_server_form("manual", user_input)

    async def async_step_change(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Change the address, the token or the certificate check of a server."""
        return await self._async_server_form("change", user_input)

    async def _async_server_form(
        self, step_id: str, user_input: dict[str, Any] | None
    ) -> ConfigFlowResult:
        """Show the form for a server, or check and save what was entered."""
        if user_input is None:
            return self._show_server_form(step_id, self._data, {})
        self._data[CONF_VERIFY_SSL] = user_input[CONF_VERIFY_SSL]
        # The form does not show the token: an empty field keeps it.
        self._data[CONF_TOKEN] = token_of(user_input) or self._known_token
        try:
            address = parse_address(user_input[CONF_URL]).text
        except ValueError:
            errors = {CONF_URL: "invalid_address"}
        else:
            self._data[CONF_URL] = address
            if not (errors := await self._async_check()):
                return await self._async_save_as_entered(address)
        return self._show_server_form(step_id, user_input, errors)

    def _show_server_form(
        self, step_id: str, values: Mapping[str, Any], errors: dict[str, str]
    ) -> ConfigFlowResult:
        return self.async_show_form(
            step_id=step_id,
            data_schema=self.add_suggested_values_to_schema(
                SERVER_SCHEMA, suggested_values(values)
            ),
            errors=errors,
            description_placeholders=self._placeholders,
        )

    async def async_step_reauth_token(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Replace the token of a server."""
        errors: dict[str, str] = {}
        if user_input is not None:
            entry = self._get_reauth_entry()
            # An empty field means no token: not every server requires one.
            self._data = {**entry.data, CONF_TOKEN: token_of(user_input)}
            if not (errors := await self._async_check()):
                return await self._async_save_as_entered(entry.data[CONF_URL])
        return self.async_show_form(
            step_id="reauth_token",
            data_schema=TOKEN_SCHEMA,
            errors=errors,
            description_placeholders=self._placeholders,
        )

    # From the Plex integration

    async def async_step_plex(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Let the user choose an entry of the Plex integration, and copy its address and token."""
        entries = takeover_entries(self.hass, self._added)
        if user_input is not None and (entry := entries.get(user_input[CONF_SERVER])):
            self._chosen, data = takeover_data(entry)
            self._data |= data
            return await self._async_check_and_save()
        if not entries:
            return await self.async_step_user()
        return self.async_show_form(
            step_id="plex",
            data_schema=choice_schema({key: entry.title for key, entry in entries.items()}),
        )

    # From the network

    async def async_step_find(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Search the network once, and let the user choose a server."""
        if user_input is not None:
            server = self._found[user_input[CONF_SERVER]]
            self._wanted = server.machine_identifier
            if self._entry:
                # The port serves http and https (OpenAPI): a secure connection stays secure.
                scheme = URL(self._data[CONF_URL]).scheme
                return await self._async_use_address(f"{scheme}://{server.host}:{server.port}")
            self._data[CONF_URL] = f"http://{server.host}:{server.port}"
            return await self.async_step_found()
        self._found = {
            server.machine_identifier: server
            for server in await gdm.find_servers(group=gdm.GROUP)
            if server.machine_identifier not in self._added
            and self._expected in (None, server.machine_identifier)
        }
        if not self._found:
            return await self.async_step_nothing_found()
        return self.async_show_form(
            step_id="find",
            data_schema=choice_schema(
                {key: f"{each.name or '?'} ({each.host})" for key, each in self._found.items()}
            ),
        )

    async def async_step_found(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Offer the ways to get a token for the server that was found."""
        return self.async_show_menu(
            step_id="found",
            menu_options=["sign_in", "manual"],
            description_placeholders={"address": self._data[CONF_URL]},
        )

    async def async_step_nothing_found(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Explain that no server was found, and offer the other ways."""
        return self.async_show_menu(
            step_id="nothing_found", menu_options=["find", *self._other_ways]
        )

    # From the Plex account

    async def async_step_sign_in(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Open the sign-in page of Plex; the flow continues once the user has signed in."""
        if not self._sign_in:
            try:
                sign_in = await start_sign_in(
                    self.hass, self._data[CONF_CLIENT_IDENTIFIER], self._async_continue
                )
            except AccountError as err:
                return self._show_sign_in_error(err)
            try:
                self.hass.config_entries.flow.async_get(self.flow_id)
            except UnknownFlow:
                # The user has closed the dialog meanwhile.
                sign_in.close()
                raise
            self._end_sign_in()
            self._sign_in = sign_in
        elif self._sign_in.finished:
            return self.async_external_step_done(next_step_id="signed_in")
        return self.async_external_step(step_id="sign_in", url=str(self._sign_in.page))

    # Each error of a sign-in is a menu with the key of the error, and each menu must be a step. Home
    # Assistant runs this step only if the dialog is loaded again, which starts a new sign-in.
    async_step_sign_in_refused = async_step_sign_in
    async_step_sign_in_expired = async_step_sign_in
    async_step_rate_limited = async_step_sign_in
    async_step_plex_tv_down = async_step_sign_in
    async_step_not_plex_tv = async_step_sign_in

    @callback
    def _async_continue(self) -> None:
        """Continue the flow after the user has signed in, or the wait for it has failed."""
        self.hass.async_create_task(self.hass.config_entries.flow.async_configure(self.flow_id, {}))

    @callback
    @override
    def async_remove(self) -> None:
        """End the sign-in when the dialog is closed."""
        self._end_sign_in()

    def _end_sign_in(self) -> None:
        if self._sign_in:
            self._sign_in.close()
        self._sign_in = None

    async def async_step_signed_in(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Find the servers of the account."""
        if not self._sign_in:
            return await self.async_step_sign_in()
        try:
            servers = await self._sign_in.servers()
        except AccountError as err:
            return self._show_sign_in_error(err)
        finally:
            self._end_sign_in()
        self._chosen = None
        wanted = self._expected or self._wanted
        self._choice = choice = ServerChoice.among(servers, self._added, wanted)
        if not choice.usable:
            return await self.async_step_no_server()
        if len(choice.usable) == 1 and (wanted or not choice.shared + choice.added):
            return await self._async_take(next(iter(choice.usable.values())))
        return await self.async_step_choose_server()

    async def async_step_choose_server(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Let the user choose one of the servers that the account owns."""
        if user_input is not None:
            return await self._async_take(self._choice.usable[user_input[CONF_SERVER]])
        return self.async_show_form(
            step_id="choose_server",
            data_schema=choice_schema(
                {key: server.name for key, server in self._choice.usable.items()}
            ),
            description_placeholders=self._choice.placeholders,
        )

    async def _async_take(self, server: AccountServer) -> ConfigFlowResult:
        """Save a server of the account with its token and the best address that reaches it."""
        self._chosen = server.machine_identifier
        self._data[CONF_TOKEN] = server.token or ""
        known = self._entry is not None
        address = await best_address(self.hass, self._data, server, known=known)
        if not address:
            return await self.async_step_not_reached()
        # With its port, because an address without one would be parsed as one with port 32400.
        text = ParsedAddress(address, scheme_given=True).text
        if known:
            return await self._async_use_address(text, verify_ssl=True)
        self._data[CONF_URL] = text
        return await self._async_check_and_save()

    async def async_step_no_server(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Explain that the account has no server that can be used, and offer the other ways."""
        return self.async_show_menu(
            step_id="no_server",
            menu_options=self._other_ways,
            description_placeholders=self._choice.placeholders,
        )

    async def async_step_not_reached(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Explain that no address reaches the server, and offer the other ways."""
        return self.async_show_menu(step_id="not_reached", menu_options=self._other_ways)

    def _show_sign_in_error(self, err: AccountError) -> ConfigFlowResult:
        return self.async_show_menu(step_id=err.key, menu_options=self._other_ways)

    # Check and save

    async def _async_use_address(
        self, address: str, *, verify_ssl: bool | None = None
    ) -> ConfigFlowResult:
        """Save the address at which a known server was found; the user confirms a new one first."""
        if URL(self._data[CONF_URL]) == URL(address):
            return await self._async_check_and_save()
        self._data[CONF_URL] = address
        if verify_ssl is not None:
            self._data[CONF_VERIFY_SSL] = verify_ssl
        return await self.async_step_moved()

    async def async_step_moved(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Let the user confirm the new address of a server before its token is sent there."""
        if user_input is not None:
            return await self._async_check_and_save()
        return self.async_show_form(
            step_id="moved",
            description_placeholders=self._placeholders | {"address": self._data[CONF_URL]},
        )

    async def _async_check_and_save(self) -> ConfigFlowResult:
        """Check the server, and save it; on an error, show the form in which it can be corrected."""
        address = self._data[CONF_URL]
        if errors := await self._async_check():
            self._chosen_token = self._data[CONF_TOKEN]
            return self._show_server_form(self._manual_step, self._data, errors)
        return await self._async_save_as_entered(address)

    async def _async_check(self) -> dict[str, str]:
        """Check the server; return the errors to show in the form, empty if there are none."""
        if (token := self._data[CONF_TOKEN]) and not is_token(token):
            return {CONF_TOKEN: "invalid_token"}
        try:
            checked = await check_server(
                self.hass, self._data, self._expected, self._async_abort_if_added
            )
        except OtherServerError as err:
            if self._entry:
                raise AbortFlow("other_server", self._placeholders) from err
            return {"base": err.key}
        except HostnameMismatchError as err:
            if not (offered := await find_plex_direct_address(self.hass, self._data)):
                return {"base": err.key}
            self._plex_direct = str(offered)
            return {"base": "hostname_mismatch_plex_direct"}
        except (UnauthorizedError, NotOwnerError) as err:
            return {CONF_TOKEN: err.key}
        except PlexError as err:
            return {"base": err.key}
        self._server, self._data[CONF_URL] = checked.server, checked.address
        return {}

    async def _async_abort_if_added(self, machine_identifier: str) -> None:
        """Abort the flow if the server that is to be added has an entry already."""
        if not self._entry:
            await self.async_set_unique_id(machine_identifier, raise_on_progress=False)
            self._abort_if_unique_id_configured()

    async def _async_save_as_entered(self, entered: str) -> ConfigFlowResult:
        """Save the server; if the check has changed the address, the user confirms that first."""
        if self._data[CONF_URL] != entered:
            return await self.async_step_https()
        return self._save()

    async def async_step_https(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Explain that the server requires https, although http was entered."""
        if user_input is not None:
            return self._save()
        return self.async_show_form(
            step_id="https", description_placeholders={"address": self._data[CONF_URL]}
        )

    def _save(self) -> ConfigFlowResult:
        """Create or update the entry."""
        if entry := self._entry:
            return self.async_update_reload_and_abort(entry, data=self._data)
        return self.async_create_entry(title=self._title, data=self._data)

    # What the steps need to know

    @property
    def _entry(self) -> ConfigEntry | None:
        """Return the entry that this flow changes; None if it adds a server."""
        if self.source == SOURCE_REAUTH:
            return self._get_reauth_entry()
        if self.source == SOURCE_RECONFIGURE:
            return self._get_reconfigure_entry()
        return None

    @property
    def _expected(self) -> str | None:
        """Return the machine identifier of the only server that may get the token; None for any."""
        return entry.unique_id if (entry := self._entry) else self._chosen

    @property
    def _added(self) -> set[str | None]:
        """Return the machine identifiers of the other servers that have an entry."""
        return {entry.unique_id for entry in self._async_current_entries()} - {self._expected}

    @property
    def _known_token(self) -> str:
        """Return the token to use if none is entered."""
        return self._chosen_token or (entry.data[CONF_TOKEN] if (entry := self._entry) else "")

    @property
    def _manual_step(self) -> str:
        """Return the step with the whole form; it has other texts for a server that has an entry."""
        return "change" if self._entry else "manual"

    @property
    def _other_ways(self) -> list[str]:
        """Return the menu options that are left when one way has failed."""
        return ["sign_in", self._manual_step]

    @property
    def _title(self) -> str:
        """Return the name of the server, with its host if another entry has the same title."""
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
