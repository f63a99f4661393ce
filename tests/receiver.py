"""A receiver of webhooks that nobody else wrote: it notes what arrives."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import BodyPartReader, web


class Receiver:
    """An address, and the parts of each request that arrived there."""

    def __init__(self) -> None:
        """Initialize; nothing has arrived."""
        self.url = ""
        self.parts: list[dict[str, tuple[str | None, bytes]]] = []

    async def receive(self, request: web.Request) -> web.Response:
        """Note the parts of a request, each with its content type, as aiohttp reads them."""
        parts = {}
        async for part in await request.multipart():
            assert isinstance(part, BodyPartReader)
            content = bytes(await part.read())
            parts[str(part.name)] = (part.headers.get("Content-Type"), content)
        self.parts.append(parts)
        return web.Response()


@asynccontextmanager
async def receiver() -> AsyncGenerator[Receiver]:
    """Listen on 127.0.0.1."""
    receiving = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiving.receive)
    runner: Any = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiving.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield receiving
    await runner.cleanup()
