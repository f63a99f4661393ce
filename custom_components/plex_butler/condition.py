"""The condition: a task is running."""

from typing import Any, Unpack, override

from homeassistant.const import CONF_OPTIONS, CONF_TARGET
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.condition import Condition, ConditionCheckParams, ConditionConfig
from homeassistant.helpers.typing import ConfigType
import voluptuous as vol

from .const import ATTR_TASK, DOMAIN
from .coordinator import PlexButlerConfigEntry
from .runs.tasks import is_among
from .targets import TARGET, async_targeted

_SCHEMA = vol.Schema(
    {
        vol.Optional(CONF_TARGET): TARGET,
        vol.Required(CONF_OPTIONS, default={}): {
            vol.Optional(ATTR_TASK, default=[]): vol.All(cv.ensure_list, [cv.string])
        },
    }
)


class TaskIsRunningCondition(Condition):
    """Met while one of the tasks, or any task, of the target is known or assumed to run.

    Without a target, those of all servers count. It is not met while the server does not answer.
    """

    def __init__(self, hass: HomeAssistant, config: ConditionConfig) -> None:
        """Initialize with validated options."""
        super().__init__(hass, config)
        self._target = config.target
        self._options: dict[str, Any] = config.options or {}

    @classmethod
    @override
    async def async_validate_config(cls, hass: HomeAssistant, config: ConfigType) -> ConfigType:
        """Validate target and options. The server or the task need not exist yet."""
        validated: ConfigType = _SCHEMA(config)
        return validated

    @override
    def _async_check(self, **kwargs: Unpack[ConditionCheckParams]) -> bool:
        wanted = self._options[ATTR_TASK]
        targeted = async_targeted(self._hass, self._target) if self._target else None
        entries: list[PlexButlerConfigEntry] = self._hass.config_entries.async_loaded_entries(
            DOMAIN
        )
        return any(
            (not wanted or is_among(name, wanted))
            and (targeted is None or targeted.includes(entry.entry_id, name))
            for entry in entries
            if entry.runtime_data.last_update_success
            for name in entry.runtime_data.data.running
        )


CONDITIONS: dict[str, type[Condition]] = {"task_is_running": TaskIsRunningCondition}


async def async_get_conditions(hass: HomeAssistant) -> dict[str, type[Condition]]:
    """Return the conditions."""
    return CONDITIONS
