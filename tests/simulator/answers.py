"""Answers that are no container: pages, refusals, and none at all."""

from aiohttp import web

from . import wire


def html(body: bytes, status: int) -> web.Response:
    """Return a page."""
    return web.Response(body=body, status=status, headers={"Content-Type": wire.HTML})


def refusal(title: str) -> web.Response:
    """Return a refusal of Plex's own, byte for byte and header for header as seen on 1.43."""
    body = wire.error_page(title)
    return web.Response(
        body=body,
        status=int(title[:3]),
        reason=title[4:],
        headers={
            "X-Plex-Protocol": "1.0",
            "Content-Length": str(len(body)),
            "Content-Type": wire.HTML,
            "Connection": "Keep-Alive",
            "Keep-Alive": "timeout=20",
            "Cache-Control": "no-cache",
        },
    )


def drop(request: web.Request) -> web.Response:
    """Close the connection without another byte."""
    if request.transport:
        request.transport.close()
    return web.Response(status=444)
