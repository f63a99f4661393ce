"""Measure what Plex Butler costs Home Assistant, with a peer for the same job beside it.

    $(scripts/bootstrap current) -m scripts.benchmark [--quick] [--rows 1,5] [--rounds 3]

What is measured
  Home Assistant runs in this process, on the test harness's Home Assistant with real sockets,
  files and clock; simulated servers run in processes of their own. The peer is a bare client
  (aiohttp and orjson, a dict of the activities by uuid), for polls also PlexAPI and Plex's own
  SDK in threads. All of them do the same work in turn in one run; medians of all rounds are
  shown. A row that takes too long does fewer rounds and says so.

  The integration is seen from outside: by states and their events, actions, the coordinator that
  Home Assistant gives each entity, and what the server was asked. So the same benchmark measures
  any version of it.

  CPU is that of this process, its threads included, whatever else the machine does. The longest
  stall is how long the event loop did not come round: on the wall, where it counts what other
  processes did meanwhile, and in CPU time of the loop's own thread between two looks, 2 ms apart.

  All frames are sent before Butler's row turns busy, and the state that shows this ends the
  measuring of the speed; CPU and states are counted for a while longer. What that sign itself
  costs is measured alone, and taken off the CPU and the states of 1, 3 and 4.

  Butler's row counts as idle as soon as it turns here, and not only when it has stayed so for 10 s:
  that would only be waited for.

  In 3 there are never more than 10,000 items, the most that are kept; an item of theirs belongs
  to no task. In 4 the poll that a frame asks for may come some seconds later: it has a column of
  its own. In 6 and in one row of 7 the platforms are not set up, so there are no entities.

What is not measured
  How many frames per second a client could handle: the simulator sends some 40,000 to 60,000, and
  whoever is faster shows the same. In 2 the CPU of the benchmark itself is counted with both, some
  microseconds per frame. A network, TLS, the recorder, the frontend and automations are not
  there. In 8 the clock is moved by hand and only requests and states are counted. In 10 and 11
  Home Assistant is not there: the client reads the log, and the bare one drops every line. In 11
  what Python's garbage collector takes is left out.
"""

import argparse
import asyncio
from collections.abc import Awaitable, Callable
import logging
import sys
import time
from typing import Final

from .checks import check
from .frames import beside, one_frame, scan
from .history import history
from .log import floods, log
from .polls import polls
from .runs import run
from .saves import saves
from .setups import setups

ALL: Final = "1,2,3,4,5,6,7,8,9,10,11"
ROW_WITHIN: Final = 300.0
"""How long one table may take, in seconds."""


async def main() -> None:
    """Measure what was asked for and print it."""
    parser = argparse.ArgumentParser(
        prog="scripts.benchmark",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rows", default=ALL, help=f"which tables; default: {ALL}")
    parser.add_argument("--rounds", type=int, default=3, help="of each measurement; default: 3")
    parser.add_argument("--quick", action="store_true", help="small sizes: to see that it works")
    arguments = parser.parse_args()
    # It says of every new Home Assistant that the integration is not one of its own.
    logging.getLogger("homeassistant.loader").setLevel(logging.ERROR)
    wanted = {row.strip() for row in arguments.rows.split(",")}
    rounds = arguments.rounds
    began = time.perf_counter()
    for number, row in (_quick if arguments.quick else _full)(rounds).items():
        if number in wanted:
            # A state that never comes is waited for until then.
            async with asyncio.timeout(ROW_WITHIN):
                await row()
    print(f"\nMeasured in {time.perf_counter() - began:.0f} seconds.")


async def idle_hours(seconds: int) -> None:
    """Show what an idle hour costs, in another process: that one has a clock of its own."""
    module = "scripts.benchmark.idle_hour"
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", module, str(seconds))
    check(await process.wait() == 0, f"{module} failed")


type _Rows = dict[str, Callable[[], Awaitable[None]]]


def _full(rounds: int) -> _Rows:
    return {
        "1": lambda: scan(5_000, rounds, 10),
        "2": lambda: run(2_000, rounds, 10),
        "3": lambda: beside({10: 2_000, 1_000: 1_000, 9_900: 500}, rounds, 8),
        "4": lambda: one_frame([1, 100, 1_000, 5_000], rounds, 5),
        "5": lambda: polls(60, rounds, 8),
        "6": lambda: saves(2_000, rounds, 15),
        "7": lambda: setups(50, rounds, 10),
        "8": lambda: idle_hours(3600),
        "9": lambda: history(50, 5_000, rounds, 20),
        "10": lambda: log(50_000, rounds, 10),
        "11": lambda: floods(5),
    }


def _quick(rounds: int) -> _Rows:
    return {
        "1": lambda: scan(200, rounds, 5),
        "2": lambda: run(100, rounds, 5),
        "3": lambda: beside({10: 100, 100: 100}, rounds, 5),
        "4": lambda: one_frame([1, 100], rounds, 5),
        "5": lambda: polls(10, rounds, 5),
        "6": lambda: saves(100, rounds, 5),
        "7": lambda: setups(5, rounds, 5),
        "8": lambda: idle_hours(600),
        "9": lambda: history(50, 500, rounds, 10),
        "10": lambda: log(5_000, rounds, 5),
        "11": lambda: floods(1),
    }


if __name__ == "__main__":
    asyncio.run(main())
