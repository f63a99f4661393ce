"""The webhook of Plex: the start of a request's body in, an event out.

A server sends every event of its owner's account to each address in the account's list: what is
played, with a picture, and rarely a word about its database (official). The body is
multipart/form-data whose first part holds JSON (seen); only that part is looked at.
"""

from enum import StrEnum
import re
from typing import Final

from .decoding import bool_of, decode
from .errors import NotPlexError

MOST_BYTES: Final = 64 * 1024
"""How much of a body is read at most, in bytes; the first part has a few thousand."""

_BOUNDARY: Final = re.compile(
    r"multipart/form-data\s*;.*?\bboundary=(?:\"([^\"]+)\"|([^\s\";,]+))", re.IGNORECASE
)
_IS_PAYLOAD: Final = re.compile(rb"\bname=(?:\"payload\"|payload(?![^\s;]))", re.IGNORECASE)
_HEAD_END: Final = b"\r\n\r\n"


class WebhookEvent(StrEnum):
    """An event of the server's own; OTHER only shows that its webhook arrives here."""

    BACKUP = "backup"
    CORRUPTED = "corrupted"
    OTHER = "other"


_EVENTS: Final = {
    "admin.database.backup": WebhookEvent.BACKUP,
    "admin.database.corrupted": WebhookEvent.CORRUPTED,
}


class PayloadReader:
    """Finds the part `payload` at the start of a body, so that the rest need not be read."""

    def __init__(self, content_type: str) -> None:
        """Initialize with the content type of the request."""
        found = _BOUNDARY.match(content_type)
        self.done = found is None
        """Whether nothing more has to be read."""
        self.payload: bytes | None = None
        """The content of the part, once all of it was read."""
        self._received = bytearray()
        self._delimiter = f"--{found[1] or found[2]}".encode() if found else b""
        self._content: int | None = None

    @property
    def wanted(self) -> int:
        """Return how many bytes may still be read."""
        return 0 if self.done else MOST_BYTES - len(self._received)

    def feed(self, data: bytes) -> None:
        """Add bytes of the body, no more of them than `wanted`."""
        # What was searched already need not be searched again, but for an end that is cut in two.
        searched = max(0, len(self._received) - len(self._delimiter) - len(_HEAD_END))
        self._received += data
        if self._content is None and not self._find_content(searched):
            return
        end = self._received.find(b"\r\n" + self._delimiter, max(searched, self._content or 0))
        if end >= 0:
            self.payload = bytes(self._received[self._content : end])
            self.done = True

    def _find_content(self, searched: int) -> bool:
        """Find where the content begins; return whether it was found, and is that of the part."""
        start = bytes(self._received[: len(self._delimiter)])
        if not self._delimiter.startswith(start):
            self.done = True
            return False
        end = self._received.find(_HEAD_END, searched)
        if end < 0:
            return False
        self.done = _IS_PAYLOAD.search(self._received, 0, end) is None
        self._content = end + len(_HEAD_END)
        return not self.done


def parse_webhook(payload: bytes | bytearray | str, machine_identifier: str) -> WebhookEvent | None:
    """Parse the part `payload` of a request; None unless it is an event of this server's own.

    Other servers of the account send to the same address (official), and Tautulli sends what looks
    like a backup when a server is up again, without naming it (reported). `owner` is missing in
    some events (inferred); where it is there, it must be true.
    """
    body = payload.encode(errors="replace") if isinstance(payload, str) else bytes(payload)
    # Most of what arrives here need not be decoded.
    if machine_identifier.encode() not in body:
        return None
    try:
        fields = decode(body, NotPlexError)
    except NotPlexError:
        return None
    if not isinstance(fields, dict) or not isinstance(event := fields.get("event"), str):
        return None
    server = fields.get("Server")
    if not isinstance(server, dict) or server.get("uuid") != machine_identifier:
        return None
    if "owner" in fields and bool_of(fields["owner"]) is not True:
        return None
    return _EVENTS.get(event, WebhookEvent.OTHER)
