"""Answers that are no container: pages, refusals, what stands in between, and none at all."""

import json
from typing import Any, Final, override

from aiohttp import web

from . import wire
from .faults import Faults

KEEP_ALIVE: Final = 20
"""How long an idle connection is kept, in seconds (seen on 1.43)."""

_ORDER: Final = (
    "X-Plex-Protocol",
    "Content-Length",
    "Content-Type",
    "Connection",
    "Keep-Alive",
    "Cache-Control",
    "Date",
)
_TO_THE_APP: Final = (
    "<script>window.location = window.location.href.match(/(^.+\\/)[^\\/]*$/)[1]"
    " + 'web/index.html';</script>"
)


class Dropped(web.Response):
    """No answer at all: the connection is closed without another byte."""

    @override
    async def prepare(self, request: web.BaseRequest) -> None:
        """Close the connection."""
        if request.transport:
            request.transport.close()

    @override
    async def write_eof(self, data: bytes = b"") -> None:
        """Write nothing."""


def page(body: bytes, status: int, content_type: str = wire.HTML) -> web.Response:
    """Return an answer of Plex's own."""
    headers = {"X-Plex-Protocol": "1.0", "Content-Type": content_type, "Cache-Control": "no-cache"}
    return web.Response(body=body, status=status, headers=headers)


def refusal(title: str, *, to_the_app: bool = False) -> web.Response:
    """Return a refusal, byte for byte as seen on 1.43; browsers are led to the app (seen)."""
    body = wire.error_page(title)
    if to_the_app:
        body = body.replace(b"<title>", _TO_THE_APP.encode() + b"<title>")
    return page(body, int(title[:3]))


async def dress(_: web.Request, response: web.StreamResponse) -> None:
    """Put the headers into the order that was seen, and leave out what gives aiohttp away."""
    headers = response.headers
    headers.pop("Server", None)
    if "X-Plex-Protocol" not in headers:
        return
    if response.keep_alive:
        headers["Connection"] = "Keep-Alive"
        headers["Keep-Alive"] = f"timeout={KEEP_ALIVE}"
    for name in _ORDER:
        if (value := headers.pop(name, None)) is not None:
            headers[name] = value


def something_else(request: web.Request, faults: Faults) -> web.Response | None:
    """Answer as something that is no Plex Media Server, if something stands in between."""
    status = faults.proxy_status
    if request.path != "/identity":
        status = status or faults.proxy_status_but_identity
    if status:
        response = _foreign("<html><body>This is a proxy</body></html>", status)
        if faults.retry_after is not None:
            response.headers["Retry-After"] = str(faults.retry_after)
        return response
    if faults.proxy_wants_password:
        response = _foreign("<html><body>Who are you?</body></html>", 401)
        response.headers["WWW-Authenticate"] = 'Basic realm="proxy"'
        return response
    if faults.https_port:
        text = "<center>The plain HTTP request was sent to HTTPS port</center>"
        return _foreign(f"<html><body>{text}</body></html>", 400)
    at_root = faults.root_redirect and request.path == "/"
    if location := "/web/index.html" if at_root else faults.redirect_to:
        return web.Response(status=302, headers={"Location": location})
    if faults.bad_gateway:
        return _foreign("<html><body><h1>502 Bad Gateway</h1>nginx</body></html>", 502)
    if faults.login_page:
        return _foreign("<!DOCTYPE html><html><body>Please log in</body></html>", 200)
    if faults.other_json:
        return web.json_response({"status": "ok"})
    return None


def unavailable(request: web.Request, faults: Faults) -> web.Response | None:
    """Answer as a server that is starting up; JSON has no root then (seen)."""
    if faults.maintenance or (faults.maintenance_but_identity and request.path != "/identity"):
        fields: dict[str, Any] = {"code": 503, "title": "Maintenance"}
        if wire.wants_json(request) and not faults.always_xml:
            fields["status"] = "Plex Media Server is currently running startup maintenance tasks."
            response = page(json.dumps(fields, separators=(",", ":")).encode(), 503, wire.JSON)
        else:
            fields["status"] = "Plex Media Server is currently running database migrations."
            response = page(wire.as_xml("Response", fields, empty="/>"), 503, wire.XML)
        if faults.retry_after is not None:
            response.headers["Retry-After"] = str(faults.retry_after)
        return response
    if faults.own_error and request.path != "/identity":
        return refusal("500 Internal Server Error")
    if faults.still_starting_up and request.method not in ("GET", "HEAD"):
        text = "the server is still starting up. Please retry later"
        return page(f"<html><body>{text}</body></html>".encode(), 400)
    return None


def _foreign(text: str, status: int) -> web.Response:
    return web.Response(text=text, status=status, content_type="text/html")
