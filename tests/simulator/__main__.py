"""Run a simulated Plex Media Server: `python -m tests.simulator --help`."""

import argparse
import asyncio
from contextlib import suppress
from dataclasses import fields
from datetime import datetime
from functools import partial
import json
import signal
from typing import Any

from aiohttp import web

from .control import Control
from .faults import Faults
from .front import SHUTDOWN
from .server import SimulatedPlex
from .tasks import demo_profiles


def main() -> None:
    """Serve until a signal comes; one line of JSON on standard output says where."""
    with suppress(KeyboardInterrupt):
        asyncio.run(_serve(_arguments()))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--control-port", type=int, default=0, help="default: a free one")
    parser.add_argument("--name", default="Cellar", help="the server's name")
    parser.add_argument("--token", help="the owner's token; default: a random one")
    parser.add_argument("--unclaimed", action="store_true", help="belongs to no account")
    parser.add_argument("--no-plex-pass", action="store_true", help="its owner has none")
    parser.add_argument("--speed", type=float, default=1, help="how fast its time passes")
    parser.add_argument(
        "--now",
        type=datetime.fromisoformat,
        help="its time at the start, which decides what is due; default: this machine's",
    )
    parser.add_argument("--nightly", action="store_true", help="has a schedule at night")
    parser.add_argument("--users", action="store_true", help="somebody uses it all the time")
    parser.add_argument("--profile", choices=["default", "demo"], default="default")
    parser.add_argument(
        "--fault", action="append", default=[], type=_fault, metavar="NAME[=VALUE]",
        help=f"one of: {', '.join(field.name for field in fields(Faults))}",
    )  # fmt: skip
    return parser.parse_args()


def _fault(text: str) -> tuple[str, Any]:
    """Read a fault: a bare name switches it on, a value is JSON or a text."""
    name, has_value, value = text.partition("=")
    if name not in {field.name for field in fields(Faults)}:
        raise argparse.ArgumentTypeError(f"there is no fault {name}")
    try:
        return name, json.loads(value) if has_value else True
    except ValueError:
        return name, value


async def _serve(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with SimulatedPlex(
        port=arguments.port,
        friendly_name=arguments.name,
        owner_token=arguments.token,
        claimed=not arguments.unclaimed,
        plex_pass=not arguments.no_plex_pass,
        faults=Faults(**dict(arguments.fault)),
        profiles=demo_profiles() if arguments.profile == "demo" else None,
        start=arguments.now or datetime.now(),
        speed=arguments.speed,
        nightly=arguments.nightly,
    ) as server:
        runner = web.AppRunner(Control(server).app(), access_log=None, shutdown_timeout=SHUTDOWN)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", arguments.control_port).start()
        ready = {
            "url": server.url,
            "control_url": f"http://127.0.0.1:{runner.addresses[0][1]}",
            "token": server.owner_token,
            "machine_identifier": server.machine_identifier,
        }
        print(json.dumps(ready), flush=True)
        if arguments.users:
            _keep_busy(server)
        await stop.wait()
        await runner.cleanup()


def _keep_busy(server: SimulatedPlex) -> None:
    """Let people use the server, every few minutes of its time."""
    users = server.users
    film = partial(users.play, seconds=120)
    for seconds, act in ((60, users.dvr_noise), (300, film), (900, users.scan_library)):

        def again(seconds: float = seconds, act: Any = act) -> None:
            act()
            server.clock.call_later(seconds, again)

        server.clock.call_later(seconds, again)


if __name__ == "__main__":
    main()
