"""The dashboard of the docs: every entity in it is there, and enabled, on a server like the demo's."""

from collections.abc import Iterator
import re
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
import yaml

from custom_components.plex_butler.const import CONF_LOG
from tests.conftest import House, entry_for
from tests.repository import ROOT
from tests.simulator import SimulatedPlex

DASHBOARD: Final = ROOT / "docs/dashboard.yaml"
VIEW: Final = ROOT / "scripts/demo_files/view.yaml"
OF_OPTIONS: Final = "sensor.cellar_last_good_backup"


def entities_of(card: Any) -> Iterator[str]:
    """Yield all that looks like an entity id."""
    for value in card.values() if isinstance(card, dict) else card:
        match value:
            case dict() | list():
                yield from entities_of(value)
            case str() if re.fullmatch(r"[a-z_]+\.[a-z0-9_]+", value):
                yield value


async def test_all_of_it_is_there(hass: HomeAssistant, house: House, server: SimulatedPlex) -> None:
    """By default but for one, which the options bring and a condition hides."""
    dashboard = yaml.safe_load(DASHBOARD.read_text())
    wanted = set(entities_of(dashboard))
    assert len(wanted) > 14
    entry = entry_for(server)
    await house.set_up(entry, server)
    registry = er.async_get(hass)
    assert {name for name in wanted if not enabled(registry, name)} == {OF_OPTIONS}
    for card in cards(dashboard):
        if card.get("entity") == OF_OPTIONS:
            assert [each["entity"] for each in card["visibility"]] == [OF_OPTIONS]
    hass.config_entries.async_update_entry(entry, options={CONF_LOG: True})
    assert await hass.config_entries.async_reload(entry.entry_id)
    assert all(enabled(registry, name) for name in wanted)
    ours = {name for name in entities_of(yaml.safe_load(VIEW.read_text())) if ".cellar_" in name}
    assert all(enabled(registry, name) for name in ours)


def enabled(registry: er.EntityRegistry, entity_id: str) -> bool:
    """Return whether an entity is registered and enabled."""
    found = registry.async_get(entity_id)
    return found is not None and not found.disabled


def cards(dashboard: Any) -> Iterator[Any]:
    """Yield the cards of all sections."""
    for view in dashboard["views"]:
        for section in view["sections"]:
            yield from section["cards"]
