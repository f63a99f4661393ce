"""Who may do what: the owner everything, others little, and an unclaimed server lets people in."""

from enum import Enum, auto
from ipaddress import ip_address, ip_network
import secrets

from aiohttp import web

from .faults import Faults


class Access(Enum):
    """What a request may do."""

    OWNER = auto()
    SHARED = auto()
    NONE = auto()


class Auth:
    """The tokens of one server."""

    def __init__(
        self,
        faults: Faults,
        owner_token: str,
        claimed: bool,
        allowed_networks: str,
    ) -> None:
        """Make a token for a shared user beside the owner's."""
        self.owner_token = owner_token
        self.shared_token = secrets.token_urlsafe(15)
        self.tokens = {self.owner_token, self.shared_token}
        self.claimed = claimed
        self.allowed_networks = allowed_networks
        self._faults = faults

    def revoke(self) -> str:
        """Replace the owner's token, as a changed password does, and return the new one."""
        self.owner_token = secrets.token_urlsafe(15)
        self.tokens.add(self.owner_token)
        return self.owner_token

    def whose(self, token: str | None) -> str:
        """Return whose token this is, for a record without tokens."""
        if token is None:
            return "none"
        return {self.owner_token: "owner", self.shared_token: "shared"}.get(token, "other")

    def access(self, request: web.Request) -> Access:
        """Decide what a request may do. The token may stand in the header or in the query."""
        faults = self._faults
        host = request.host.rpartition(":")[0] or request.host
        by_name = host != "localhost" and not _is_ip(host.strip("[]"))
        if by_name and (faults.unknown_host_name or not self.claimed):
            return Access.NONE
        if faults.unauthorized:
            return Access.NONE
        if faults.forbidden:
            return Access.SHARED
        match self.whose(_token(request)):
            case "owner":
                return Access.OWNER
            case "shared":
                return Access.SHARED
            case "other":
                return Access.NONE if self.claimed else Access.OWNER
            case _:
                return Access.OWNER if self._is_let_in(request) else Access.NONE

    def _is_let_in(self, request: web.Request) -> bool:
        """Tell whether this address needs no token."""
        if not self.claimed:
            return True
        networks = filter(None, self.allowed_networks.split(","))
        address = ip_address(request.remote or "0.0.0.0")  # noqa: S104 - nobody's address
        return any(address in ip_network(network.strip(), strict=False) for network in networks)


def _token(request: web.Request) -> str | None:
    return request.headers.get("X-Plex-Token") or request.query.get("X-Plex-Token")


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
