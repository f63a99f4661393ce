"""Options flow: whether to use what Plex itself says about its maintenance."""

from typing import Any, Final

from homeassistant.config_entries import ConfigFlowResult, OptionsFlowWithReload
from homeassistant.helpers.selector import BooleanSelector
import voluptuous as vol

from .const import CONF_LOG, CONF_WEBHOOK

_SCHEMA: Final = vol.Schema(
    {vol.Required(option, default=False): BooleanSelector() for option in (CONF_LOG, CONF_WEBHOOK)}
)


class PlexButlerOptionsFlow(OptionsFlowWithReload):
    """Changes the options of a server; its config entry is reloaded if they have changed."""

    async def async_step_init(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Choose which of Plex's own words to use."""
        if user_input is not None:
            return self.async_create_entry(data={**self.config_entry.options, **user_input})
        return self.async_show_form(
            step_id="init",
            data_schema=self.add_suggested_values_to_schema(_SCHEMA, self.config_entry.options),
        )
