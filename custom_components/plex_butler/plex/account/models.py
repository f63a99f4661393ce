"""What plex.tv tells of an account, typed; and where a server of the account may be found."""

from dataclasses import dataclass, field
from ipaddress import ip_address

from yarl import URL


@dataclass(frozen=True, slots=True)
class Pin:
    """A sign-in that waits for its user (`POST /api/v2/pins`, seen).

    Its number, to the client that made it, or its code are good for the account's token once the
    user has signed in. `expires_in` is told in seconds.
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

    `token` is the account's for this server alone. `owned` is False for what others share, and
    True where plex.tv does not say: the server itself refuses who is not its owner. `presence`
    tells whether plex.tv sees it online.
    """

    name: str
    machine_identifier: str
    owned: bool
    token: str | None = field(repr=False)
    https_required: bool
    presence: bool | None
    connections: tuple[Connection, ...]


def addresses(server: AccountServer) -> tuple[URL, ...]:
    """Return where the server may be, the best address first.

    Local before remote before relay; of each the https before the http, and IPv4 before IPv6.
    Routers that protect from DNS rebinding hide `plex.direct` names, so a local one is followed by
    the plain address behind it. No http where the server requires https, and none outside the local
    network, where the owner's token would be there for all to read.
    """
    candidates: list[tuple[tuple[int, bool, bool], URL]] = []
    for connection in server.connections:
        place = 2 if connection.relay else 0 if connection.local else 1
        uris = [connection.uri]
        if place == 0 and (plain := _plain_address(connection)):
            uris.append(plain)
        candidates += [
            ((place, uri.scheme != "https", connection.ipv6), uri)
            for uri in uris
            if place == 0 or uri.scheme == "https"
        ]
    ordered = dict.fromkeys(uri for _, uri in sorted(candidates, key=lambda each: each[0]))
    return tuple(uri for uri in ordered if uri.scheme == "https" or not server.https_required)


def _plain_address(connection: Connection) -> URL | None:
    """Return the address behind a `plex.direct` name, for http: no certificate is made out to it.

    Server and port are the same (OpenAPI: one port speaks both).
    """
    if not (connection.uri.host or "").endswith(".plex.direct"):
        return None
    try:
        host = str(ip_address(connection.address))
    except ValueError:
        return None
    return URL.build(scheme="http", host=host, port=connection.port)
