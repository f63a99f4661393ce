"""The address of a server, from user input or from a certificate."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address
from itertools import zip_longest
import re
import ssl
from typing import Final
from urllib.parse import unquote

from yarl import URL

DEFAULT_PORT: Final = 32400
"""The default port of a Plex Media Server, for http and https alike (OpenAPI)."""
LOOKUP_TIMEOUT: Final = 10.0
"""How long the handshake to read a certificate may take, in seconds."""

_SCHEME: Final = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?//")
_AUTHORITY: Final = re.compile(r"(\[[^]]*\]|[^:]*)(?::(\d*))?")
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
# The first segments of the server's own paths (OpenAPI; those of older servers are reported). Users
# copy addresses of the web app, or of a page on which they found their token; a proxy may have put
# segments of its own before these.
_OWN_PATHS: Final = frozenset(
    [
        ":",
        "accounts",
        "actions",
        "activities",
        "butler",
        "channels",
        "clients",
        "devices",
        "diagnostics",
        "downloadQueue",
        "hubs",
        "identity",
        "library",
        "livetv",
        "log",
        "logs",
        "myplex",
        "neighborhood",
        "playQueues",
        "player",
        "playlists",
        "plugins",
        "prefs",
        "resources",
        "search",
        "security",
        "servers",
        "statistics",
        "status",
        "sync",
        "system",
        "transcode",
        "updater",
        "web",
    ]
)
# Those that a proxy could use as a name of its own as well, such as /media/plex, and what follows them
# on a server (OpenAPI): anything where that is not known.
_MAYBE_OWN_PATHS: Final = {
    segment: re.compile(follows)
    for segment, follows in {
        "client": ".*",
        "media": "grabbers|providers|subscriptions",
        "metadata": "[0-9a-f]+",
        "music": ":",
        "photo": ":",
        "router": ".*",
        "server": "access_tokens|users",
        "services": "browse|ultrablur",
        "user": "view_state_sync|[0-9a-f-]{36}",
        "video": ":",
    }.items()
}
# Providers of content, such as tv.plex.providers.epg.cloud.
_PROVIDER: Final = "tv.plex."
# A port behind a slash instead of a colon.
_PORT: Final = re.compile(r"[0-9]{3,5}")
# Where a scheme was mistyped, it is taken for the name of a host.
_SCHEMES: Final = ("http", "https")
# How a token may follow a pasted address, depending on which browser or log showed it.
_SECRETS: Final = re.compile(r"[?#]|%3f|[&;]?X-Plex-Token", re.IGNORECASE)
# What nobody sees of what was pasted: marks of the direction of writing, and characters of no width.
_INVISIBLE: Final = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")
_USER_INFO: Final = re.compile(r"^((?:\w+:)?//)?.*@")
_PLEX_DIRECT: Final = re.compile(r"\*(\.[0-9a-z]+\.plex\.direct)")
# A name of plex.direct: an IPv4 address, or an IPv6 address with all its digits (reported).
_NAMED_ADDRESS: Final = re.compile(r"([0-9a-f-]+)\.[0-9a-z]+\.plex\.direct", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ParsedAddress:
    """The base address of a server, and whether its scheme was given or assumed."""

    url: URL
    scheme_given: bool

    @property
    def text(self) -> str:
        """Return the address for a form or for storage; parsing it gives the same address again.

        It always contains the port, which `str(url)` leaves out if it is the default of the scheme.
        """
        path = self.url.raw_path.rstrip("/")
        return f"{self.url.scheme}://{self.url.host_subcomponent}:{self.url.port}{path}"


def parse_address(text: str) -> ParsedAddress:
    """Parse user input: a host, `host:port`, or a link to the web app or into the API.

    The default scheme is http, and the default port 32400. For https with a custom name it is 443,
    because that is probably a reverse proxy. A path before Plex's own is kept for the same reason.
    User info, query and fragment, which may contain a token, are dropped.

    Raises ValueError with a text that contains nothing of the input.
    """
    try:
        return _parse(without_invisible(text))
    except ValueError:
        pass
    raise ValueError("This is not the address of a server")


def host_of(url: URL) -> str:
    """Return the host of an address as people write it; as the network does if that fails."""
    try:
        return url.host or ""
    except UnicodeError:
        # What begins with xn-- need not be an encoded name.
        return url.raw_host or ""


def without_secrets(text: str) -> str:
    """Return user input, valid or not, without user info, query and fragment."""
    return _USER_INFO.sub(r"\1", _SECRETS.split(without_invisible(text), maxsplit=1)[0])


def without_invisible(text: str) -> str:
    """Return user input without surrounding blanks, and without what cannot be seen of it."""
    return _INVISIBLE.sub("", text).strip()


async def plex_direct_address(url: URL, context: ssl.SSLContext) -> URL | None:
    """Return the address for which the certificate of an https address is valid.

    Plex's certificates are for `*.<hash>.plex.direct`, under which every IP address has a name
    (OpenAPI; IPv4 seen, the form for IPv6 reported). The name is made of the IP address to which
    the connection leads, whether the host is that address, a name for it, or a name of plex.direct
    whose hash has changed. Returns None if nothing answers, the certificate is not trusted or not
    Plex's, or the IP address is valid on one link only. Only the TLS handshake is sent.

    `context` must verify certificates but not host names; do not change a shared one for this.
    Raises ValueError for any other context.
    """
    if context.check_hostname or context.verify_mode is not ssl.CERT_REQUIRED:
        raise ValueError("The context must verify certificates but not host names")
    host = url.raw_host or ""
    try:
        async with asyncio.timeout(LOOKUP_TIMEOUT):
            _, writer = await asyncio.open_connection(
                _named_address(host) or host, url.port, ssl=context, server_hostname=host
            )
    except OSError, UnicodeError:
        return None
    certificate = writer.get_extra_info("peercert")
    label = _label(writer.get_extra_info("peername")[0])
    writer.transport.abort()
    for kind, name in certificate.get("subjectAltName", ()):
        if label and kind == "DNS" and (match := _PLEX_DIRECT.fullmatch(name.lower())):
            return url.with_host(label + match[1])
    return None


def _named_address(host: str) -> str | None:
    """Return the IP address in a name of plex.direct: routers may hide such a name."""
    if match := _NAMED_ADDRESS.fullmatch(host):
        for separator in (".", ":"):
            with suppress(ValueError):
                return str(ip_address(match[1].replace("-", separator)))
    return None


def _label(text: str) -> str | None:
    """Return how an IP address is written in a name of plex.direct."""
    address = ip_address(text)
    if isinstance(address, IPv4Address):
        return str(address).replace(".", "-")
    if address.ipv4_mapped:
        return _label(str(address.ipv4_mapped))
    return None if address.scope_id else address.exploded.replace(":", "-")


def _parse(text: str) -> ParsedAddress:
    match = _SCHEME.match(text)
    scheme = match[1].lower() if match and match[1] else None
    rest, *secrets = _SECRETS.split(text[match.end() if match else 0 :], maxsplit=1)
    has_query = bool(secrets)
    authority, *segments = rest.split("/")
    # An "@" in the path is the end of a password with a slash in it.
    if scheme not in (None, "http", "https") or "\\" in rest or "@" in "".join(segments):
        raise ValueError
    host, port = _host_and_port(authority.rpartition("@")[2])
    if host in _SCHEMES:
        raise ValueError
    if port is None:
        port = 443 if scheme == "https" and _is_custom_name(host) else DEFAULT_PORT
    path = _prefix(list(filter(None, segments)), has_query=has_query)
    if path and not segments[0]:
        # A colon is missing behind what was meant to be the scheme.
        raise ValueError
    return ParsedAddress(URL(f"{scheme or 'http'}://{host}:{port}{path}"), scheme is not None)


def _prefix(segments: list[str], *, has_query: bool) -> str:
    """Return the part of a path that is a proxy's: that before the first of Plex's own segments."""
    path = ""
    for segment, following in zip_longest(segments, segments[1:]):
        if segment in _OWN_PATHS or segment.startswith(_PROVIDER):
            break
        follows = _MAYBE_OWN_PATHS.get(segment)
        if follows and (has_query if following is None else follows.fullmatch(following)):
            break
        if (
            ":" in segment
            or not segment.isprintable()
            or " " in segment
            or unquote(segment) in (".", "..")
            or _PORT.fullmatch(segment)
        ):
            raise ValueError
        path += f"/{segment}"
    return path


def _host_and_port(authority: str) -> tuple[str, int | None]:
    """Split and check an authority; an IPv6 address is returned in brackets."""
    with suppress(AddressValueError):
        return _ipv6(authority), None
    if not (match := _AUTHORITY.fullmatch(authority)):
        raise ValueError
    host, port = match[1], int(match[2]) if match[2] else None
    if port is not None and not 0 < port < 65536:
        raise ValueError
    return _ipv6(host[1:-1]) if host.startswith("[") else _name(host), port


def _ipv6(text: str) -> str:
    address = IPv6Address(text)
    if address.scope_id:
        raise ValueError
    return f"[{address}]"


def _name(text: str) -> str:
    """Check a name or an IPv4 address. The last label of a name must not be a number."""
    with suppress(AddressValueError):
        return str(IPv4Address(text))
    host = URL(f"http://{text}").raw_host or ""
    labels = host.removesuffix(".").split(".")
    if not all(map(_LABEL.fullmatch, labels)) or labels[-1].isdigit() or len(host) > 253:
        raise ValueError
    return host


def _is_custom_name(host: str) -> bool:
    """Return whether a host is neither an IP address nor Plex's own name for one."""
    return not (
        host[0] == "[" or host.rpartition(".")[2].isdigit() or host.endswith(".plex.direct")
    )
