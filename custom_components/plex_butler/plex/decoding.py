"""How Plex writes its answers, on its servers and on plex.tv.

A media server answers in JSON if asked to, but old ones and proxies may still answer in XML. The
format is detected from the content, not from the header. Numbers and booleans may be strings, a
list of one row may be a single object, and rows may be invalid.
"""

from collections.abc import Iterator, Mapping
import json
from typing import Any, Final
from xml.etree import ElementTree as ET

from .errors import PlexError

_BOOLEANS: Final = {"1": True, "true": True, "0": False, "false": False}
# A float holds every whole number up to this one, so that 1 and 1.0 and "1" are the same.
_LARGEST_EXACT: Final = 2**53


def decode(body: bytes, error: type[PlexError], *, xml: bool = False) -> Any:
    """Decode a body in JSON, or also in XML if `xml` is True.

    XML is converted to the JSON of the same answer: attributes become fields, children become lists
    of rows. Raises `error`, with a text that contains nothing of the body, for anything else.
    """
    text = body.decode("utf-8-sig", "replace").strip()
    try:
        return _decode_xml(text) if xml and text.startswith("<") else json.loads(text)
    except ValueError, RecursionError, ET.ParseError:
        pass
    # Not inside the except block: its context would be the JSON error, which holds the whole body.
    raise error("The answer cannot be decoded")


def _decode_xml(text: str) -> dict[str, Any]:
    # Without a document type there are no entities, which could fill the memory or read files.
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("document types are refused")
    root = ET.fromstring(text)  # noqa: S314 - document types are refused above
    rows: dict[str, list[dict[str, str]]] = {}
    for child in root:
        rows.setdefault(child.tag, []).append(child.attrib)
    return {root.tag: {**root.attrib, **rows}}


def rows_of(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of a list, of a single row without a list, or of nothing.

    A row that is not an object is yielded as an empty one.
    """
    for row in value if isinstance(value, list) else [value] if value else []:
        yield row if isinstance(row, dict) else {}


def text_of(value: Any) -> str | None:
    """Return a text without surrounding blanks, or None if it is empty or not a text.

    A whole number is accepted as a text. Lone surrogates, which could not be stored, are replaced.
    """
    if type(value) is not str:
        if not isinstance(value, int) or isinstance(value, bool):
            return None
        value = str(value)
    if not value.isascii():
        value = value.encode("utf-8", "replace").decode()
    return value.strip() or None


def int_of(value: Any) -> int | None:
    """Return a whole number, also from a string; None for a boolean, infinity or NaN."""
    if type(value) is int and -_LARGEST_EXACT <= value <= _LARGEST_EXACT:
        return value
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        return int(float(value))
    except ValueError, OverflowError:
        return None


def bool_of(value: Any) -> bool | None:
    """Return a boolean in the forms of JSON (true, 1) and XML ("1", "true")."""
    if type(value) is bool:
        return value
    return _BOOLEANS.get(str(value).lower()) if isinstance(value, str | int) else None
