"""Certificates of simulated servers.

Those that tests with a frozen clock need are made here: none can be made while it stands still.
"""

import ssl
from typing import Final

import trustme

PLEX_NAME: Final = "*.0123456789abcdef0123456789abcdef.plex.direct"
HASH: Final = PLEX_NAME.split(".")[1]


def certificate(ca: trustme.CA, name: str) -> ssl.SSLContext:
    """Return what a server needs to be known by a name."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert(name).configure_cert(context)
    return context


AUTHORITY: Final = trustme.CA()
PLEX_TLS: Final = certificate(AUTHORITY, PLEX_NAME)
UNKNOWN_TLS: Final = certificate(trustme.CA(), PLEX_NAME)
