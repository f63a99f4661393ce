"""The condition: a task is running."""

from typing import Any, Unpack, override

from homeassistant.const import ATTR_CONFIG_ENTRY_ID, CONF_OPTIONS
from homeassistant.core import HomeAssistant
from homeassistant.helpers import config_validation as cv
from homeassistant.helpers.condition import Condition, ConditionCheckParams, ConditionConfig
from homeassistant.helpers.typing import ConfigType
import voluptuous as vol

from .const import ATTR_TASK, DOMAIN
from .coordinator import PlexButlerConfigEntry
from .runs.tasks import is_among

_SCHEMA = vol.Schema(
    {
        vol.Required(CONF_OPTIONS, default={}): {
            vol.Optional(ATTR_CONFIG_ENTRY_ID): cv.string,
            vol.Optional(ATTR_TASK, default=[]): vol.All(cv.ensure_list, [cv.string]),
        }
    }
)


class TaskIsRunningCondition(Condition):
    """Met while one of the tasks, or any task, is known or assumed to run.

    It is not met while the server does not answer.
    """

    def __init__(self, hass: HomeAssistant, config: ConditionConfig) -> None:
        """Initialize with validated options."""
        super().__init__(hass, config)
        self._options: dict[str, Any] = config.options or {}

    @classmethod
    @override
    async def async_validate_config(cls, hass: HomeAssistant, config: ConfigType) -> ConfigType:
        """Validate the options. The server or the task need not exist yet."""
        validated: ConfigType = _SCHEMA(config)
        return validated

    @override
    def _async_check(self, **kwargs: Unpack[ConditionCheckParams]) -> bool:
        wanted_entry = self._options.get(ATTR_CONFIG_ENTRY_ID)
        wanted = self._options[ATTR_TASK]
        entries: list[PlexButlerConfigEntry] = self._hass.config_entries.async_loaded_entries(
            DOMAIN
        )
        return any(
            not wanted or is_among(name, wanted)
            for entry in entries
            if wanted_entry in (None, entry.entry_id) and entry.runtime_data.last_update_success
            for name in entry.runtime_data.data.running
        )


CONDITIONS: dict[str, type[Condition]] = {"task_is_running": TaskIsRunningCondition}


async def async_get_conditions(hass: HomeAssistant) -> dict[str, type[Condition]]:
    """Return the conditions."""
    return CONDITIONS
