"""The event for each run that ends, which the logbook shows."""

from typing import Final

from homeassistant.components.switch import DOMAIN as SWITCH_DOMAIN
from homeassistant.const import ATTR_DEVICE_ID, ATTR_ENTITY_ID
from homeassistant.core import callback
from homeassistant.helpers import device_registry as dr, entity_registry as er

from .const import DOMAIN
from .coordinator import PlexButlerConfigEntry
from .entity import task_prefix
from .run_events import ButlerEvent
from .runs.models import EndedRun

EVENT_RUN_ENDED: Final = f"{DOMAIN}_run_ended"
ATTR_TITLE: Final = "title"

_DETAILS: Final = ("task", "name", "outcome", "duration", "known_by")


@callback
def async_log_runs(entry: PlexButlerConfigEntry) -> None:
    """Fire an event for each run that ends, in the context of the call that started or stopped it.

    An outage causes none: what has ended meanwhile was not seen to end.
    """
    coordinator = entry.runtime_data
    hass = coordinator.hass

    @callback
    def handle_event(event: ButlerEvent) -> None:
        if not isinstance(event, EndedRun):
            return
        machine_identifier = coordinator.data.server.machine_identifier
        device = dr.async_get(hass).async_get_device_by_identifier(
            (DOMAIN, machine_identifier), entry.entry_id
        )
        unique_id = f"{task_prefix(machine_identifier)}{event.task}"
        task = coordinator.data.tasks.get(event.task)
        details = event.as_dict()
        hass.bus.async_fire(
            EVENT_RUN_ENDED,
            {
                ATTR_DEVICE_ID: device.id if device else None,
                ATTR_ENTITY_ID: er.async_get(hass).async_get_entity_id(
                    SWITCH_DOMAIN, DOMAIN, unique_id
                ),
                # The server's own, for a task that is not known.
                ATTR_TITLE: task.title if task else None,
            }
            | {key: details[key] for key in _DETAILS},
            context=coordinator.origins.context(event.ended_by),
        )

    entry.async_on_unload(coordinator.run_events.async_listen(handle_event))
