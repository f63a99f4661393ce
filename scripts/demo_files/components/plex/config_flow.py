"""The config flow that every entry needs; nothing is added here."""

from typing import Any, override

from homeassistant.config_entries import ConfigFlow, ConfigFlowResult


class StandInFlow(ConfigFlow, domain="plex"):
    """Adds nothing."""

    VERSION = 1

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Go at once."""
        return self.async_abort(reason="not_implemented")
