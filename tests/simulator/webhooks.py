"""The webhooks of a simulated server: it posts events to the addresses of its owner's account.

What is posted is multipart/form-data with JSON in its first part, and a picture behind that for what
is played (seen by receivers). Each address gets one try. Nobody has published a body of the admin
events; their fields are those that receivers had to cope with.
"""

import asyncio
from collections.abc import Mapping
import json
from typing import Any, Final

from aiohttp import ClientError, ClientSession, ClientTimeout

from .faults import Faults

BACKUP: Final = "admin.database.backup"
CORRUPTED: Final = "admin.database.corrupted"
LOOK_ALIKE: Final = {"event": BACKUP}
"""What a guide makes Tautulli send when a server is up again."""
PICTURE: Final = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 240 + b"\r\n\r\n\xff\xd9"
"""Something like a JPEG of 60 kB."""

_BOUNDARY: Final = "------------------------0123456789abcdef"
_TIMEOUT: Final = ClientTimeout(total=10)


class Webhooks:
    """The events of one server, and the addresses to which they go."""

    def __init__(self, faults: Faults, title: str, machine_identifier: str) -> None:
        """Initialize without an address."""
        self.addresses: list[str] = []
        self.delivered: list[tuple[str, int | None]] = []
        """Each event that was sent, and its status; None if nobody answered."""
        self._faults = faults
        self._title = title
        self._machine_identifier = machine_identifier
        self._sending: set[asyncio.Task[None]] = set()

    def fields(self, event: str, /, **changes: Any) -> dict[str, Any]:
        """Return the fields of an event; a change to None leaves one out."""
        fields = {
            "event": event,
            "user": True,
            "owner": True,
            "Account": {"id": 1, "thumb": "https://plex.tv/users/0/avatar", "title": "owner"},
            "Server": {"title": self._title, "uuid": self._machine_identifier},
        }
        if event.startswith("media."):
            player = {"local": True, "publicAddress": "203.0.113.7", "title": "TV", "uuid": "11"}
            metadata = {"type": "movie", "title": "A private film", "key": "/library/metadata/1"}
            fields |= {"Player": player, "Metadata": metadata}
        return {key: value for key, value in (fields | changes).items() if value is not None}

    def send(self, fields: Mapping[str, Any] | bytes, *, picture: bytes = b"") -> None:
        """Send an event to each address, once, in the background."""
        if self._faults.webhooks_off or self._faults.no_plex_pass:
            return
        content = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
        event = "" if isinstance(fields, bytes) else fields["event"]
        for address in self.addresses:
            task = asyncio.create_task(self._deliver(address, event, content, picture))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    def backed_up(self, *, scheduled: bool) -> None:
        """Send the event of a backup that has ended."""
        good = not (self._faults.backup_fails or self._faults.backup_code)
        if good and (scheduled or not self._faults.by_name_is_silent):
            self.send(self.fields(BACKUP))

    async def sent(self) -> None:
        """Wait until everything was sent."""
        while self._sending:
            await asyncio.wait(set(self._sending))

    async def _deliver(self, address: str, event: str, content: bytes, picture: bytes) -> None:
        headers = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
        body = multipart(content, picture, content_type=not self._faults.untyped_webhook)
        status = None
        try:
            async with (
                ClientSession(timeout=_TIMEOUT) as session,
                session.post(address, data=body, headers=headers) as response,
            ):
                status = response.status
        except ClientError, OSError:
            pass
        self.delivered.append((event, status))


def multipart(content: bytes, picture: bytes = b"", *, content_type: bool = True) -> bytes:
    """Return the body of a request."""
    typed = b"Content-Type: application/json\r\n" if content_type else b""
    parts = [b'Content-Disposition: form-data; name="payload"\r\n' + typed + b"\r\n" + content]
    if picture:
        head = b'Content-Disposition: form-data; name="thumb"; filename="thumb.jpg"\r\n'
        parts.append(head + b"Content-Type: image/jpeg\r\n\r\n" + picture)
    delimiter = f"--{_BOUNDARY}".encode()
    return b"".join(delimiter + b"\r\n" + part + b"\r\n" for part in parts) + delimiter + b"--\r\n"
