"""How Plex writes its answers, on its servers and on plex.tv.

A media server answers in JSON if asked to, but old ones and proxies may still answer in XML. The
format is detected from the content, not from the header. Numbers and booleans may be strings, a
list of one row may be a single object, and rows may be invalid.
"""

from collections.abc import Iterator, Mapping
import json
import re
from typing import Any, Final
from xml.etree import ElementTree as ET

from .errors import PlexError

LONGEST_TEXT: Final = 255
"""How long a text is at most, in characters: as long as a state of Home Assistant."""

_BOOLEANS: Final = {"1": True, "true": True, "0": False, "false": False}
# A float holds every whole number up to this one, so that 1 and 1.0 and "1" are the same.
_LARGEST_EXACT: Final = 2**53
# What XML 1.0 does not allow, as a character and as a reference. Titles of films may hold it.
_NOT_IN_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_REFERENCE: Final = re.compile(r"&#(?:([xX])([0-9a-fA-F]{1,100})|([0-9]{1,100}));")


def decode(body: bytes, error: type[PlexError], *, xml: bool = False) -> Any:
    """Decode a body in JSON, or also in XML if `xml` is True.

    XML is converted to the JSON of the same answer: attributes become fields, children become lists
    of rows. Raises `error`, with a text that contains nothing of the body, for anything else.

    Control characters in texts are accepted, although neither format allows them.
    """
    text = body.decode("utf-8-sig", "replace").strip()
    try:
        return _decode_xml(text) if xml and text.startswith("<") else json.loads(text, strict=False)
    except ValueError, RecursionError, ET.ParseError:
        pass
    # Not inside the except block: its context would be the JSON error, which holds the whole body.
    raise error("The answer cannot be decoded")


def _decode_xml(text: str) -> dict[str, Any]:
    # Without a document type there are no entities, which could fill the memory or read files.
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("document types are refused")
    try:
        root = ET.fromstring(text)  # noqa: S314 - document types are refused above
    except ET.ParseError:
        root = ET.fromstring(_only_xml(text))  # noqa: S314 - the same
    rows: dict[str, list[dict[str, str]]] = {}
    for child in root:
        rows.setdefault(child.tag, []).append(child.attrib)
    return {root.tag: {**root.attrib, **rows}}


def _only_xml(text: str) -> str:
    """Return XML without the characters that it must not hold, and without references to them."""

    def keep(reference: re.Match[str]) -> str:
        code = int(reference[2], 16) if reference[1] else int(reference[3])
        is_character = code in (9, 10, 13) or 0x20 <= code < 0xD800 or 0xE000 <= code < 0xFFFE
        return f"&#{code};" if is_character or 0x10000 <= code < 0x110000 else ""

    return _REFERENCE.sub(keep, _NOT_IN_XML.sub("", text))


def rows_of(value: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of a list, of a single row without a list, or of nothing.

    A row that is not an object is yielded as an empty one.
    """
    for row in value if isinstance(value, list) else [value] if value else []:
        yield row if isinstance(row, dict) else {}


def text_of(value: Any, longest: int | None = LONGEST_TEXT) -> str | None:
    """Return a text without surrounding blanks, or None if it is empty or not a text.

    A whole number is accepted as a text. Blanks of any kind become spaces, and what cannot be
    printed is dropped: no text breaks a line. Lone surrogates, which could not be stored, are
    replaced. The text ends after `longest` characters, unless that is None.
    """
    if type(value) is not str:
        if not isinstance(value, int) or isinstance(value, bool):
            return None
        value = str(value)
    if longest is not None and len(value) > longest:
        # What is dropped below may make room for some more of it.
        value = value.strip()[: longest * 4]
    if not value.isascii():
        value = value.encode("utf-8", "replace").decode()
    if not value.isprintable():
        blanks = (" " if char.isspace() else char for char in value)
        value = "".join(char for char in blanks if char.isprintable())
    return value.strip()[:longest].rstrip() or None


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
