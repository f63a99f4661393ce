"""Servers whose stream is a flood, each in a process of its own.

    python -m scripts.benchmark.hostile "pings"

sends nothing else to whoever opens its stream, as fast as it is taken, and prints its port.
"""

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha1
import json
import signal
import struct
import sys
from typing import Final

MACHINE_IDENTIFIER: Final = "a" * 40

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_AT_ONCE: Final = 1 << 20
_TEXT, _BINARY, _PING, _PONG = 1, 2, 9, 10


def _frame(content: bytes, kind: int = _TEXT, *, last: bool = True) -> bytes:
    size = len(content)
    if size < 126:
        length = bytes([size])
    elif size < 1 << 16:
        length = b"\x7e" + struct.pack("!H", size)
    else:
        length = b"\x7f" + struct.pack("!Q", size)
    return bytes([0x80 * last | kind]) + length + content


def _lines(text: str, level: int = 3, *, count: int = 1) -> bytes:
    row = {"level": level, "time": "Nov 30, 2026 02:00:00.412", "message": text}
    container = {"type": "log", "size": count, "LogSentNotification": [row] * count}
    return _frame(json.dumps({"NotificationContainer": container}).encode())


def _activities(count: int) -> bytes:
    rows = [
        {"event": "updated", "Activity": {"uuid": f"{number}", "type": "butler", "progress": 1}}
        for number in range(count)
    ]
    container = {"type": "activity", "size": count, "ActivityNotification": rows}
    return _frame(json.dumps({"NotificationContainer": container}).encode())


FLOODS: Final[Mapping[str, bytes]] = {
    "frames of 3 bytes": _frame(b"x"),
    "frames of 2 bytes": _frame(b""),
    "pings": _frame(b"", _PING),
    "pongs": _frame(b"", _PONG),
    "parts of 3 bytes": _frame(b"x", 0, last=False),
    "binary frames of 60 kB": _frame(b"x" * 60_000, _BINARY),
    "frames of 900 kB": _frame(b"x" * 900_000),
    "one frame of 100 MB": _frame(b"Butler: ".ljust(100 << 20)),
    "lines about other things": _lines("Private"),
    "starts of a task": _lines("Butler: Starting task 'BackupDatabase'"),
    "lines about damage": _lines("database disk image is malformed", 0),
    "500 lines about damage in a frame": _lines("database disk image is malformed", 0, count=500),
    "10,000 activities in a frame": _activities(10_000),
}
_FIRST: Final[Mapping[str, bytes]] = {"parts of 3 bytes": _frame(b"x", last=False)}


async def _serve(flood: str) -> None:
    frame = FLOODS[flood]
    frames = frame * max(1, _AT_ONCE // len(frame))
    identity = {"MediaContainer": {"machineIdentifier": MACHINE_IDENTIFIER, "version": "1.43"}}
    body = json.dumps(identity).encode()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while b"/identity " in (head := await reader.readuntil(b"\r\n\r\n")):
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                    b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
                )
            fields = (line.split(b": ") for line in head.splitlines() if b": " in line)
            key = {name.lower(): value for name, value in fields}[b"sec-websocket-key"]
            accept = b64encode(sha1(key + _GUID, usedforsecurity=False).digest())
            writer.write(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n" % accept
            )
            writer.write(_FIRST.get(flood, b""))
            while not stop.is_set():
                writer.write(frames)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1")
    print(json.dumps(server.sockets[0].getsockname()[1]), flush=True)
    await stop.wait()
    server.close()
    server.abort_clients()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
