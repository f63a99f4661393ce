"""Models of what plex.tv sends, and the addresses of a server of the account."""

from dataclasses import dataclass, field
from ipaddress import ip_address

from yarl import URL

from ..locality import sends_in_the_clear


@dataclass(frozen=True, slots=True)
class Pin:
    """A sign-in that waits for the user (`POST /api/v2/pins`, seen).

    Once the user has signed in, its `id` gives the client that created it the account's token. Both
    `id` and `code` are secret until then. `expires_in` is in seconds.
    """

    id: int = field(repr=False)
    code: str = field(repr=False)
    expires_in: int | None


@dataclass(frozen=True, slots=True)
class Connection:
    """One of the addresses of a server (`GET /api/v2/resources`, seen)."""

    uri: URL
    address: str
    port: int
    local: bool
    relay: bool
    ipv6: bool


@dataclass(frozen=True, slots=True)
class AccountServer:
    """A server that an account can use (`GET /api/v2/resources`, seen).

    `token` gives the account access to this server alone. `owned` is False for a server that
    somebody else shares, and True if plex.tv leaves it out, because the server itself refuses
    everybody but its owner. `presence` is whether the server is connected to plex.tv.
    """

    name: str
    machine_identifier: str
    owned: bool
    token: str | None = field(repr=False)
    https_required: bool
    presence: bool | None
    connections: tuple[Connection, ...]


def addresses(server: AccountServer) -> tuple[URL, ...]:
    """Return the addresses at which the server may be reached, the best one first.

    Local ones come before remote ones, and these before relays; among each of them https comes
    before http, and IPv4 before IPv6. Routers with DNS rebinding protection do not resolve
    `plex.direct` names, so the http address with the IP address of each local one is included. Http
    is left out if the server requires https, and for what plex.tv does not call local.

    plex.tv also calls addresses local that are not: those that a user has entered as custom ones,
    and a public IP address of the server itself (reported). At such an address http comes last of
    all, because others could read the token.
    """
    candidates: list[tuple[tuple[int, bool, bool], URL]] = []
    for connection in server.connections:
        place = 2 if connection.relay else 0 if connection.local else 1
        uris = [connection.uri]
        if place == 0 and (plain := _plain_address(connection)):
            uris.append(plain)
        candidates += [
            ((3 if sends_in_the_clear(uri) else place, uri.scheme != "https", connection.ipv6), uri)
            for uri in uris
            if place == 0 or uri.scheme == "https"
        ]
    ordered = dict.fromkeys(uri for _, uri in sorted(candidates, key=lambda each: each[0]))
    return tuple(uri for uri in ordered if uri.scheme == "https" or not server.https_required)


def _plain_address(connection: Connection) -> URL | None:
    """Return the http address of a server with a `plex.direct` name; no certificate is for it.

    The port is the same (OpenAPI: one port accepts both http and https).
    """
    if not (connection.uri.raw_host or "").endswith(".plex.direct"):
        return None
    try:
        host = str(ip_address(connection.address))
    except ValueError:
        return None
    return URL.build(scheme="http", host=host, port=connection.port)
