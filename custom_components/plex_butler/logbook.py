"""Lines of the logbook: each run that has ended, in words."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from homeassistant.components.logbook import (
    LOGBOOK_ENTRY_ENTITY_ID,
    LOGBOOK_ENTRY_MESSAGE,
    LOGBOOK_ENTRY_NAME,
    LazyEventPartialState,
)
from homeassistant.const import ATTR_ENTITY_ID
from homeassistant.core import HomeAssistant, callback

from .const import DOMAIN
from .run_log import ATTR_TITLE, EVENT_RUN_ENDED
from .texts import duration_text, task_name, text


@callback
def async_describe_events(
    hass: HomeAssistant,
    async_describe_event: Callable[
        [str, str, Callable[[LazyEventPartialState], dict[str, Any]]], None
    ],
) -> None:
    """Describe the events that the logbook shows."""

    @callback
    def describe_run_ended(event: LazyEventPartialState) -> dict[str, Any]:
        data = event.data
        key, duration = f"log_{data['outcome']}", data["duration"]
        if duration is None:
            message = text(hass, key)
        else:
            after = duration_text(timedelta(seconds=duration))
            message = text(hass, f"{key}_after", {"duration": after})
        return {
            LOGBOOK_ENTRY_NAME: task_name(hass, data["name"], data.get(ATTR_TITLE)),
            LOGBOOK_ENTRY_MESSAGE: message,
            LOGBOOK_ENTRY_ENTITY_ID: data[ATTR_ENTITY_ID],
        }

    async_describe_event(DOMAIN, EVENT_RUN_ENDED, describe_run_ended)
