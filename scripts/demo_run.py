"""Start what the demo is made of, tell where it is, and stay until somebody ends it."""

import asyncio
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, Final

from scripts.demo_home import DASHBOARD, DOMAIN, FILES, make_instance
from scripts.demo_kept import MAIN, Kept
from scripts.demo_network import surroundings
from tests.live.connection import LoginError
from tests.live.frontend import Frontend
from tests.live.instance import RESTART, Instance
from tests.live.simulator import SimulatorProcess

USER: Final = "demo"
MORE_TASKS: Final = (
    "BuildGracenoteCollections",
    "CheckForUpdates",
    "GenerateAutoTags",
    "GenerateBlurHashes",
    "RefreshPeriodicMetadata",
)
"""Tasks that some servers have, so that the simulated one has all that are known."""


class DemoError(Exception):
    """The demo cannot go on; the text tells the user why."""


@dataclass(frozen=True, slots=True)
class Server:
    """What is entered in the form of the config flow."""

    url: str
    token: str


def say(text: str) -> None:
    """Print a line, unless the terminal is gone."""
    with suppress(OSError):
        print(text, flush=True)


async def add_server(frontend: Frontend, server: Server) -> None:
    """Add the server as a user would; DemoError, in the form's own words, if it comes back."""
    menu = await frontend.start_flow(DOMAIN)
    result = await frontend.continue_flow(menu["flow_id"], {"next_step_id": "manual"})
    answer: dict[str, Any] = {"url": server.url, "token": server.token, "verify_ssl": True}
    while result["type"] == "form":
        result = await frontend.continue_flow(result["flow_id"], answer)
        answer = {}
        if text := await frontend.error_of(result):
            raise DemoError(f"Home Assistant cannot add the server. {text}")
    if result["type"] != "create_entry":
        raise DemoError(f"Home Assistant cannot add the server: {result.get('reason')}")


async def set_up(instance: Instance, server: Server | None) -> str:
    """Log in, add the server if it is to be added, and return the page to look at."""
    async with instance.frontend(USER, USER) as frontend:
        if server is not None:
            say("Adding the server ...")
            await add_server(frontend, server)
        devices = await frontend.devices(DOMAIN)
    page = f"config/devices/device/{devices[0]['id']}" if devices else "config/integrations"
    return str(instance.url / page)


async def watch(instance: Instance, simulated: SimulatorProcess | None) -> None:
    """Stay until one of the two ends; start Home Assistant again when that is what it wants."""
    while instance.process:
        running = {asyncio.create_task(instance.process.wait(), name="Home Assistant")}
        if simulated and simulated.process:
            running.add(asyncio.create_task(simulated.process.wait(), name="The simulator"))
        try:
            ended, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in running:
                task.cancel()
        task = ended.pop()
        if task.get_name() != "Home Assistant" or task.result() != RESTART:
            raise DemoError(f"{task.get_name()} has ended; its log is in {instance.folder}.")
        say("Home Assistant restarts ...")
        await instance.start()


async def run(instance: Instance, server: Server | None) -> None:
    """Start Home Assistant with a real server, and stay until it ends or the user wants no more."""
    async with AsyncExitStack() as stack:
        await start(stack, instance)
        try:
            page = await set_up(instance, server)
        except LoginError:
            page = f"{instance.url} (log in as you have set it up)"
        tell(page)
        await watch(instance, None)


async def run_simulated(folder: Path, port: int, kept: Kept) -> None:
    """Start the simulated servers and Home Assistant, and stay until one ends, or the user wants."""
    server = kept.servers[MAIN]
    options = ["--profile", "demo", "--nightly", "--name", MAIN, "--token", server.token]
    options += ["--port", str(server.port), "--control-port", str(kept.control_port)]
    async with AsyncExitStack() as stack:
        simulated = SimulatorProcess(folder / "simulator.log", *options)
        stack.push_async_callback(simulated.stop)
        say("Starting the simulated servers ...")
        where = await stack.enter_async_context(surroundings(kept.servers))
        await simulated.start()
        for name in MORE_TASKS:
            await simulated.control("POST", "/task", {"name": name})
        instance = make_instance(folder, port, kept, where)
        webhook = str(instance.url / "api/webhook" / kept.webhook_id)
        await simulated.control("POST", "/webhooks", {"addresses": [webhook]})
        await start(stack, instance)
        with suppress(LoginError):  # somebody has changed the password
            await set_up(instance, None)
        typed = kept.servers["Shed"]
        words = {"base": str(instance.url), "url": typed.url, "token": typed.token}
        tour = Template((FILES / "tour.txt").read_text()).substitute(words)
        tell(f"{instance.url / DASHBOARD}", tour)
        await watch(instance, simulated)


async def start(stack: AsyncExitStack, instance: Instance) -> None:
    """Start Home Assistant, and let it be stopped at the end."""
    stack.push_async_callback(instance.stop)
    stack.callback(say, "Stopping ...")
    say("Starting Home Assistant ...")
    await instance.start()


def tell(page: str, tour: str = "") -> None:
    """Say where everything is."""
    say(f"\n  {page}\n  user {USER}, password {USER}\n")
    if tour:
        say(tour)
    say("Ctrl-C ends it.")
