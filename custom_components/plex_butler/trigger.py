"""Triggers: a task has started or ended, maintenance has started or is over, a good backup was made."""

from abc import abstractmethod
from typing import Any, ClassVar, override

from homeassistant.const import ATTR_CONFIG_ENTRY_ID, CONF_OPTIONS, CONF_TARGET
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.helpers.trigger import (
    Trigger,
    TriggerActionRunner,
    TriggerConfig,
    TriggerNotTriggeredReporter,
)
from homeassistant.helpers.typing import ConfigType
import voluptuous as vol

from .butler.backups import GoodBackup
from .const import ATTR_OUTCOME, ATTR_TASK
from .run_events import SIGNAL_EVENT, ButlerEvent, Maintenance
from .runs.models import EndedRun, Outcome, Run
from .runs.tasks import is_among
from .targets import TARGET, async_targeted

_TASKS: dict[vol.Marker, Any] = {
    vol.Optional(ATTR_TASK, default=[]): vol.All(cv.ensure_list, [cv.string])
}
_OUTCOMES: dict[vol.Marker, Any] = _TASKS | {
    vol.Optional(ATTR_OUTCOME, default=[]): vol.All(
        cv.ensure_list, [vol.In([outcome.value for outcome in Outcome])]
    )
}


def _schema(options: dict[vol.Marker, Any]) -> vol.Schema:
    return vol.Schema(
        {vol.Optional(CONF_TARGET): TARGET, vol.Required(CONF_OPTIONS, default={}): options}
    )


class ButlerTrigger(Trigger):
    """Base class of the triggers, each of which fires for some events of its target.

    The target is looked up with each event, so that it follows whatever changes; without one it is
    every server. A config entry need not be loaded: its events arrive once it is.
    """

    schema: ClassVar[vol.Schema] = _schema({})

    def __init__(self, hass: HomeAssistant, config: TriggerConfig) -> None:
        """Initialize with validated options."""
        super().__init__(hass, config)
        self._target = config.target
        self._options = config.options or {}

    @classmethod
    @override
    async def async_validate_config(cls, hass: HomeAssistant, config: ConfigType) -> ConfigType:
        """Validate target and options. The server or the task need not exist yet."""
        validated: ConfigType = cls.schema(config)
        return validated

    @abstractmethod
    def fires_for(self, event: ButlerEvent) -> bool:
        """Return whether the trigger fires for an event."""

    @override
    async def async_attach_runner(
        self,
        run_action: TriggerActionRunner,
        did_not_trigger: TriggerNotTriggeredReporter | None = None,
    ) -> CALLBACK_TYPE:
        """Fire until the trigger is detached."""

        @callback
        def handle_event(entry_id: str, event: ButlerEvent) -> None:
            if self.fires_for(event) and self._is_targeted(entry_id, event):
                entry = self._hass.config_entries.async_get_known_entry(entry_id)
                server = {ATTR_CONFIG_ENTRY_ID: entry_id, "server": entry.title}
                if isinstance(event, Maintenance):
                    run_action(server, f"{event.value.replace('_', ' ')} on {entry.title}")
                    return
                if isinstance(event, GoodBackup):
                    run_action(server | event.as_dict(), f"backup completed on {entry.title}")
                    return
                how = event.outcome if isinstance(event, EndedRun) else "started"
                described = server | event.as_dict()
                run_action(described, f"{described[ATTR_TASK]} {how} on {entry.title}")

        return async_dispatcher_connect(self._hass, SIGNAL_EVENT, handle_event)

    def _is_targeted(self, entry_id: str, event: ButlerEvent) -> bool:
        if self._target is None:
            return True
        task = None if isinstance(event, Maintenance | GoodBackup) else event.task
        return async_targeted(self._hass, self._target).includes(entry_id, task)


class TaskStartedTrigger(ButlerTrigger):
    """Fires when a task was seen, or assumed, to start."""

    schema = _schema(_TASKS)

    @override
    def fires_for(self, event: ButlerEvent) -> bool:
        wanted = self._options[ATTR_TASK]
        return isinstance(event, Run) and (not wanted or is_among(event.task, wanted))


class TaskEndedTrigger(ButlerTrigger):
    """Fires when a run has ended, whatever its outcome."""

    schema = _schema(_OUTCOMES)

    @override
    def fires_for(self, event: ButlerEvent) -> bool:
        wanted, outcomes = self._options[ATTR_TASK], self._options[ATTR_OUTCOME]
        return (
            isinstance(event, EndedRun)
            and (not wanted or is_among(event.task, wanted))
            and (not outcomes or event.outcome in outcomes)
        )


class MaintenanceStartedTrigger(ButlerTrigger):
    """Fires when Butler starts to work, with any task."""

    @override
    def fires_for(self, event: ButlerEvent) -> bool:
        return event is Maintenance.STARTED


class MaintenanceOverTrigger(ButlerTrigger):
    """Fires when Butler is no longer at work."""

    @override
    def fires_for(self, event: ButlerEvent) -> bool:
        return event is Maintenance.OVER


class BackupCompletedTrigger(ButlerTrigger):
    """Fires when Plex itself reports a good backup, over its webhook or in its log."""

    @override
    def fires_for(self, event: ButlerEvent) -> bool:
        return isinstance(event, GoodBackup)


TRIGGERS: dict[str, type[Trigger]] = {
    "backup_completed": BackupCompletedTrigger,
    "maintenance_over": MaintenanceOverTrigger,
    "maintenance_started": MaintenanceStartedTrigger,
    "task_ended": TaskEndedTrigger,
    "task_started": TaskStartedTrigger,
}


async def async_get_triggers(hass: HomeAssistant) -> dict[str, type[Trigger]]:
    """Return the triggers."""
    return TRIGGERS
