"""The options: which of Plex's own words are used."""

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_butler.const import CONF_LOG, CONF_WEBHOOK
from tests.conftest import House
from tests.flow.dialogue import suggested


@pytest.mark.parametrize("log", [True, False])
async def test_options_are_stored_and_shown_again(
    hass: HomeAssistant, house: House, loaded: MockConfigEntry, *, log: bool
) -> None:
    """Both are off at first; what is chosen is stored, and used at once."""
    before = loaded.runtime_data
    result = await hass.config_entries.options.async_init(loaded.entry_id)
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "init")
    assert (schema := result["data_schema"])
    assert schema({}) == {CONF_LOG: False, CONF_WEBHOOK: False}
    result = await hass.config_entries.options.async_configure(
        result["flow_id"], {CONF_LOG: log, CONF_WEBHOOK: False}
    )
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await house.settled()
    assert loaded.state is ConfigEntryState.LOADED
    assert loaded.options == {CONF_LOG: log, CONF_WEBHOOK: False}
    assert loaded.runtime_data is not before

    result = await hass.config_entries.options.async_init(loaded.entry_id)
    assert suggested(result) == {CONF_LOG: log, CONF_WEBHOOK: False}
