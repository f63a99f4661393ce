"""The example of the documentation that tells of a server that does not answer."""

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
    async_mock_service,
)

from tests.conftest import House
from tests.integration.examples import example
from tests.simulator import SimulatedPlex


@pytest.mark.parametrize("away", ["at the start", "later", "never"])
async def test_silence_of_the_server_is_told_after_half_an_hour(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    entry: MockConfigEntry,
    away: str,
    freezer: FrozenDateTimeFactory,
) -> None:
    server.friendly_name = "NAS"
    await house.set_up(entry, server)
    assert house.entity_id(server, "binary_sensor", "server") == "binary_sensor.nas_server"
    calls = async_mock_service(hass, "notify", "send_message")
    if away == "at the start":
        await hass.config_entries.async_unload(entry.entry_id)
        await server.stop_listening()
        await hass.config_entries.async_setup(entry.entry_id)
        assert entry.state is ConfigEntryState.SETUP_RETRY
        # What Home Assistant shows of entities that nobody has set up.
        for row in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id):
            hass.states.async_remove(row.entity_id)
            row.write_unavailable_state(hass)
    automation = {"automation": example("Tell if the Plex server does not answer")}
    assert await async_setup_component(hass, "automation", automation)
    if away == "at the start":
        # As its trigger for the start of Home Assistant does.
        await hass.services.async_call(
            "automation",
            "trigger",
            {"entity_id": "automation.tell_if_the_plex_server_does_not_answer"},
        )

    async def passes(minutes: float) -> None:
        # Nobody waits until the automation is done, which waits itself.
        for _ in range(int(minutes * 2)):
            freezer.tick(30)
            async_fire_time_changed(hass)
            await house.sent()
            while server.requests and server.requests[-1].status is None:
                await house.sent()

    await passes(1)
    if away == "later":
        await server.stop_listening()
    await passes(28)
    assert not calls
    await passes(3)
    assert len(calls) == (away != "never")
    await server.listen()
    # Home Assistant tries to set an entry up less and less often.
    for _ in range(20):
        await house.passes(30, step=30)
        if hass.states.is_state("binary_sensor.nas_server", "on"):
            break
    assert hass.states.is_state("binary_sensor.nas_server", "on")
    assert len(calls) == (away != "never")
