"""Checks of a server before its entry is saved: functions over the data of an entry."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant
from homeassistant.util.ssl import create_client_context
from yarl import URL

from ..connection import create_client, create_session
from ..plex import (
    CannotConnectError,
    CertificateExpiredError,
    HostnameMismatchError,
    HttpsRequiredError,
    NotPlexError,
    ParsedAddress,
    PlexClient,
    PlexError,
    PlexTimeoutError,
    ProxyRefusesError,
    Server,
    ServerError,
    StartingUpError,
    TlsError,
    TooManyRequestsError,
    parse_address,
    plex_direct_address,
    without_invisible,
)
from ..plex.account.models import AccountServer, addresses

PROBE_TIMEOUT: Final = 5.0
"""How long to wait for a server to identify itself at one of its addresses, in seconds."""

type Recognized = Callable[[str, str], Awaitable[None]]
"""Called with the machine identifier of a server and its address, before it gets the token."""

_NOT_REACHED: Final = (CannotConnectError, PlexTimeoutError)
_NO_SERVER: Final = (
    *_NOT_REACHED,
    TlsError,
    NotPlexError,
    ProxyRefusesError,
    HttpsRequiredError,
)


_TELLING: Final = (
    StartingUpError,
    ServerError,
    CertificateExpiredError,
    TooManyRequestsError,
    ProxyRefusesError,
)


class InTheClearError(Exception):
    """The token would be sent over plain http to an address that is not local."""

    def __init__(self, address: str) -> None:
        """Initialize with the address."""
        super().__init__("The token is not sent over plain http")
        self.address = address


class HttpsFailedError(Exception):
    """The server takes no plain http, and `address`, the same one with https, failed as well.

    `key` is the key of the error for the form.
    """

    def __init__(self, key: str, address: str) -> None:
        """Initialize with what to tell the user."""
        super().__init__(key)
        self.key = key
        self.address = address


@dataclass(frozen=True, slots=True)
class CheckedServer:
    """A server that has passed the check, and the address at which it did."""

    server: Server
    address: str


async def check_server(
    hass: HomeAssistant,
    data: Mapping[str, Any],
    expected: str | None,
    recognized: Recognized,
    *,
    secure_first: Sequence[str] = (),
) -> CheckedServer:
    """Check address, identity and token; try https if the server takes no plain http.

    The token is sent only to a server that has identified itself, and only if its machine identifier
    is the `expected` one, unless that is None. Before the token is sent, `recognized` is called, and
    may raise to end the check. The addresses in `secure_first` are tried before that of `data`.

    Raises PlexError and HttpsFailedError.
    """
    telling: PlexError | None = None
    for address in secure_first:
        try:
            return await _check_address(hass, {**data, CONF_URL: address}, expected, recognized)
        except _NO_SERVER as err:
            # What else is there may be another service of the same machine.
            if telling is None and not isinstance(err, _NOT_REACHED) and _speaks_tls(err):
                telling = err
    try:
        return await _check_address_or_https(hass, data, expected, recognized)
    except _NOT_REACHED as err:
        raise telling or err from None


def secure_addresses(text: str) -> tuple[str, ...]:
    """Return the https addresses to try for what was entered without a scheme.

    A name may be that of a reverse proxy, which has another default port.
    """
    plain = parse_address(text).text
    behind_proxy = parse_address(f"https://{without_invisible(text).removeprefix('//')}").text
    return tuple(dict.fromkeys((behind_proxy, _over_https(plain))))


async def _check_address_or_https(
    hass: HomeAssistant,
    data: Mapping[str, Any],
    expected: str | None,
    recognized: Recognized,
) -> CheckedServer:
    try:
        return await _check_address(hass, data, expected, recognized)
    except CannotConnectError as err:
        secure = _over_https(data[CONF_URL])
        if not err.empty_reply or secure == data[CONF_URL]:
            raise
        key = "http_dropped"
    except HttpsRequiredError as err:
        target = err.address or URL(_over_https(data[CONF_URL]))
        key, secure = err.key, ParsedAddress(target, scheme_given=True).text
    try:
        return await _check_address(hass, {**data, CONF_URL: secure}, expected, recognized)
    except HostnameMismatchError, CertificateExpiredError:
        raise
    except _NO_SERVER as err:
        untrusted = isinstance(err, TlsError) and err.spoken
        raise HttpsFailedError("https_untrusted" if untrusted else key, secure) from None


async def best_address(
    hass: HomeAssistant, data: Mapping[str, Any], server: AccountServer, *, known: bool
) -> URL | None:
    """Return the best address at which a server identifies itself; None if there is none.

    With `known`, `data` is that of the server's entry, and its address is preferred to those of the
    account. No token is sent.

    If there is none, raises the first of `_TELLING` with which any address has answered.
    """
    candidates = [(address, True) for address in addresses(server)]
    if known:
        # Often one of those of the account, which is not tried twice at once.
        candidates = list(
            dict.fromkeys([(URL(data[CONF_URL]), data[CONF_VERIFY_SSL]), *candidates])
        )
    reached = await asyncio.gather(
        *(
            _is_at(hass, data, server, address, verify_ssl=verify_ssl)
            for address, verify_ssl in candidates
        )
    )
    for (address, _), is_there in zip(candidates, reached, strict=True):
        if is_there is True:
            return address
    for kind in _TELLING:
        for failure in reached:
            if isinstance(failure, kind):
                raise failure
    return None


async def find_plex_direct_address(hass: HomeAssistant, data: Mapping[str, Any]) -> URL | None:
    """Return the address for which the server's certificate from Plex is valid, if it has one."""
    # A new context, because those of Home Assistant are shared. The certificate must be trusted;
    # only its name is known not to match.
    context = await hass.async_add_executor_job(create_client_context)
    context.check_hostname = False
    return await plex_direct_address(URL(_over_https(data[CONF_URL])), context)


async def _check_address(
    hass: HomeAssistant,
    data: Mapping[str, Any],
    expected: str | None,
    recognized: Recognized,
) -> CheckedServer:
    with _client(hass, data, expected) as client:
        identity = await client.identity()
        await recognized(identity.machine_identifier, data[CONF_URL])
        server = await client.server()
        await client.tasks()
    return CheckedServer(server, data[CONF_URL])


async def _is_at(
    hass: HomeAssistant,
    data: Mapping[str, Any],
    server: AccountServer,
    address: URL,
    *,
    verify_ssl: bool,
) -> bool | PlexError:
    """Return whether a server is at an address, or the error with which the address answers."""
    probe = {**data, CONF_URL: str(address), CONF_TOKEN: "", CONF_VERIFY_SSL: verify_ssl}
    try:
        with _client(hass, probe, None) as client:
            async with asyncio.timeout(PROBE_TIMEOUT):
                identity = await client.identity()
    except PlexError as err:
        return err
    except TimeoutError:
        return False
    return identity.machine_identifier == server.machine_identifier


@contextmanager
def _client(
    hass: HomeAssistant, data: Mapping[str, Any], machine_identifier: str | None
) -> Iterator[PlexClient]:
    """Provide a client with a session of its own."""
    session = create_session(hass, verify_ssl=data[CONF_VERIFY_SSL], auto_cleanup=False)
    try:
        yield create_client(hass, session, data, machine_identifier=machine_identifier)
    finally:
        session.detach()


def _speaks_tls(err: PlexError) -> bool:
    return not isinstance(err, TlsError) or err.spoken


def _over_https(address: str) -> str:
    """Return an address with https as its scheme; the port stays, it serves both (OpenAPI)."""
    return f"https:{address.partition(':')[2]}"
