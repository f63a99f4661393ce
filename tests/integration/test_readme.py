"""The examples of the README that change the schedule, run as they stand there."""

from datetime import datetime, timedelta
import re
from typing import Any, Final

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.automation import DOMAIN as AUTOMATION
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import yaml

from tests.conftest import House
from tests.repository import ROOT
from tests.simulator import SimulatedPlex

EXAMPLES: Final = {
    example["alias"]: example
    for text in re.findall(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    if "alias" in (example := yaml.safe_load(text) or {})
}
WAITS: Final = "Plex maintenance waits for the end of the film"
AWAKE: Final = "Plex maintenance while the NAS is awake"
PLAYER: Final = "media_player.living_room"


@pytest.fixture
async def named(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    """The entities have the names that they have in the examples."""
    registry = er.async_get(hass)
    for entity in er.async_entries_for_config_entry(registry, loaded.entry_id):
        name = entity.entity_id.replace(".cellar_", ".nas_")
        registry.async_update_entity(entity.entity_id, new_entity_id=name)
    await house.settled()


async def automate(hass: HomeAssistant, alias: str) -> None:
    config: dict[str, Any] = {AUTOMATION: [EXAMPLES[alias]]}
    assert await async_setup_component(hass, AUTOMATION, config)
    await hass.async_block_till_done()


async def leave(hass: HomeAssistant) -> None:
    """End what the automation waits for."""
    await hass.services.async_call(AUTOMATION, "turn_off", {"entity_id": "all"}, blocking=True)


def window(server: SimulatedPlex) -> tuple[object, object]:
    values = server.preferences.values
    return values["ButlerStartHour"], values["ButlerEndHour"]


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=dt_util.get_default_time_zone())


@pytest.mark.usefixtures("named")
async def test_window_waits_for_the_end_of_the_film(
    hass: HomeAssistant, house: House, server: SimulatedPlex, freezer: FrozenDateTimeFactory
) -> None:
    async def becomes(text: str) -> None:
        await house.passes((local(text) - dt_util.now()).total_seconds(), step=60)

    freezer.move_to(local("2027-01-12T01:40:00"))
    await automate(hass, WAITS)
    await house.passes(60)
    hass.states.async_set(PLAYER, "playing")
    await becomes("2027-01-12T01:54:00")
    assert window(server) == (2, 5)
    await becomes("2027-01-12T01:56:00")
    assert window(server) == (3, 6)
    await becomes("2027-01-12T02:56:00")
    assert window(server) == (4, 7)
    hass.states.async_set(PLAYER, "idle")
    await becomes("2027-01-12T04:00:00")
    assert window(server) == (4, 7)
    freezer.move_to(local("2027-01-12T11:50:00"))
    await becomes("2027-01-12T12:01:00")
    assert window(server) == (2, 5)
    await leave(hass)


@pytest.mark.usefixtures("named")
async def test_window_opens_while_the_nas_is_awake(
    hass: HomeAssistant, house: House, server: SimulatedPlex, freezer: FrozenDateTimeFactory
) -> None:
    freezer.move_to(local("2027-01-12T21:40:00"))
    await automate(hass, AWAKE)
    await house.passes(60)
    await server.stop_listening()
    await house.passes(60, step=30)
    await server.listen()
    await house.passes(90, step=30)
    assert window(server) == (2, 5)
    await house.passes(120, step=30)
    now = dt_util.now()
    assert now - local("2027-01-12T21:40:00") < timedelta(minutes=20)
    assert window(server) == (22, 1)
    await leave(hass)
