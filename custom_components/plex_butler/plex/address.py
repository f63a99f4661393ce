"""The address of a server: from what people type, and from a certificate."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
import re
import ssl
from typing import Final
from urllib.parse import unquote

from yarl import URL

DEFAULT_PORT: Final = 32400
"""The port of every Plex Media Server that nobody moved; http and https alike (OpenAPI)."""
LOOKUP_TIMEOUT: Final = 10.0
"""How long the handshake for a certificate's name may take, in seconds."""

_SCHEME: Final = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?//")
_AUTHORITY: Final = re.compile(r"(\[[^]]*\]|[^:]*)(?::(\d*))?")
_LABEL: Final = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
# Where a copied address leaves what a proxy may have in front: the web app's page, or a link of
# the server's own, which is where people find their token.
_OWN_PATHS: Final = frozenset({"web", ":", "activities", "butler", "identity", "library"})
# A token is pasted behind an address in every form that a browser or a log shows.
_SECRETS: Final = re.compile(r"[?#]|%3f|[&;]?X-Plex-Token", re.IGNORECASE)
_USER_INFO: Final = re.compile(r"^((?:\w+:)?//)?.*@")
_PLEX_DIRECT: Final = re.compile(r"\*(\.[0-9a-z]+\.plex\.direct)")


@dataclass(frozen=True, slots=True)
class ParsedAddress:
    """A server's base address, and whether its scheme was typed or assumed."""

    url: URL
    scheme_given: bool

    @property
    def text(self) -> str:
        """The address for a form or for storage: it reads back as the same address.

        It always names the port, which `str(url)` leaves out where it is the scheme's own.
        """
        path = self.url.raw_path.rstrip("/")
        return f"{self.url.scheme}://{self.url.host_subcomponent}:{self.url.port}{path}"


def parse_address(text: str) -> ParsedAddress:
    """Read what people type or paste: a host, `host:port`, a link to the web app or into the API.

    Without a scheme it is http, without a port 32400; https with a name keeps 443, because there a
    reverse proxy answers. A path in front of Plex's own is kept, for such proxies too. User info,
    query and fragment, where a pasted token can stand, are dropped.

    Raises ValueError, whose text holds nothing of what was typed.
    """
    try:
        return _parse(text.strip())
    except ValueError:
        pass
    raise ValueError("This is not the address of a server")


def without_secrets(text: str) -> str:
    """Return what was typed without user info, query and fragment, be it an address or not."""
    return _USER_INFO.sub(r"\1", _SECRETS.split(text.strip(), maxsplit=1)[0])


async def plex_direct_address(url: URL, context: ssl.SSLContext) -> URL | None:
    """Ask the certificate behind an https address for the address that it is made out to.

    Plex's certificates are for `*.<hash>.plex.direct`, under which every IPv4 address has a name
    (OpenAPI; seen). Returns None where the address is no IPv4 address, nothing answers, the
    certificate is not trusted, or it is not Plex's. Nothing but the handshake is sent.

    `context` has to verify certificates, but not host names: one made for this, since contexts
    are shared. Raises ValueError for any other.
    """
    if context.check_hostname or context.verify_mode is not ssl.CERT_REQUIRED:
        raise ValueError("The context has to verify certificates, but not host names")
    try:
        address = IPv4Address(url.host or "")
        async with asyncio.timeout(LOOKUP_TIMEOUT):
            _, writer = await asyncio.open_connection(str(address), url.port, ssl=context)
    except OSError, AddressValueError:
        return None
    certificate = writer.get_extra_info("peercert")
    writer.transport.abort()
    for kind, name in certificate.get("subjectAltName", ()):
        if kind == "DNS" and (match := _PLEX_DIRECT.fullmatch(name.lower())):
            return url.with_host(str(address).replace(".", "-") + match[1])
    return None


def _parse(text: str) -> ParsedAddress:
    match = _SCHEME.match(text)
    scheme = match[1].lower() if match and match[1] else None
    rest = _SECRETS.split(text[match.end() if match else 0 :], maxsplit=1)[0]
    authority, *segments = rest.split("/")
    # A user's password may hold a slash: then a part of it would stand in the path.
    if scheme not in (None, "http", "https") or "\\" in rest or "@" in "".join(segments):
        raise ValueError
    host, port = _host_and_port(authority.rpartition("@")[2])
    if port is None:
        port = 443 if scheme == "https" and _is_proxys_name(host) else DEFAULT_PORT
    path = ""
    for segment in filter(None, segments):
        if segment in _OWN_PATHS:
            break
        if not segment.isprintable() or " " in segment or unquote(segment) in (".", ".."):
            raise ValueError
        path += f"/{segment}"
    return ParsedAddress(URL(f"{scheme or 'http'}://{host}:{port}{path}"), scheme is not None)


def _host_and_port(authority: str) -> tuple[str, int | None]:
    """Split and check; an IPv6 address comes back in brackets."""
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
    """Check a name or an IPv4 address. A name that ends in a number would be such an address."""
    with suppress(AddressValueError):
        return str(IPv4Address(text))
    host = URL(f"http://{text}").raw_host or ""
    labels = host.removesuffix(".").split(".")
    if not all(map(_LABEL.fullmatch, labels)) or labels[-1].isdigit() or len(host) > 253:
        raise ValueError
    return host


def _is_proxys_name(host: str) -> bool:
    """Tell a name that a reverse proxy answers to from an IP address or Plex's own name for one."""
    return not (
        host[0] == "[" or host.rpartition(".")[2].isdigit() or host.endswith(".plex.direct")
    )
