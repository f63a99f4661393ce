"""The parser of plex.tv's answers: bytes in, models out.

Every function for an answer raises NotPlexTvError, and nothing else, for bytes that are not that
answer. Rows that cannot be read are left out.
"""

from collections.abc import Mapping
import re
from typing import Any, Final

from yarl import URL

from ..address import DEFAULT_PORT, parse_address
from ..decoding import bool_of, decode, int_of, rows_of, text_of
from .errors import NotPlexTvError
from .models import AccountServer, Connection, Pin

_TOKEN: Final = re.compile(r"[!-~]+")
_PIN_FIELDS: Final = frozenset({"id", "code", "authToken"})


def is_token(text: str) -> bool:
    """Return whether a text can be sent as a token: not empty, and nothing that breaks a header."""
    return _TOKEN.fullmatch(text) is not None


def parse_pin(body: bytes) -> Pin:
    """Parse the answer to `POST /api/v2/pins`. Everything but id and code is optional."""
    fields = _pin(body)
    number, code = int_of(fields.get("id")), text_of(fields.get("code"))
    expires_in = int_of(fields.get("expiresIn"))
    if number is None or number < 0 or code is None or not is_token(code):
        raise NotPlexTvError("The answer holds no PIN that can be used")
    return Pin(number, code, expires_in if expires_in and expires_in > 0 else None)


def parse_pin_token(body: bytes) -> str | None:
    """Parse the answer to `GET /api/v2/pins/{id}`: the account's token, or None if there is none yet."""
    token = text_of(_pin(body).get("authToken"), longest=None)
    if token is not None and not is_token(token):
        raise NotPlexTvError("The answer holds a token with characters that no token has")
    return token


def parse_servers(body: bytes) -> tuple[AccountServer, ...]:
    """Parse the answer to `GET /api/v2/resources`, in plex.tv's order; players are left out.

    The first of two rows of the same server counts. A list that only has rows without an
    identifier is not a list of devices.
    """
    answer = decode(body, NotPlexTvError)
    if isinstance(answer, dict):
        answer = [answer]
    if not isinstance(answer, list):
        raise NotPlexTvError("The answer is not one that plex.tv gives")
    rows = list(rows_of(answer))
    devices = [
        (identifier, row) for row in rows if (identifier := text_of(row.get("clientIdentifier")))
    ]
    if rows and not devices:
        raise NotPlexTvError("The answer lists things that are not devices")
    servers: dict[str, AccountServer] = {}
    for identifier, row in devices:
        provides = (text_of(row.get("provides")) or "").split(",")
        if "server" in map(str.strip, provides):
            servers.setdefault(identifier, _server(identifier, row))
    return tuple(servers.values())


def parse_webhooks(body: bytes) -> tuple[str, ...]:
    """Parse the answer to `GET /api/v2/user/webhooks`: the addresses, exactly as they are there.

    All of them, because the list is replaced as a whole: a row that cannot be read is an error.
    """
    answer = decode(body, NotPlexTvError)
    if isinstance(answer, dict):
        # A list inside an object is inferred, because that is how plex.tv answers in XML.
        answer = answer.get("webhooks")
    if not isinstance(answer, list):
        raise NotPlexTvError("The answer is not a list of webhooks")
    urls = [row.get("url") if isinstance(row, dict) else None for row in answer]
    if not all(isinstance(url, str) and url for url in urls):
        raise NotPlexTvError("The answer lists things that are not webhooks")
    return tuple(map(str, urls))


def _server(machine_identifier: str, row: Mapping[str, Any]) -> AccountServer:
    token = text_of(row.get("accessToken"), longest=None)
    return AccountServer(
        name=text_of(row.get("name")) or machine_identifier,
        machine_identifier=machine_identifier,
        owned=bool_of(row.get("owned")) is not False,
        token=token if token and is_token(token) else None,
        https_required=bool_of(row.get("httpsRequired")) is True,
        presence=bool_of(row.get("presence")),
        connections=tuple(filter(None, map(_connection, rows_of(row.get("connections"))))),
    )


def _connection(row: Mapping[str, Any]) -> Connection | None:
    """Parse one row; None if it has no address. A missing URI is made of the other fields."""
    address, port = text_of(row.get("address")), int_of(row.get("port"))
    uri = _uri(text_of(row.get("uri")) or "")
    if uri is None and address and port is not None:
        host = f"[{address}]" if ":" in address else address
        uri = _uri(f"{text_of(row.get('protocol')) or 'http'}://{host}:{port}")
    if uri is None:
        return None
    address = address or uri.host or ""
    ipv6 = bool_of(row.get("IPv6"))
    return Connection(
        uri=uri,
        address=address,
        port=port if port and 0 < port < 65536 else uri.port or DEFAULT_PORT,
        local=bool_of(row.get("local")) is True,
        relay=bool_of(row.get("relay")) is True,
        ipv6=":" in address if ipv6 is None else ipv6,
    )


def _uri(text: str) -> URL | None:
    try:
        parsed = parse_address(text)
    except ValueError:
        return None
    return parsed.url if parsed.scheme_given else None


def _pin(body: bytes) -> Mapping[str, Any]:
    """Return the fields of a PIN."""
    fields = decode(body, NotPlexTvError)
    if not isinstance(fields, dict) or _PIN_FIELDS.isdisjoint(fields):
        raise NotPlexTvError("The answer is not a PIN of plex.tv")
    return fields
