"""The surroundings of the demo's server: three more servers, plex.tv, and a network."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Final

from aiohttp import web

from scripts.demo_kept import IDENTIFIERS, MAIN, KeptServer
from tests.simulator import SimulatedPlex
from tests.simulator.gdm import SimulatedGdm, reply
from tests.simulator.plex_tv import SimulatedPlexTv
from tests.simulator.plex_tv_rows import connection, device
from tests.simulator.tasks import demo_profiles

# In the place of the page at Plex; the code is in the fragment, as there.
PAGE: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Sign in (simulated)</title>
<style>body{font:16px sans-serif;max-width:26em;margin:4em auto;padding:0 1em;text-align:center}
button{font:inherit;padding:.7em 1.6em;margin:.4em}</style>
<h1>Sign in</h1>
<p>In this demo, this page replaces the one of Plex. <b>Plex Butler</b> would like to use the
account of the simulated servers.</p>
<div id="ask"><button autofocus data-answer="sign-in">Sign in</button>
<button data-answer="refuse">Refuse</button></div>
<p id="done" hidden>Thank you. Close this window. Home Assistant continues automatically.</p>
<script>
const code = new URLSearchParams(location.hash.replace(/^#[?]/, "")).get("code");
for (const button of document.querySelectorAll("button")) button.onclick = async () => {
  await fetch(`/${button.dataset.answer}?code=${encodeURIComponent(code)}`, {method: "POST"});
  document.getElementById("ask").hidden = true;
  document.getElementById("done").hidden = false;
};
</script></html>
"""


@asynccontextmanager
async def surroundings(servers: Mapping[str, KeptServer]) -> AsyncIterator[dict[str, str]]:
    """Keep all of it up, and yield where it is, by the words in the configuration."""
    async with AsyncExitStack() as stack:
        plex_tv = await stack.enter_async_context(SimulatedPlexTv())
        gdm = await stack.enter_async_context(SimulatedGdm())
        for name, kept in servers.items():
            identifier = IDENTIFIERS[name]
            at = [connection(kept.url)]
            plex_tv.devices.append(device(name, identifier, kept.token, connections=at))
            if name != MAIN:
                gdm.replies.append(reply(identifier, Name=name, Port=str(kept.port)))
                await stack.enter_async_context(
                    SimulatedPlex(
                        port=kept.port,
                        machine_identifier=identifier,
                        friendly_name=name,
                        owner_token=kept.token,
                        profiles=demo_profiles(),
                        start=datetime.now(),  # noqa: DTZ005 - a server's own local time
                        speed=1,
                        nightly=True,
                    )
                )
        nowhere = [connection("http://127.0.0.1:9")]
        plex_tv.devices.append(
            device("Neighbour", "f" * 40, "shared", owned=False, connections=nowhere)
        )
        page = await stack.enter_async_context(_sign_in_page(plex_tv))
        yield {"plex_tv": plex_tv.url, "sign_in_page": page, "gdm_port": str(gdm.address[1])}


@asynccontextmanager
async def _sign_in_page(plex_tv: SimulatedPlexTv) -> AsyncIterator[str]:
    """Serve the page on which the user signs in or refuses, and yield its address."""

    async def show(_: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    async def answer(request: web.Request) -> web.Response:
        code = request.query.get("code", "")
        if code not in plex_tv.codes:
            raise web.HTTPNotFound
        if request.path == "/sign-in":
            plex_tv.sign_in(code)
        else:
            plex_tv.refuse(code)
        return web.Response()

    app = web.Application()
    app.router.add_get("/auth", show)
    app.router.add_post("/sign-in", answer)
    app.router.add_post("/refuse", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/auth"
    finally:
        await runner.cleanup()
