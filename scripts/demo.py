"""The demo: a Plex Media Server, simulated or real, and a Home Assistant that has it."""

import argparse
import asyncio
from collections.abc import Coroutine
from contextlib import suppress
import fcntl
import getpass
import hashlib
import json
import os
from pathlib import Path
import shutil
import signal
import sys
from typing import Any, Final, TextIO

import aiohttp

from scripts.demo_home import DOMAIN, time_zone
from scripts.demo_kept import Kept
from scripts.demo_run import DemoError, Server, run, run_simulated, say
from tests.live.connection import FrontendError
from tests.live.instance import Instance
from tests.live.process import REPOSITORY, ProcessDiedError, is_free

STATE: Final = REPOSITORY / ".demo"
DEFAULT_PORT: Final = 8123


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/demo",
        description="Start simulated Plex Media Servers and a Home Assistant that has one of them.",
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
    if options.server:
        server = None if has_entry(folder) else Server(options.server, ask_token())
        instance = Instance(folder, port=port, time_zone=time_zone())
        asyncio.run(until_signal(run(instance, server)))
        return
    kept = Kept.load(folder)
    for taken in kept.ports:
        if not is_free(taken):
            raise DemoError(
                f"Port {taken}, where a simulated server has to listen, is taken: "
                "free it, or begin anew with --fresh."
            )
    asyncio.run(until_signal(run_simulated(folder, port, kept)))


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
