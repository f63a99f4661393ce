"""Plex Media Servers that answer to a search of the network (GDM), all on 127.0.0.1."""

import asyncio
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Final, Self, override

SEARCH: Final = b"M-SEARCH * HTTP/1.0"


def reply(
    machine_identifier: str = "e004a7de" + "0" * 32, *, status: str = "200 OK", **fields: str
) -> bytes:
    """Return the reply of a server as it was seen, with other fields or more.

    A field that is empty is left out; of its name an underscore becomes a hyphen.
    """
    told = {
        "Content-Type": "plex/media-server",
        "Host": "53f4b5b6023d41182fe88a99b0e714ba.plex.direct",
        "Name": "Cellar",
        "Port": "32400",
        "Resource-Identifier": machine_identifier,
        "Updated-At": "1585769946",
        "Version": "1.43.4.10903-e5521bd8c",
    } | {name.replace("_", "-"): value for name, value in fields.items()}
    lines = [f"{name}: {value}" for name, value in told.items() if value]
    return "\r\n".join([f"HTTP/1.0 {status}", *lines, "", ""]).encode()


class SimulatedGdm(asyncio.DatagramProtocol):
    """Answers each search with all that is in `replies`: one datagram each, broken ones too.

    A search is passed on to the `others`, which are not asked themselves. Before its first reply
    it lets the loop turn `delay` times.
    """

    def __init__(self, *replies: bytes, host: str = "127.0.0.1", delay: int = 0) -> None:
        """Prepare; nothing listens yet."""
        self.others: list[SimulatedGdm] = []
        self._delay = delay
        self.replies = list(replies)
        self.received: list[bytes] = []
        self.searchers: list[tuple[str, int]] = []
        self.address = (host, 0)
        self._transport: asyncio.DatagramTransport | None = None

    async def __aenter__(self) -> Self:
        """Listen."""
        self._transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: self, local_addr=self.address
        )
        self.address = self._transport.get_extra_info("sockname")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop."""
        if self._transport:
            self._transport.abort()

    @override
    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Answer a search; anything else is none of a server's business."""
        self.received.append(data)
        if data.startswith(SEARCH):
            self.searchers.append((addr[0], addr[1]))
            for each in (self, *self.others):
                each.answer(addr)

    def answer(self, addr: tuple[Any, ...]) -> None:
        """Answer somebody who searches."""
        nothing: list[bytes] = [b""] * self._delay
        self._send(addr, iter([*nothing, *self.replies]))

    def _send(self, addr: tuple[Any, ...], replies: Iterator[bytes]) -> None:
        """Send one after another: a socket holds few datagrams that nobody has read yet."""
        each = next(replies, None)
        if each is not None and self._transport:
            if each or not self._delay:
                self._transport.sendto(each, addr)
            asyncio.get_running_loop().call_soon(self._send, addr, replies)
