"""How a server writes its answers: JSON if asked to, XML otherwise."""

from collections.abc import Mapping
import json
import re
from typing import Any
from xml.sax.saxutils import quoteattr

from aiohttp import web

XML = "text/xml;charset=utf-8"
JSON = "application/json"
HTML = "text/html"


def wants_json(request: web.Request) -> bool:
    """Tell whether a client asked for JSON."""
    return "json" in request.headers.get("Accept", "")


def error_page(title: str) -> bytes:
    """Return the page of a refusal, byte for byte as seen on 1.43."""
    return (
        f"<html><head><title>{title.partition(' ')[2]}</title></head>"
        f"<body><h1>{title}</h1></body></html>"
    ).encode()


def as_json(root: str, container: Mapping[str, Any]) -> bytes:
    """Return a container in JSON, without blanks."""
    return json.dumps({root: container}, separators=(",", ":"), ensure_ascii=False).encode()


def as_xml(root: str, container: Mapping[str, Any], *, empty: str | None = None) -> bytes:
    """Return a container in XML: fields are attributes, rows are children.

    `empty` is how the root ends if it has no children; a container has an end tag even so.
    """
    element = _element(root, container, f">\n</{root}>" if empty is None else empty)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{element}\n'.encode()


def with_control_characters(body: bytes) -> bytes:
    """Return a body whose texts for people begin with what neither JSON nor XML allows."""
    keys = "title|subtitle|friendlyName|description"
    body = re.sub(f'("(?:{keys})":")'.encode(), b"\\1\x04\n", body)
    xml = "\x04&#4;&#x1f;\uffff".encode()
    return re.sub(f'( (?:{keys})=")'.encode(), lambda match: match[1] + xml, body)


def with_strings(value: Any) -> Any:
    """Return the same with every number and boolean as a string."""
    match value:
        case dict():
            return {key: with_strings(inner) for key, inner in value.items()}
        case list():
            return [with_strings(inner) for inner in value]
        case None:
            return None
        case _:
            return _text(value)


def with_single_objects(value: Any) -> Any:
    """Return the same with an object in place of every list of one."""
    match value:
        case dict():
            return {key: with_single_objects(inner) for key, inner in value.items()}
        case [dict() as only]:
            return only
        case _:
            return value


def _element(tag: str, fields: Mapping[str, Any], empty: str = " />") -> str:
    attributes, children = [], []
    for key, value in fields.items():
        if isinstance(value, dict):
            children.append(_element(key, value))
        elif isinstance(value, list):
            children += [_element(key, row) for row in value]
        elif value is not None:
            attributes.append(f" {key}={quoteattr(_text(value))}")
    start = f"<{tag}{''.join(attributes)}"
    return "\n".join([f"{start}>", *children, f"</{tag}>"]) if children else f"{start}{empty}"


def _text(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)
