"""Who may do what: the owner everything, others little, and an unclaimed server lets people in."""

from enum import Enum, auto
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
import secrets

from aiohttp import web
from yarl import URL

from .faults import Faults
from .prefs import Preferences


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
        preferences: Preferences,
        owner_token: str,
        claimed: bool,
    ) -> None:
        """Make a token for a shared user beside the owner's.

        Of the preferences `allowedNetworks` tells who is let in without a token.
        """
        self.owner_token = owner_token
        self.shared_token = secrets.token_urlsafe(15)
        self.tokens = {self.owner_token, self.shared_token}
        self.claimed = claimed
        self._faults = faults
        self._preferences = preferences

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
        host = URL.build(scheme="http", authority=request.host).host or ""
        by_name = host != "localhost" and not _is_ip(host)
        if by_name and (faults.unknown_host_name or not self.claimed):
            return Access.NONE
        if faults.unauthorized:
            return Access.NONE
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
        address = ip_address(request.remote or "::")
        networks = str(self._preferences.values["allowedNetworks"]).split(",")
        return any(address in network for network in map(_network, networks) if network)

    def refusal(self, request: web.Request, access: Access) -> str | None:
        """Return with what a request is refused; who the server is may anybody ask.

        A shared user is refused at what is for admins: OpenAPI says so of /butler, the rest is
        inferred.
        """
        if request.path == "/identity" or request.method == "OPTIONS":
            return None
        if access is Access.NONE:
            return "401 Unauthorized"
        if self._faults.sessions_refused and request.path == "/status/sessions":
            return "403 Forbidden"
        for_admins = request.path.startswith(
            ("/butler", "/:/prefs", "/status")
        ) or request.method not in (
            "GET",
            "HEAD",
        )
        if self._faults.forbidden or (access is Access.SHARED and for_admins):
            return "403 Forbidden"
        return None


def _token(request: web.Request) -> str | None:
    return request.headers.get("X-Plex-Token") or request.query.get("X-Plex-Token")


def _is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text.strip(), strict=False)
    except ValueError:
        return None
