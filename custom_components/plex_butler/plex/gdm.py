"""Discovery of servers on the local network with Plex's own protocol (GDM).

Anything on the network can answer, so that the answers must not be trusted.
"""

import asyncio
from collections import Counter
from collections.abc import Collection
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
import re
import socket
from typing import Any, Final, override

from .address import DEFAULT_PORT

GROUP: Final = ("239.0.0.250", 32414)
"""The multicast group and the port on which Plex Media Servers listen (seen)."""

_SEARCH: Final = b"M-SEARCH * HTTP/1.0"
_STATUS: Final = re.compile(r"HTTP/1\.\d +200\b")
_SERVER: Final = "plex/media-server"
# Not beyond the next router.
_HOPS: Final = 1
_LONGEST_REPLY: Final = 4096
_LONGEST_TEXT: Final = 128
# One machine may run several servers, each with replies of its own to each question.
_MOST_REPLIES_OF_A_HOST: Final = 32
_MOST_REPLIES: Final = 4096


@dataclass(frozen=True, slots=True)
class FoundServer:
    """A server that answered from `host`; the other fields are what it says about itself."""

    name: str | None
    machine_identifier: str
    host: str
    port: int
    version: str | None


async def find_servers(
    *, seconds: float = 1.5, group: tuple[str, int] = GROUP, sources: Collection[str] = ()
) -> tuple[FoundServer, ...]:
    """Search the local network for Plex Media Servers, and collect replies for some seconds.

    `sources` are the IPv4 addresses of this machine's adapters, on each of which the question is
    asked. If there are none, or none can be used, the system chooses one. The first reply of each
    server counts. If the network cannot be searched, the result is empty.
    """
    search = _Search()
    with ExitStack() as transports:
        for source in sources:
            await _ask(search, transports, group, source)
        if not search.asked:
            await _ask(search, transports, group, None)
        if search.asked > search.failed:
            with suppress(TimeoutError):
                await asyncio.wait_for(search.over.wait(), seconds)
    return tuple(search.found.values())


async def _ask(
    search: _Search, transports: ExitStack, group: tuple[str, int], source: str | None
) -> None:
    """Ask on one adapter, if that is possible; its transport is closed with `transports`."""
    with suppress(OSError):
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: search,
            local_addr=(source, 0) if source else None,
            family=socket.AF_INET,
        )
        transports.enter_context(closing(transport))
        own: socket.socket = transport.get_extra_info("socket")
        own.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, _HOPS)
        if source:
            own.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(source))
        search.asked += 1
        transport.sendto(_SEARCH, group)


class _Search(asyncio.DatagramProtocol):
    """Collects replies, up to limits that no real network reaches."""

    def __init__(self) -> None:
        self.found: dict[str, FoundServer] = {}
        self.over = asyncio.Event()
        self.asked = 0
        self.failed = 0
        self._replies: Counter[str] = Counter()

    @override
    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        host = addr[0]
        if self._replies.total() >= _MOST_REPLIES:
            self.over.set()
        elif self._replies[host] < _MOST_REPLIES_OF_A_HOST:
            self._replies[host] += 1
            if server := parse_reply(data, host):
                self.found.setdefault(server.machine_identifier, server)

    @override
    def error_received(self, exc: Exception) -> None:
        """Count an adapter on which the question could not be sent."""
        self.failed += 1


def parse_reply(reply: bytes, host: str) -> FoundServer | None:
    """Parse a reply: a status, then fields, as in HTTP (seen). None if it is not from a server."""
    if len(reply) > _LONGEST_REPLY:
        return None
    status, *lines = reply.decode("utf-8", "replace").splitlines() or [""]
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        fields.setdefault(name.strip().lower(), value.strip())
    identifier = _text(fields.get("resource-identifier"))
    port = fields.get("port", str(DEFAULT_PORT))
    if (
        not _STATUS.match(status)
        or fields.get("content-type", "").lower() != _SERVER
        or identifier is None
        or not re.fullmatch(r"\d{1,5}", port, re.ASCII)
        or not 0 < int(port) < 65536
    ):
        return None
    return FoundServer(
        name=_text(fields.get("name")),
        machine_identifier=identifier,
        host=host,
        port=int(port),
        version=_text(fields.get("version")),
    )


def _text(value: str | None) -> str | None:
    """Return a text if it can be displayed, or else None."""
    return value if value and value.isprintable() and len(value) <= _LONGEST_TEXT else None
