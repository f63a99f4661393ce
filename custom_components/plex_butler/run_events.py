"""The events of runs, for the event entity, the triggers, and actions that wait for an end."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum

from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.util.signal_type import SignalType

from .butler.backups import GoodBackup
from .const import DOMAIN, LOGGER
from .runs.models import EndedRun, RunEvent


class Maintenance(StrEnum):
    """The events of Butler as a whole."""

    STARTED = "maintenance_started"
    OVER = "maintenance_over"


type ButlerEvent = RunEvent | Maintenance | GoodBackup

SIGNAL_EVENT: SignalType[str, ButlerEvent] = SignalType(f"{DOMAIN}_event")
"""The signal for each event, with the id of the config entry; entities show its effect already."""

type EndedRuns = asyncio.Queue[EndedRun]


class RunEvents:
    """The events of one server, held until the entities show what has happened."""

    def __init__(self, hass: HomeAssistant, entry_id: str) -> None:
        """Initialize without events."""
        self._hass = hass
        self._entry_id = entry_id
        self._pending: list[RunEvent] = []
        self._maintenance: bool | None = None
        self._listeners: list[Callable[[ButlerEvent], None]] = []
        self._waiting: dict[EndedRuns, str] = {}

    @callback
    def async_listen(self, listener: Callable[[ButlerEvent], None]) -> CALLBACK_TYPE:
        """Call a listener with each event, before the triggers fire."""
        self._listeners.append(listener)

        @callback
        def remove() -> None:
            self._listeners.remove(listener)

        return remove

    @contextmanager
    def collect_ended_runs(self, task: str) -> Iterator[EndedRuns]:
        """Return a queue of the runs of a task that end, also of those for which no event is sent.

        The queue raises QueueShutDown once the config entry is unloaded.
        """
        ended_runs: EndedRuns = asyncio.Queue()
        self._waiting[ended_runs] = task
        try:
            yield ended_runs
        finally:
            self._waiting.pop(ended_runs, None)

    @callback
    def async_add(self, events: Iterable[RunEvent]) -> None:
        """Add events, to be sent with the next `async_send`."""
        for event in events:
            self._pending.append(event)
            if isinstance(event, EndedRun):
                for ended_runs, task in self._waiting.items():
                    if task == event.task:
                        ended_runs.put_nowait(event)

    @callback
    def async_discard(self) -> None:
        """Drop the events that were added, because nobody saw them happen."""
        self._pending.clear()
        self._maintenance = None

    @callback
    def async_send(self, *, maintenance: bool) -> None:
        """Send the events that were added, and one of Butler as a whole if `maintenance` has changed."""
        if not self._pending and maintenance is self._maintenance:
            return
        events: list[ButlerEvent] = [*self._pending]
        self._pending.clear()
        before, self._maintenance = self._maintenance, maintenance
        if before is False and maintenance:
            events.insert(0, Maintenance.STARTED)
        elif before and not maintenance:
            events.append(Maintenance.OVER)
        for event in events:
            for listener in tuple(self._listeners):
                try:
                    listener(event)
                except Exception:  # noqa: BLE001 - the others have to be called too
                    LOGGER.exception("Unexpected error in a listener of run events")
        for event in events:
            async_dispatcher_send(self._hass, SIGNAL_EVENT, self._entry_id, event)

    @callback
    def async_close(self) -> None:
        """End the waiting of actions, because the config entry is unloaded."""
        for ended_runs in self._waiting:
            ended_runs.shutdown(immediate=True)
        self._waiting.clear()
