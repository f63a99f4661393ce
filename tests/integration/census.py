"""What there is in this process at a moment, to be compared with another: a leak is what has grown."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sized
from contextlib import contextmanager
import gc
import logging
import socket
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.helpers.dispatcher import DATA_DISPATCHER
from homeassistant.util.async_ import get_scheduled_timer_handles

_OURS: Final = "custom_components.plex_butler"


def take_census(hass: HomeAssistant) -> Counter[str]:
    """Count tasks, timers, listeners, open sockets, our objects and those of aiohttp's client.

    And all that the containers hold which are attributes of our objects.
    """
    gc.unfreeze()
    gc.collect()
    census = Counter(f"task {task.get_name()}" for task in asyncio.all_tasks())
    # The harness gives numbers to tasks without names.
    for name in [name for name in census if name.startswith("task Task-")]:
        census["tasks without a name"] += census.pop(name)
    timers = get_scheduled_timer_handles(hass.loop)
    census["timers"] = sum(not timer.cancelled() for timer in timers)
    census.update({f"listeners {k}": v for k, v in hass.bus.async_listeners().items()})
    signals = hass.data.get(DATA_DISPATCHER, {})
    census["signals"] = sum(len(receivers) for receivers in signals.values())
    for thing in gc.get_objects():
        kind = type(thing)
        if issubclass(kind, socket.socket):
            census["sockets"] += thing.fileno() >= 0
        elif str(kind.__module__).startswith((_OURS, "aiohttp.client")):
            name = f"{kind.__module__.removeprefix(f'{_OURS}.')}.{kind.__qualname__}"
            census[name] += 1
            if kind.__module__.startswith(_OURS):
                for attribute, size in _sizes(thing):
                    # The objects are counted above: of their containers the largest tells of a leak.
                    key = f"{name}.{attribute}"
                    census[key] = max(census[key], size)
    return census


def _sizes(thing: object) -> Iterator[tuple[str, int]]:
    for name in {*getattr(thing, "__dict__", ()), *getattr(type(thing), "__slots__", ())}:
        value = getattr(thing, name, None)
        if isinstance(value, Sized) and not isinstance(value, str | bytes | type):
            yield name, len(value)


@contextmanager
def forgetful_log() -> Iterator[None]:
    """Keep only the texts of what is logged: pytest keeps all records, and with them all errors."""
    factory = logging.getLogRecordFactory()

    def write(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = factory(*args, **kwargs)
        record.msg, record.args = record.getMessage(), ()
        if record.exc_info:
            record.msg += f"\n{logging.Formatter().formatException(record.exc_info)}"
            record.exc_info = None
        return record

    logging.setLogRecordFactory(write)
    try:
        yield
    finally:
        logging.setLogRecordFactory(factory)
