"""Calls of the action that starts a task and waits until it is over."""

import asyncio
from typing import Any

from homeassistant.core import ServiceResponse

from custom_components.plex_butler.const import DOMAIN
from tests.conftest import House
from tests.simulator import SimulatedPlex


def run_task(house: House, task: str, **data: Any) -> asyncio.Task[ServiceResponse]:
    """Call the action as something that waits beside the test.

    No task of Home Assistant's: the harness waits for all of these.
    """
    return asyncio.create_task(
        house.hass.services.async_call(
            DOMAIN, "run_task", {"task": task} | data, blocking=True, return_response=True
        )
    )


def starts(server: SimulatedPlex) -> list[tuple[str, int | None]]:
    """Return what was sent to start something, and how that was answered."""
    return [(r.path, r.status) for r in server.requests if r.method == "POST"]


async def sent(
    server: SimulatedPlex, by: asyncio.Task[ServiceResponse], *, before: int = 0
) -> None:
    """Wait until another start has arrived at the server, and been answered."""
    while not any(status for _, status in starts(server)[before:]):
        assert not by.done()
        await asyncio.sleep(0)


async def begun(
    house: House, server: SimulatedPlex, task: str, **data: Any
) -> asyncio.Task[ServiceResponse]:
    """Call the action and wait until the server has answered to its start."""
    before = len(starts(server))
    waiting = run_task(house, task, **data)
    await sent(server, waiting, before=before)
    await house.settled()
    return waiting


async def response(waiting: asyncio.Task[ServiceResponse]) -> dict[str, Any]:
    """Return what the action has answered; it must be over."""
    assert waiting.done()
    return dict(await waiting or {})
