"""Who asked for something: Home Assistant's contexts as origins of runs, and back."""

from collections.abc import Mapping
from typing import Any, Final

from homeassistant.const import (
    ATTR_DOMAIN,
    ATTR_ENTITY_ID,
    ATTR_SERVICE,
    ATTR_SERVICE_DATA,
    EVENT_CALL_SERVICE,
)
from homeassistant.core import Context, Event, HomeAssistant, callback
from homeassistant.helpers import entity_registry as er

from .butler.snapshot import Snapshot
from .runs.models import Origin

KEPT_AT_MOST: Final = 100
"""How many contexts are kept."""

_AUTOMATION: Final = "automation"
_SCRIPT: Final = "script"
_BEGINNINGS: Final = ("automation_triggered", "script_started")


@callback
def async_follow_authors(hass: HomeAssistant) -> None:
    """Let each context of an automation or a script keep the event that it begins with.

    Home Assistant does not make an event to which nobody listens; most often the recorder does.
    """

    @callback
    def ignore(_: Event[Any]) -> None:
        pass

    for event_type in _BEGINNINGS:
        hass.bus.async_listen(event_type, ignore)


class Origins:
    """The contexts in which one server was commanded, and those of what is being shown.

    A context as Home Assistant made it knows the event that it began with, by which the logbook
    names the author at once. One made anew after a restart leads there by its id alone.
    """

    def __init__(self, hass: HomeAssistant) -> None:
        """Initialize without a context."""
        self._hass = hass
        self._known: dict[str, Context] = {}
        self._of_tasks: Mapping[str, Origin | None] = {}
        self._of_server: tuple[Origin | None, ...] = ()
        self._latest: Origin | None = None
        self._asked_by: Origin | None = None

    @callback
    def async_origin(self, context: Context) -> Origin:
        """Return the origin of what is asked for in a context."""
        self._known.pop(context.id, None)
        self._known[context.id] = context
        if len(self._known) > KEPT_AT_MOST:
            del self._known[next(iter(self._known))]
        author = _async_author(self._hass, context)
        return Origin(context.id, context.parent_id, context.user_id, author)

    def context(self, origin: Origin | None) -> Context:
        """Return the context of what an origin has led to: a new one if there is none."""
        if origin is None or origin.context_id is None:
            return Context()
        if context := self._known.get(origin.context_id):
            return context
        return Context(origin.user_id, origin.parent_id, origin.context_id)

    # --- what is being shown

    @callback
    def async_record_change(
        self, shown: Snapshot | None, before: Snapshot | None, asked_by: Origin | None
    ) -> None:
        """Record whose doing it is that other things are shown than before; None: nothing was.

        `asked_by` sent the command whose effects are being shown.
        """
        self._asked_by, self._of_tasks, self._of_server = asked_by, {}, ()
        if shown is None or before is None:
            self._latest = None
            return
        self._of_tasks = shown.origins(before, asked_by)
        turned = shown.maintenance is not before.maintenance
        if self._of_tasks:
            *_, self._latest = self._of_tasks.values()
        elif turned and shown.maintenance:
            self._latest = None
        if self._of_tasks or turned:
            # Maintenance is over some seconds after the run that was stopped.
            self._of_server = (self._latest,)

    def context_of_task(self, task: str) -> Context | None:
        """Return the context of what has just changed about a task, None for what is not known."""
        if task in self._of_tasks:
            return self.context(self._of_tasks[task])
        return self._context_of_command()

    def context_of_server(self) -> Context | None:
        """Return the context of the latest of all that has just changed, None if it is not known."""
        for origin in self._of_server:
            return self.context(origin)
        return self._context_of_command()

    def _context_of_command(self) -> Context | None:
        return self.context(self._asked_by) if self._asked_by else None


@callback
def _async_author(hass: HomeAssistant, context: Context) -> str | None:
    """Return the automation or script that a context began with, None if it was neither.

    That is what the logbook shows as well: an automation's own event comes first in its context,
    also if it waits for hours, runs in parallel, or calls a script. A script that a user runs
    begins with the call of an action.
    """
    if (event := context.origin_event) is None:
        return None
    data: Mapping[str, Any] = event.data
    if event.event_type == EVENT_CALL_SERVICE:
        domain, action, data = data[ATTR_DOMAIN], data[ATTR_SERVICE], data[ATTR_SERVICE_DATA]
        # Each script is an action, too.
        registry = er.async_get(hass)
        if domain == _SCRIPT and (script := registry.async_get_entity_id(_SCRIPT, _SCRIPT, action)):
            return script
    match data.get(ATTR_ENTITY_ID):
        case str(entity_id) | [str(entity_id)]:
            domain = entity_id.partition(".")[0]
            return entity_id if domain in (_AUTOMATION, _SCRIPT) else None
    return None
