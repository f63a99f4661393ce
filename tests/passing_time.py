"""Let time pass, and the event loop come to rest, without more work than that takes."""

import asyncio
from datetime import UTC, datetime, timedelta
import time
from typing import Any, Final

from freezegun import api as freezegun
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import event
from homeassistant.util import dt as dt_util
from homeassistant.util.async_ import get_scheduled_timer_handles
import pytest

_AT_REST: Final = 8
_AT_MOST: Final = 100
_RESOLUTION: Final = time.get_clock_info("monotonic").resolution
_DELAY: Final = timedelta(microseconds=event.RANDOM_MICROSECOND_MAX)
"""How much later than planned Home Assistant may do something, so that not all is done at once."""
_EPOCH: Final = datetime.fromtimestamp(0, UTC).replace(tzinfo=None)


class LoopTime:
    """The time of event loops: that of the test where it is frozen.

    freezegun would look at who asks, each time; an event loop asks three times in each of its turns.
    """

    def __init__(self) -> None:
        """Initialize before the beginning of time."""
        self._frozen: object = None
        self._seconds = 0.0

    def __call__(self) -> float:
        """Return the time, in seconds."""
        if not freezegun.freeze_factories:
            return freezegun.real_monotonic()
        frozen = freezegun.freeze_factories[-1]()
        if frozen is not self._frozen:
            self._frozen, self._seconds = frozen, (frozen - _EPOCH).total_seconds()
        return self._seconds


async def rest() -> None:
    """Wait until nothing moves any more: nothing is ready to run, and nothing arrives.

    Between sockets of one process that takes some turns of the loop. What never rests, such as a
    callback that schedules itself anew, is not waited for longer than a hundred turns.
    """
    loop: Any = asyncio.get_running_loop()
    still = 0
    for _ in range(_AT_MOST):
        await asyncio.sleep(0)
        still = 0 if loop._ready else still + 1
        if still == _AT_REST:
            return


@callback
def async_fire_time_changed(hass: HomeAssistant) -> None:
    """Run all timers that are due now, as the harness's function of this name does.

    That one makes two mocks for each timer, which takes a third of the time of a test in which
    much of it passes.
    """
    now = dt_util.utcnow() + _DELAY
    timestamp = now.timestamp()
    with pytest.MonkeyPatch.context() as patch:
        for timer in list(get_scheduled_timer_handles(hass.loop)):
            if timer.cancelled():
                continue
            if timestamp - time.time() < timer.when() - (hass.loop.time() + _RESOLUTION):
                continue
            patch.setattr(event, "time_tracker_utcnow", lambda: now)
            patch.setattr(event, "time_tracker_timestamp", lambda: timestamp)
            timer._run()
            timer.cancel()
            patch.undo()
