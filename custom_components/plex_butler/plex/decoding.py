"""How Plex writes values, on its servers and on plex.tv: the quirks below all answers.

A server answers in JSON if asked to, and in XML where an old one does not listen. The content
decides which of them it is, not the header. Numbers and booleans may come as strings, a list of one
as a single object, and rows may be broken.
"""

from collections.abc import Callable, Iterator, Mapping
import json
from typing import Any, Final
from xml.etree import ElementTree as ET

_BOOLEANS: Final = {"1": True, "true": True, "0": False, "false": False}


class UnreadableError(ValueError):
    """These bytes are neither JSON nor XML that can be read."""


def decode(body: bytes, read_xml: Callable[[ET.Element], Any]) -> Any:
    """Turn bytes into what JSON gives for them; `read_xml` makes the same of an XML root.

    Raises UnreadableError, which holds nothing of the body.
    """
    text = body.decode("utf-8-sig", "replace").strip()
    try:
        return read_xml(_root(text)) if text.startswith("<") else json.loads(text)
    except ValueError, RecursionError, ET.ParseError:
        pass
    # Not inside the except block: the JSON error would come along with the whole body in it.
    raise UnreadableError("The answer is neither JSON nor XML that can be read")


def _root(text: str) -> ET.Element:
    # Entities are how XML explodes and reads files; without a document type there are none.
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("document types are refused")
    return ET.fromstring(text)  # noqa: S314 - document types are refused above


def each(rows: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of what may be a list of them, one alone, or nothing."""
    for row in rows if isinstance(rows, list) else [rows] if rows else []:
        yield row if isinstance(row, dict) else {}


def text_of(value: Any) -> str | None:
    """Read a text; numbers are taken as one, and what is no character is replaced."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).encode("utf-8", "replace").decode().strip() or None


def int_of(value: Any) -> int | None:
    """Read a whole number, also from a string; not from a boolean, infinity or NaN."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        return int(float(value))
    except ValueError, OverflowError:
        return None


def bool_of(value: Any) -> bool | None:
    """Read a boolean in the forms of JSON (true, 1) and XML ("1", "true")."""
    return _BOOLEANS.get(str(value).lower()) if isinstance(value, str | int) else None
