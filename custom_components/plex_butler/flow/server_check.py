"""Checks of a server before its entry is saved: functions over the data of an entry."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
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
    PlexClient,
    PlexError,
    PlexTimeoutError,
    Server,
    TlsError,
    plex_direct_address,
)
from ..plex.account.models import AccountServer, addresses

PROBE_TIMEOUT: Final = 5.0
"""How long to wait for a server to identify itself at one of its addresses, in seconds."""

type Recognized = Callable[[str], Awaitable[None]]


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
) -> CheckedServer:
    """Check address, identity and token; try https if the server drops plain http.

    The token is sent only to a server that has identified itself, and only if its machine identifier
    is the `expected` one, unless that is None. Before the token is sent, `recognized` is called with
    the machine identifier, and may raise to end the check.

    Raises PlexError.
    """
    try:
        return await _check_address(hass, data, expected, recognized)
    except CannotConnectError as err:
        secure = _over_https(data[CONF_URL])
        if not err.empty_reply or secure == data[CONF_URL]:
            raise
        dropped = err
    try:
        return await _check_address(hass, {**data, CONF_URL: secure}, expected, recognized)
    except CannotConnectError, PlexTimeoutError:
        raise dropped from None
    except TlsError as err:
        # The user did not ask for https: without it, the first error is the one to report.
        raise err if err.spoken else dropped from None


async def best_address(
    hass: HomeAssistant, data: Mapping[str, Any], server: AccountServer, *, known: bool
) -> URL | None:
    """Return the best address at which a server identifies itself; None if there is none.

    With `known`, `data` is that of the server's entry, and its address is preferred to those of the
    account. No token is sent.
    """
    candidates = [(address, True) for address in addresses(server)]
    if known:
        candidates.insert(0, (URL(data[CONF_URL]), data[CONF_VERIFY_SSL]))
    reached = await asyncio.gather(
        *(
            _is_at(hass, data, server, address, verify_ssl=verify_ssl)
            for address, verify_ssl in candidates
        )
    )
    return next(
        (address for (address, _), is_there in zip(candidates, reached, strict=True) if is_there),
        None,
    )


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
        await recognized(identity.machine_identifier)
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
) -> bool:
    probe = {**data, CONF_URL: str(address), CONF_TOKEN: "", CONF_VERIFY_SSL: verify_ssl}
    try:
        with _client(hass, probe, None) as client:
            async with asyncio.timeout(PROBE_TIMEOUT):
                identity = await client.identity()
    except PlexError, TimeoutError:
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


def _over_https(address: str) -> str:
    """Return an address with https as its scheme; the port stays, it serves both (OpenAPI)."""
    return f"https:{address.partition(':')[2]}"
