"""A Home Assistant that has the blueprints."""

from collections.abc import AsyncGenerator
from pathlib import Path
import shutil
from unittest.mock import patch

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.automation import DOMAIN as AUTOMATION
from homeassistant.components.automation.helpers import async_get_blueprints
from homeassistant.components.blueprint.models import Blueprint
from homeassistant.components.config import automation
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator, WebSocketGenerator

from custom_components.plex_butler.const import DOMAIN
from tests.integration.blueprints.automations import FILES, FOLDER, LONG, Editor
from tests.integration.patient_house import House
from tests.simulator import Profile, SimulatedPlex
from tests.task_names import BACKUP, DEEP, INTROS, LOUDNESS


@pytest.fixture
def _imported(hass: HomeAssistant, tmp_path: Path) -> None:
    """Have the blueprints in the folder where Home Assistant keeps imported ones."""
    shutil.copytree(FOLDER, tmp_path / "blueprints")
    hass.config.config_dir = str(tmp_path)


@pytest.fixture
async def house(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, _imported: None
) -> AsyncGenerator[House]:
    """A Home Assistant with the blueprints, whose automations are turned off in the end."""
    yield House(hass, freezer)
    if hass.states.async_entity_ids(AUTOMATION):
        await hass.services.async_call(AUTOMATION, "turn_off", {"entity_id": "all"}, blocking=True)


@pytest.fixture(autouse=True)
def _quiet(server: SimulatedPlex) -> None:
    """Let nothing end by itself while a test looks elsewhere."""
    server.butler.profiles |= {
        BACKUP: Profile(duration=LONG),
        DEEP: Profile(duration=LONG),
        INTROS: Profile(activity="media.generate.intros", items=1, item_seconds=LONG),
        LOUDNESS: Profile(activity="media.generate.loudness", items=1, item_seconds=LONG),
    }


@pytest.fixture
async def blueprints(hass: HomeAssistant, house: House) -> dict[str, Blueprint]:
    """The blueprints, as Home Assistant has loaded them: schema and selectors are valid."""
    assert await async_setup_component(hass, AUTOMATION, {AUTOMATION: []})
    loaded = await async_get_blueprints(hass).async_get_blueprints()
    assert sorted(loaded) == [f"{DOMAIN}/{file}.yaml" for file in FILES]
    found = {}
    for file in FILES:
        blueprint = loaded[f"{DOMAIN}/{file}.yaml"]
        assert isinstance(blueprint, Blueprint), blueprint
        found[file] = blueprint
    return found


@pytest.fixture
async def editor(
    hass: HomeAssistant,
    house: House,
    tmp_path: Path,
    hass_client: ClientSessionGenerator,
    hass_ws_client: WebSocketGenerator,
) -> Editor:
    """The automation editor of a Home Assistant that has no blueprint yet."""
    shutil.rmtree(tmp_path / "blueprints")
    (tmp_path / "configuration.yaml").write_text("automation: !include automations.yaml\n")
    (tmp_path / "automations.yaml").write_text("[]\n")
    with patch("homeassistant.components.config.SECTIONS", [automation]):
        assert await async_setup_component(hass, "config", {})
    assert await async_setup_component(hass, AUTOMATION, {AUTOMATION: []})
    # Before the first client is there: it freezes what can be asked for.
    for component in ("websocket_api", "webhook"):
        assert await async_setup_component(hass, component, {})
    return Editor(house, await hass_client(), await hass_ws_client())
