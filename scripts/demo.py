"""The demo: a Plex Media Server, simulated or real, and a Home Assistant that has it."""

import argparse
import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
import fcntl
import getpass
import hashlib
import json
import os
from pathlib import Path
import secrets
import shutil
import signal
import sys
from typing import Any, Final, TextIO

import aiohttp

from tests.live.connection import FrontendError, LoginError
from tests.live.frontend import Frontend
from tests.live.instance import RESTART, Instance
from tests.live.process import REPOSITORY, ProcessDiedError, free_port, is_free
from tests.live.simulator import SimulatorProcess

STATE: Final = REPOSITORY / ".demo"
DOMAIN: Final = "plex_butler"
USER: Final = "demo"
DEFAULT_PORT: Final = 8123


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


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/demo",
        description="Start a simulated Plex Media Server and a Home Assistant that has it.",
        epilog="The token of a real server is taken from PLEX_TOKEN, or asked for.",
    )
    parser.add_argument("--server", metavar="URL", help="use this real server, not a simulated one")
    parser.add_argument(
        "--port", type=int, help=f"Home Assistant's port ({DEFAULT_PORT}, or the next free one)"
    )
    parser.add_argument("--fresh", action="store_true", help="forget what earlier runs left")
    return parser.parse_args()


def choose_port(wanted: int | None) -> int:
    """Return the port that was asked for, or the first free one from 8123 on."""
    if wanted is not None:
        if not is_free(wanted):
            raise DemoError(f"Port {wanted} is taken: another --port, please.")
        return wanted
    for port in range(DEFAULT_PORT, DEFAULT_PORT + 20):
        if is_free(port):
            return port
    raise DemoError(f"The ports from {DEFAULT_PORT} on are all taken: --port, please.")


def state_of(server: str | None) -> Path:
    """Return the folder for the simulator or a real server; its name does not tell the address."""
    if server is None:
        return STATE / "simulator"
    return STATE / f"server-{hashlib.sha256(server.encode()).hexdigest()[:8]}"


def claim(folder: Path) -> TextIO:
    """Keep the folder while the file that is returned is open; DemoError if somebody has it."""
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder.with_suffix(".lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise DemoError("Another scripts/demo is running with this server: end it first.") from None
    return file


def has_entry(folder: Path) -> bool:
    """Tell whether an earlier run has added the server already."""
    try:
        stored = json.loads((folder / ".storage" / "core.config_entries").read_text())
    except FileNotFoundError:
        return False
    return any(entry["domain"] == DOMAIN for entry in stored["data"]["entries"])


def ask_token() -> str:
    """Return the token of a real server, from the environment or the keyboard."""
    if token := os.environ.get("PLEX_TOKEN"):
        return token
    if not sys.stdin.isatty():
        raise DemoError("The server's token is missing: set PLEX_TOKEN.")
    return getpass.getpass("Token of the server's owner (it is not shown): ")


def simulator(folder: Path) -> SimulatorProcess:
    """Prepare the simulator, with the address and token that Home Assistant may know already."""
    file = folder / "simulator.json"
    if file.exists():
        kept: dict[str, Any] = json.loads(file.read_text())
        if not is_free(kept["port"]):
            raise DemoError(
                f"Port {kept['port']}, where the simulator has to listen, is taken: "
                "free it, or begin anew with --fresh."
            )
    else:
        kept = {"port": free_port(), "token": secrets.token_urlsafe(15)}
        file.write_text(json.dumps(kept))
    options = ["--profile", "demo", "--nightly"]
    options += ["--port", str(kept["port"]), "--token", kept["token"]]
    return SimulatorProcess(folder / "simulator.log", *options)


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


async def run(
    instance: Instance, server: Server | None, simulated: SimulatorProcess | None
) -> None:
    """Start both, tell where they are, and stay until one ends or the user wants no more."""
    async with AsyncExitStack() as stack:
        if simulated:
            stack.push_async_callback(simulated.stop)
            say("Starting the simulator ...")
            await simulated.start()
            if not has_entry(instance.folder):
                server = Server(simulated.url, simulated.token)
        stack.push_async_callback(instance.stop)
        stack.callback(say, "Stopping ...")
        say("Starting Home Assistant ...")
        await instance.start()
        try:
            page = await set_up(instance, server)
        except LoginError:
            page = f"{instance.url} (log in as you have set it up)"
        say(f"\n  {page}\n  user {USER}, password {USER}\n\nCtrl-C ends it.")
        await watch(instance, simulated)


async def until_signal(work: Coroutine[Any, Any, None]) -> None:
    """Do the work, and undo it in order at the first signal that asks to end."""
    task = asyncio.create_task(work)
    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for number in signals:
            loop.add_signal_handler(number, say, "Still stopping ...")
        task.cancel()

    for number in signals:
        loop.add_signal_handler(number, stop)
    with suppress(asyncio.CancelledError):
        await task


def demo(options: argparse.Namespace, folder: Path) -> None:
    """Prepare, ask what is to be asked, and run."""
    port = choose_port(options.port)
    if options.fresh:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    server = simulated = None
    if not options.server:
        simulated = simulator(folder)
    elif not has_entry(folder):
        server = Server(options.server, ask_token())
    asyncio.run(until_signal(run(Instance(folder, port=port), server, simulated)))


def main() -> int:
    """Run the demo; return the exit code."""
    options = arguments()
    folder = state_of(options.server)
    try:
        with claim(folder):
            demo(options, folder)
    except KeyboardInterrupt:
        return 130
    except (DemoError, FrontendError, ProcessDiedError, TimeoutError, aiohttp.ClientError) as error:
        say(f"scripts/demo: {error or type(error).__name__}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
