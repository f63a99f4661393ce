"""Which addresses are those of the own network, judged by the address alone."""

from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from yarl import URL

# Private (RFC 1918, RFC 4193), link-local (RFC 3927, RFC 4291) and loopback.
_NETWORKS: Final = tuple(
    map(
        ip_network,
        (
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "169.254.0.0/16",
            "127.0.0.0/8",
            "fc00::/7",
            "fe80::/10",
            "::1/128",
        ),
    )
)
# Multicast DNS (RFC 6762), home networks (RFC 8375), private use (ICANN), and a habit of routers.
_DOMAINS: Final = (".local", ".home.arpa", ".internal", ".lan")


def is_local(url: URL) -> bool:
    """Return whether an address can only be one of the own network.

    Names count by their form: what a name resolves to can change, and is not for the own network
    alone to say. A name without a dot is local, one of `plex.direct` is not.
    """
    host = (url.raw_host or "").lower().removesuffix(".")
    try:
        address = ip_address(host)
    except ValueError:
        return "." not in host or host.endswith(_DOMAINS)
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in network for network in _NETWORKS)


def sends_in_the_clear(url: URL) -> bool:
    """Return whether a token that is sent to an address could be read outside the own network."""
    return url.scheme != "https" and not is_local(url)
