"""A server of bytes: it answers each request with what a test has laid out for it.

For what the simulator cannot do: raw answers, connections that drop at a certain request, TLS.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
import json
import ssl
from typing import Any, Final, override

from yarl import URL

MACHINE_IDENTIFIER: Final = "e004a7de00000000000000000000000000000000"

DROP: Final = b"drop"
RESET: Final = b"reset"
SILENCE: Final = b"silence"


def http(status: int, body: bytes = b"", **headers: str) -> bytes:
    """Return an answer as it goes over the wire."""
    lines = [f"HTTP/1.1 {status} Status", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def http_json(answer: Any) -> bytes:
    """Return an answer in JSON."""
    return http(200, json.dumps(answer).encode())


IDENTITY: Final = http_json({"MediaContainer": {"machineIdentifier": MACHINE_IDENTIFIER}})


@dataclass(frozen=True, slots=True)
class Request:
    """What arrived: the path as it was sent, headers with lower-case names."""

    connection: int
    method: str
    path: str
    headers: dict[str, str]

    @override
    def __str__(self) -> str:
        """Return method and path."""
        return f"{self.method} {self.path}"


class ScriptedServer:
    """Answers by `answers`: the next one for a request, the last one for ever, 404 for none."""

    def __init__(self) -> None:
        """Initialize; it knows who it is and nothing else."""
        self.url = URL()
        self.requests: list[Request] = []
        self.answers: dict[str, list[bytes]] = defaultdict(lambda: [http(404)])
        self.answers["GET /identity"] = [IDENTITY]
        self.was_asked = asyncio.Event()
        self.closed_by_peer = asyncio.Event()
        self.connections = 0

    @property
    def asked(self) -> list[str]:
        """What was asked, in order."""
        return [str(request) for request in self.requests]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        connection = self.connections
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                first, *lines = head.decode().strip().split("\r\n")
                method, path, _ = first.split(" ")
                pairs = (line.split(": ", 1) for line in lines)
                headers = {name.lower(): value for name, value in pairs}
                self.requests.append(Request(connection, method, path, headers))
                self.was_asked.set()
                if not await self._answer(f"{method} {path}", reader, writer):
                    break
        except OSError, asyncio.IncompleteReadError:
            pass
        self.closed_by_peer.set()
        writer.close()

    async def _answer(
        self, request: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer one request; tell whether the connection is still of use."""
        answers = self.answers[request]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if answer == RESET:
            writer.transport.abort()
        elif answer == DROP:
            return False
        elif answer == SILENCE:
            await reader.read()
        else:
            writer.write(answer.removesuffix(SILENCE).removesuffix(DROP))
            await writer.drain()
            if answer.endswith(SILENCE):
                await reader.read()
        return not answer.endswith((DROP, RESET, SILENCE))


@asynccontextmanager
async def scripted_server(tls: ssl.SSLContext | None = None) -> AsyncGenerator[ScriptedServer]:
    """Run a server on a free port of this machine."""
    scripted = ScriptedServer()
    server = await asyncio.start_server(scripted.serve, "127.0.0.1", ssl=tls)
    port = server.sockets[0].getsockname()[1]
    scripted.url = URL(f"{'https' if tls else 'http'}://127.0.0.1:{port}")
    try:
        yield scripted
    finally:
        server.close()
        server.abort_clients()
        await server.wait_closed()
