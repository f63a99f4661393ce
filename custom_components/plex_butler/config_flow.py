"""Config flow: the ways to add a server, and to change its address or token."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, override

from homeassistant.components import network
from homeassistant.config_entries import (
    SOURCE_REAUTH,
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigFlow,
    ConfigFlowResult,
    OptionsFlow,
)
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.core import callback
from homeassistant.data_entry_flow import AbortFlow, UnknownFlow
from homeassistant.util.network import is_ip_address
from yarl import URL

from .const import CONF_CLIENT_IDENTIFIER, DOMAIN
from .flow.client_identifier import client_identifier
from .flow.forms import (
    CONF_SERVER,
    SERVER_SCHEMA,
    TOKEN_SCHEMA,
    choice_schema,
    suggested_values,
    token_error,
    token_of,
)
from .flow.server_check import (
    HttpsFailedError,
    InTheClearError,
    best_address,
    check_server,
    find_plex_direct_address,
    secure_addresses,
)
from .flow.sign_in import ServerChoice, WaitingSignIn, start_sign_in
from .flow.takeover import takeover_address, takeover_data, takeover_entries
from .names import as_text
from .options_flow import PlexButlerOptionsFlow
from .plex import (
    HostnameMismatchError,
    NotOwnerError,
    OtherServerError,
    ParsedAddress,
    PlexError,
    Server,
    UnauthorizedError,
    gdm,
    host_of,
    parse_address,
    without_secrets,
)
from .plex.account.errors import AccountError
from .plex.account.models import AccountServer
from .plex.account.parse import is_token
from .plex.locality import is_local, sends_in_the_clear

HELP_URL: Final = (
    "https://support.plex.tv/articles/204059436-finding-an-authentication-token-x-plex-token/"
)


class PlexButlerConfigFlow(ConfigFlow, domain=DOMAIN):
    """Adds a server, replaces its token, or changes its address."""

    VERSION = 1
    MINOR_VERSION = 1

    def __init__(self) -> None:
        """Initialize without a server."""
        # The data of the entry to be created or updated.
        self._data: dict[str, Any] = {CONF_TOKEN: "", CONF_VERIFY_SSL: True}
        self._server: Server | None = None
        # The machine identifier of the server that the user has chosen: no other gets its token.
        self._chosen: str | None = None
        self._chosen_token = ""
        # What was typed, until it is refused: forms do not show it again.
        self._typed_token = ""
        # The address to which the user wants the token to be sent over plain http.
        self._plain_http = ""
        # That of the server that was found on the network: a sign-in looks for this server.
        self._wanted: str | None = None
        self._found: dict[str, gdm.FoundServer] = {}
        self._sign_in: WaitingSignIn | None = None
        # A sign-in that was good, but whose servers could not be requested.
        self._signed_in: WaitingSignIn | None = None
        self._choice = ServerChoice({}, [], [])
        self._taken: AccountServer | None = None
        # The key of the error with which the last sign-in ended.
        self._failure = ""
        self._ways: list[str] = []
        self._plex_direct = ""
        self._https_address = ""
        self._saved = False

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry) -> OptionsFlow:
        """Return the flow for the options of a server."""
        return PlexButlerOptionsFlow()

    # Menus: add a server, change it, or replace its token

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Offer the ways to add a server."""
        self._data[CONF_CLIENT_IDENTIFIER] = await client_identifier(self.hass)
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
            step_id="reconfigure",
            menu_options=["change", "sign_in", "find"],
            description_placeholders=self._placeholders,
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
        errors = self._take_typed_token(user_input)
        # The form does not show the token: an empty field keeps it.
        self._data[CONF_TOKEN] = self._typed_token or self._known_token
        try:
            address = parse_address(user_input[CONF_URL])
        except ValueError:
            errors[CONF_URL] = "invalid_address"
        if errors:
            return self._show_server_form(step_id, user_input, errors)
        self._data[CONF_URL] = address.text
        secure_first = (
            ()
            if address.scheme_given or is_local(address.url)
            else secure_addresses(user_input[CONF_URL])
        )
        return await self._async_check_and_save(
            lambda errors: self._show_server_form(step_id, user_input, errors), secure_first
        )

    def _take_typed_token(self, user_input: Mapping[str, Any]) -> dict[str, str]:
        """Keep the token that was typed, or return the error to show if it is none."""
        self._typed_token = token_of(user_input) or self._typed_token
        if not (error := token_error(self._typed_token)):
            return {}
        self._typed_token = ""
        return {CONF_TOKEN: error}

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
        if user_input is None:
            return self._show_token_form({})
        if errors := self._take_typed_token(user_input):
            return self._show_token_form(errors)
        # An empty field means no token: not every server requires one.
        self._data = {**self._get_reauth_entry().data, CONF_TOKEN: self._typed_token}
        return await self._async_check_and_save(self._show_token_form)

    def _show_token_form(self, errors: dict[str, str]) -> ConfigFlowResult:
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
            self._chosen_token = self._data[CONF_TOKEN]
            try:
                parse_address(self._data[CONF_URL])
            except ValueError:
                errors = {CONF_URL: "invalid_address"}
                return self._show_server_form(self._manual_step, self._data, errors)
            return await self._async_check_and_save()
        if not entries:
            return await self.async_step_user()
        return self.async_show_form(
            step_id="plex",
            data_schema=choice_schema(
                {
                    key: (
                        entry.title,
                        f"{entry.title} ({without_secrets(takeover_address(entry))})",
                    )
                    for key, entry in entries.items()
                }
            ),
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
            for server in await gdm.find_servers(
                group=gdm.GROUP,
                sources=[
                    str(source)
                    for source in await network.async_get_enabled_source_ips(self.hass)
                    if source.version == 4
                ],
            )
            if server.machine_identifier not in self._added
            and self._expected in (None, server.machine_identifier)
        }
        if not self._found:
            return await self.async_step_nothing_found()
        return self.async_show_form(
            step_id="find",
            data_schema=choice_schema(
                {
                    key: tuple(
                        f"{each.name or '?'} ({place})"
                        for place in (each.host, f"{each.host}:{each.port}")
                    )
                    for key, each in self._found.items()
                }
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
                if not self._sign_in:
                    return self._show_failure(err, self._other_ways)
                # Another window with this dialog was luckier meanwhile.
                return self.async_external_step(step_id="sign_in", url=str(self._sign_in.page))
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

    @callback
    def _async_continue(self) -> None:
        """Continue the flow after the user has signed in, or the wait for it has failed."""
        self.hass.async_create_task(self._async_configure())

    async def _async_configure(self) -> None:
        # Unless the user has closed the dialog meanwhile.
        with suppress(UnknownFlow):
            await self.hass.config_entries.flow.async_configure(self.flow_id)

    @callback
    @override
    def async_remove(self) -> None:
        """End the sign-in when the dialog is closed."""
        self._end_sign_in()

    def _ways_after(self, sign_in: WaitingSignIn) -> list[str]:
        """Return the ways that are left when the servers of the account could not be requested."""
        if not sign_in.signed_in:
            if self._sign_in is sign_in:
                self._end_sign_in()
            return self._other_ways
        # The user need not sign in again.
        self._sign_in, self._signed_in = None, sign_in
        return ["try_again", *self._other_ways]

    def _end_sign_in(self) -> None:
        for sign_in in (self._sign_in, self._signed_in):
            if sign_in:
                sign_in.close()
        self._sign_in = self._signed_in = None

    async def async_step_signed_in(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Find the servers of the account."""
        if sign_in := self._sign_in:
            self._taken = None
            try:
                servers = await sign_in.servers()
            except AccountError as err:
                return self._show_failure(err, self._ways_after(sign_in))
            if self._sign_in is sign_in:
                self._end_sign_in()
            self._chosen = None
            wanted = self._expected or self._wanted
            self._choice = ServerChoice.among(servers, self._added, wanted)
        # Without a sign-in, a second window with this dialog comes later.
        choice = self._choice
        if not choice.usable:
            return await self.async_step_no_server()
        if len(choice.usable) == 1 and (choice.wanted or not choice.shared + choice.added):
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
            data_schema=choice_schema(self._choice.labels),
            description_placeholders=self._choice.placeholders,
        )

    async def _async_take(self, server: AccountServer) -> ConfigFlowResult:
        """Save a server of the account with its token and the best address that reaches it."""
        self._taken = server
        self._chosen = server.machine_identifier
        self._data[CONF_TOKEN] = self._chosen_token = server.token or ""
        known = self._entry is not None
        try:
            address = await best_address(self.hass, self._data, server, known=known)
        except PlexError as err:
            return self._show_failure(err, ["try_again", *self._other_ways])
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

    async def async_step_try_again(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Look once more for the server that was chosen, or for the servers of the account."""
        if self._taken:
            return await self._async_take(self._taken)
        self._sign_in, self._signed_in = self._signed_in, None
        return await self.async_step_signed_in()

    def _show_failure(self, err: PlexError, ways: list[str]) -> ConfigFlowResult:
        self._failure, self._ways = err.key, ways
        return self.async_show_menu(step_id=err.key, menu_options=ways)

    async def async_step_failure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Explain again why the last sign-in has failed: the dialog was loaded again."""
        return self.async_show_menu(step_id=self._failure, menu_options=self._ways)

    # Each error of a sign-in, and of the server that it finds, is a menu with the key of the error,
    # and each menu must be a step.
    async_step_sign_in_refused = async_step_failure
    async_step_sign_in_expired = async_step_failure
    async_step_rate_limited = async_step_failure
    async_step_plex_tv_down = async_step_failure
    async_step_not_plex_tv = async_step_failure
    async_step_starting_up = async_step_failure
    async_step_server_error = async_step_failure
    async_step_certificate_expired = async_step_failure
    async_step_too_many_requests = async_step_failure
    async_step_proxy_refuses = async_step_failure

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

    async def _async_check_and_save(
        self,
        show_form: Callable[[dict[str, str]], ConfigFlowResult] | None = None,
        secure_first: Sequence[str] = (),
    ) -> ConfigFlowResult:
        """Check the server, and save it; on an error, show the form in which it can be corrected.

        That is the form with everything if `show_form` is None. `secure_first` holds https addresses
        that are tried before the one in the data.
        """
        entered = self._data[CONF_URL]
        try:
            errors = await self._async_check(secure_first)
        except InTheClearError as err:
            self._data[CONF_URL] = err.address
            return await self.async_step_plain_http()
        if errors and show_form:
            return show_form(errors)
        if errors:
            return self._show_server_form(self._manual_step, self._data, errors)
        if self._data[CONF_URL] not in (entered, *secure_first):
            return await self.async_step_https()
        return self._save()

    async def _async_check(self, secure_first: Sequence[str]) -> dict[str, str]:
        """Check the server; return the errors to show in the form, empty if there are none."""
        if (token := self._data[CONF_TOKEN]) and not is_token(token):
            return {CONF_TOKEN: "invalid_token"}
        try:
            checked = await check_server(
                self.hass,
                self._data,
                self._expected,
                self._async_before_token,
                secure_first=secure_first,
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
            self._forget_refused_token(err)
            return {CONF_TOKEN: err.key}
        except HttpsFailedError as err:
            self._https_address = err.address
            return {"base": err.key}
        except PlexError as err:
            return {"base": err.key}
        self._server, self._data[CONF_URL] = checked.server, checked.address
        return {}

    def _forget_refused_token(self, err: PlexError) -> None:
        # Under a name that it does not know, a server refuses every token (reported).
        named = not is_ip_address(host_of(URL(self._data[CONF_URL])))
        if isinstance(err, NotOwnerError) or not named:
            self._typed_token = self._chosen_token = ""

    async def _async_before_token(self, machine_identifier: str, address: str) -> None:
        """Abort the flow if the server that is to be added has an entry already.

        Raises InTheClearError if the token would be sent in the clear without the user's consent.
        That an entry has an address is consent.
        """
        self._end_if_saved()
        entry = self._entry
        if not entry:
            await self.async_set_unique_id(machine_identifier, raise_on_progress=False)
            self._abort_if_unique_id_configured()
        allowed = (self._plain_http, entry.data[CONF_URL] if entry else "")
        if self._data[CONF_TOKEN] and sends_in_the_clear(URL(address)) and address not in allowed:
            raise InTheClearError(address)

    async def async_step_plain_http(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Explain what it means to send the token over plain http to what may not be local."""
        return self.async_show_menu(
            step_id="plain_http",
            menu_options=["other_address", "send_token"],
            description_placeholders={"address": self._data[CONF_URL]},
        )

    async def async_step_other_address(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Let the user enter another address for the same server and token."""
        return self._show_server_form(self._manual_step, self._data, {})

    async def async_step_send_token(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Send the token over plain http, as the user wants."""
        self._plain_http = self._data[CONF_URL]
        return await self._async_check_and_save()

    async def async_step_https(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Explain that the server requires https, although http was entered."""
        if user_input is not None:
            return self._save()
        return self.async_show_form(
            step_id="https", description_placeholders={"address": self._data[CONF_URL]}
        )

    def _save(self) -> ConfigFlowResult:
        """Create or update the entry."""
        self._end_if_saved()
        self._saved = True
        if entry := self._entry:
            return self.async_update_reload_and_abort(entry, data=self._data)
        return self.async_create_entry(title=self._title, data=self._data)

    def _end_if_saved(self) -> None:
        """Raise UnknownFlow if another window with this dialog has saved the server meanwhile.

        Home Assistant would replace the entry by a second one; and while it makes the first one, it
        must not be told that the flow is aborted.
        """
        if self._saved:
            raise UnknownFlow

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
        host = host_of(URL(self._data[CONF_URL]))
        name = (self._server and self._server.friendly_name) or host
        titles = {entry.title for entry in self._async_current_entries()}
        return f"{name} ({host})" if name in titles else name

    @property
    def _placeholders(self) -> dict[str, str]:
        return {
            "name": as_text(entry.title) if (entry := self._entry) else "",
            "token_help": HELP_URL,
            "plex_direct": self._plex_direct,
            "https_address": self._https_address,
            "example": "http://nas:32400",
        }
