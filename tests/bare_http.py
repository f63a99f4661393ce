"""Requests to the simulated server without our client: plain aiohttp, and bytes on a socket.

And what real servers were seen to answer, to compare with.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
import json
from pathlib import Path
import ssl
from typing import Any, Final
from xml.etree import ElementTree as ET

from aiohttp import ClientSession, ClientTimeout, TCPConnector
from yarl import URL

from tests.simulator import SimulatedPlex

JSON: Final = "application/json"
XML: Final = "application/xml"
FIXTURES: Final = Path(__file__).parent / "fixtures"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Read it as JSON."""
        return json.loads(self.body)

    def xml(self) -> ET.Element:
        """Read it as XML."""
        return ET.fromstring(self.body)  # noqa: S314 - our own simulator wrote it


@asynccontextmanager
async def session_of(
    server: SimulatedPlex, token: str | None = None, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[ClientSession]:
    """Open a session that sends a token, the owner's if none is given and no header for none."""
    token = server.owner_token if token is None else token
    async with ClientSession(
        headers={"X-Plex-Token": token} if token else {},
        connector=TCPConnector(ssl=tls or True, force_close=True),
        timeout=ClientTimeout(total=5),
    ) as session:
        yield session


async def ask(
    server: SimulatedPlex,
    method: str,
    path: str,
    *,
    token: str | None = None,
    accept: str = JSON,
    url: str | None = None,
    tls: ssl.SSLContext | None = None,
    **headers: str,
) -> Answer:
    """Ask for a path, which goes over the wire as it stands."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if accept:
        sent["Accept"] = accept
    async with (
        session_of(server, token, tls) as session,
        session.request(
            method,
            URL((url or server.url) + path, encoded=True),
            headers=sent,
            allow_redirects=False,
        ) as response,
    ):
        return Answer(response.status, response.headers, await response.read())


def request(server: SimulatedPlex, line: str, *headers: str) -> bytes:
    """Return the bytes of a request, with the owner's token."""
    lines = [f"{line} HTTP/1.1", "Host: 127.0.0.1", f"X-Plex-Token: {server.owner_token}", *headers]
    return "\r\n".join([*lines, "", ""]).encode()


async def send(server: SimulatedPlex, data: bytes, *, within: float = 2) -> bytes:
    """Send bytes and return all that comes until the server closes the connection.

    Raises:
        TimeoutError: It did not close it.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        writer.write(data)
        async with asyncio.timeout(within):
            return await reader.read()
    finally:
        writer.close()


def shape(value: Any) -> Any:
    """Return a value with its types in place of what it says, in its order."""
    match value:
        case dict():
            return [(key, shape(inner)) for key, inner in value.items()]
        case list():
            return [shape(inner) for inner in value]
        case _:
            return type(value).__name__
