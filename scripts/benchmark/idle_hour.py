"""What an hour costs in which nothing happens: requests and states, on a clock that is moved.

    python -m scripts.benchmark.idle_hour 3600

It is a process of its own: the test harness replaces Home Assistant's clock for good.
"""

# Before anything takes Home Assistant's clock as it is.
from pytest_homeassistant_custom_component import patch_time  # noqa: F401  # isort: skip

import asyncio
from collections import Counter
from datetime import timedelta
import logging
import sys
from typing import Final, cast

import freezegun
from freezegun.api import FrozenDateTimeFactory

from tests.conftest import House, entry_for
from tests.simulator import Faults, SimulatedPlex

from .home import Writes, home_assistant
from .table import show

STEP: Final = 5.0
"""How far the clock is moved at a time, in seconds: never beyond the next poll."""
WARM_UP: Final = timedelta(minutes=10).total_seconds()


async def idle_hours(seconds: float) -> None:
    """Show what an idle hour asks and writes, beside a living stream and beside a refused one."""
    rows = [
        await idle_hour(title, faults, seconds)
        for title, faults in (
            ("living", Faults()),
            ("refused with 404", Faults(no_websocket=True)),
            ("silent, as behind a bad proxy", Faults(silent_websocket=True)),
        )
    ]
    show(
        f"8. {seconds / 60:.0f} idle minutes, ten minutes after the set-up",
        ("stream", "requests", "by path", "states written: changed + unchanged"),
        rows,
    )


async def idle_hour(title: str, faults: Faults, seconds: float) -> tuple[str, ...]:
    """Let an hour pass beside a server that does nothing."""
    with freezegun.freeze_time(ignore=["_pytest.terminal", "_pytest.runner"]) as freezer:
        async with SimulatedPlex(faults=faults) as server, home_assistant() as hass:
            house = House(hass, cast("FrozenDateTimeFactory", freezer))
            await house.set_up(entry_for(server), server)
            await house.passes(WARM_UP, step=STEP)
            server.requests.clear()
            writes = Writes(hass)
            await house.passes(seconds, step=STEP)
            paths = Counter(request.path for request in server.requests)
    by_path = ", ".join(f"`{path}` {count}" for path, count in sorted(paths.items()))
    return title, str(paths.total()), by_path, f"{writes.changed} + {writes.unchanged}"


if __name__ == "__main__":
    logging.getLogger("homeassistant.loader").setLevel(logging.ERROR)
    asyncio.run(idle_hours(float(sys.argv[1])))
