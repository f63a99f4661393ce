"""The event entity: tasks that start and end."""

from typing import override

from homeassistant.components.event import EventEntity, EventEntityDescription
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.entity_platform import AddConfigEntryEntitiesCallback

from .coordinator import PlexButlerConfigEntry
from .entity import PlexButlerServerEntity
from .run_events import ButlerEvent
from .runs.models import EndedRun, Outcome, Run

PARALLEL_UPDATES = 0

STARTED = "started"
TASK_ACTIVITY = EventEntityDescription(
    key="task_activity",
    translation_key="task_activity",
    entity_registry_enabled_default=False,
    event_types=[STARTED, *Outcome],
)


async def async_setup_entry(
    hass: HomeAssistant,
    entry: PlexButlerConfigEntry,
    async_add_entities: AddConfigEntryEntitiesCallback,
) -> None:
    """Add the event entity of the server."""
    async_add_entities((TaskActivityEvent(entry.runtime_data, TASK_ACTIVITY),))


class TaskActivityEvent(PlexButlerServerEntity, EventEntity):
    """An event when a task has started or ended. An outage causes none."""

    @property
    @override
    def available(self) -> bool:
        """Return True, because the last event remains valid during an outage."""
        return True

    @override
    async def async_added_to_hass(self) -> None:
        """Subscribe to events."""
        await super().async_added_to_hass()
        self.async_on_remove(self.coordinator.run_events.async_listen(self._handle_event))

    @callback
    def _handle_event(self, event: ButlerEvent) -> None:
        """Show an event of a task."""
        if not isinstance(event, Run | EndedRun):
            return
        kind = event.outcome if isinstance(event, EndedRun) else STARTED
        details = event.as_dict()
        shown = ("task", "name", "duration", "known_by", "plex_log")
        origin = event.ended_by if isinstance(event, EndedRun) else event.started_by
        self.async_set_context(self.coordinator.origins.context(origin))
        self._trigger_event(kind, {key: details[key] for key in shown if key in details})
        self.async_write_ha_state()
