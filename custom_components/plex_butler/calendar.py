"""The calendar: what has run, what runs, and the server's window each night ahead."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final, override

from homeassistant.components.calendar import (
    CalendarEntity,
    CalendarEntityDescription,
    CalendarEvent,
)
from homeassistant.core import HomeAssistant
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback
from homeassistant.util import dt as dt_util

from .butler.windows import windows
from .coordinator import PlexButlerConfigEntry
from .entity import PlexButlerServerEntity
from .runs.history import KEPT_FOR
from .runs.models import EndedRun, Run
from .texts import run_text, task_name, text

PARALLEL_UPDATES = 0

SHOWN_AHEAD: Final = timedelta(days=366)
"""How far ahead windows are shown."""
OPEN_FOR: Final = timedelta(minutes=30)
"""How far ahead the end of a run that goes on is shown, at least.

Home Assistant's calendar triggers look 15 minutes ahead: they must not take it for the end.
"""

MAINTENANCE = CalendarEntityDescription(key="maintenance", translation_key="maintenance")

type _Window = tuple[tuple[int, int], tuple[datetime, datetime]]
"""The hours of a window, and when it is open."""


async def async_setup_entry(
    hass: HomeAssistant,
    entry: PlexButlerConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the calendar of the server."""
    async_add_entities((MaintenanceCalendar(entry.runtime_data, MAINTENANCE),))


class MaintenanceCalendar(PlexButlerServerEntity, CalendarEntity):
    """On while a task runs, or while the server's window is open."""

    @property
    @override
    def available(self) -> bool:
        """Return True, because what has run remains true during an outage."""
        return True

    @property
    @override
    def shown(self) -> tuple[tuple[Run, ...], tuple[int, int] | None]:
        """Return what the state depends on, beside the time."""
        return self._running, self._hours

    @property
    def _running(self) -> tuple[Run, ...]:
        if not self.coordinator.last_update_success:
            return ()
        return tuple(self.coordinator.data.running.values())

    @property
    def _hours(self) -> tuple[int, int] | None:
        return self.coordinator.data.preferences.window

    def _windows(self, begin: datetime, until: datetime) -> Iterator[_Window]:
        """Yield windows as the server's hours are set now, as if its clock were the system's."""
        if hours := self._hours:
            for window in windows(*hours, begin, until, dt_util.get_default_time_zone()):
                yield hours, window

    @property
    @override
    def event(self) -> CalendarEvent | None:
        """Return what runs or, if nothing does, the window that is open or opens next."""
        now = dt_util.utcnow()
        if events := [self._event(run, _open_end(run, now)) for run in self._running]:
            return _together(events)
        # A window may be skipped in spring.
        window = next(self._windows(now, now + timedelta(days=3)), None)
        return self._window_event(window) if window else None

    @override
    async def async_get_events(
        self, hass: HomeAssistant, start_date: datetime, end_date: datetime
    ) -> list[CalendarEvent]:
        """Return what has run in a period, what runs, and the windows.

        A window that is over is shown only if something ran in it.
        """
        now = dt_util.utcnow()
        history = self.coordinator.session.history
        ended = history.between(start_date, end_date)
        running = [
            (run, end)
            for run in self._running
            if run.since < end_date and start_date < (end := _open_end(run, now))
        ]
        begin, until = max(start_date, now - KEPT_FOR), min(end_date, now + SHOWN_AHEAD)
        shown_windows = [
            window
            for window in self._windows(begin, until)
            if now < window[1][1]
            or history.between(*window[1])
            or any(run.since < window[1][1] for run, _ in running)
        ]

        def describe() -> list[CalendarEvent]:
            events = [self._event(run, run.last_known) for run in ended]
            events += [self._event(run, end) for run, end in running]
            events += [self._window_event(window) for window in shown_windows]
            return sorted(events, key=lambda event: event.start_datetime_local)

        # There may be thousands of events.
        return await hass.async_add_executor_job(describe)

    def _event(self, run: Run | EndedRun, end: datetime) -> CalendarEvent:
        task = self.coordinator.data.tasks.get(run.task)
        return CalendarEvent(
            start=dt_util.as_local(run.since),
            end=dt_util.as_local(max(end, run.since)),
            summary=task_name(self.hass, run.task, task.title if task else None),
            description=run_text(self.hass, run),
        )

    def _window_event(self, window: _Window) -> CalendarEvent:
        (opens, closes), (start, end) = window
        hours = {"start": f"{opens}:00", "end": f"{closes}:00"}
        return CalendarEvent(
            start=dt_util.as_local(start),
            end=dt_util.as_local(end),
            summary=text(self.hass, "window"),
            description=text(self.hass, "window_hours", hours),
        )


def _open_end(run: Run, now: datetime) -> datetime:
    """Return the end that is shown of a run that goes on: a full hour, so that it changes rarely."""
    end = max(now, run.since) + OPEN_FOR
    return end.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def _together(events: list[CalendarEvent]) -> CalendarEvent:
    """Return one event for all tasks that run."""
    if len(events) == 1:
        return events[0]
    return CalendarEvent(
        start=min(event.start_datetime_local for event in events),
        end=max(event.end_datetime_local for event in events),
        summary=", ".join(event.summary for event in events),
        description="\n\n".join(f"{event.summary}: {event.description}" for event in events),
    )
