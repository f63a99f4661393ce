"""What a target means: servers by their devices and entities, tasks by their switches."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import (
    config_validation as cv,
    device_registry as dr,
    entity_registry as er,
)
from homeassistant.helpers.target import TargetSelection, async_extract_referenced_entity_ids
import voluptuous as vol

from .const import DOMAIN
from .entity import task_of

type _Task = tuple[str, str | None]
"""The id of a config entry, and the server's name of a task; None means the server as a whole."""


def _not_empty(target: dict[str, Any]) -> dict[str, Any]:
    if not TargetSelection(target).has_any_target:
        raise vol.Invalid("The target is empty: choose something, or leave it out for all servers")
    return target


TARGET: Final = vol.All(cv.TARGET_FIELDS, _not_empty)
"""Validates a target. What it names need not exist yet."""


@dataclass(frozen=True, slots=True)
class Targeted:
    """The servers that are meant, by the ids of their config entries, and the tasks."""

    servers: frozenset[str]
    tasks: frozenset[_Task]
    excluded: frozenset[_Task]

    def includes(self, entry_id: str, task: str | None = None) -> bool:
        """Return whether a task of a server is meant, or without a task the server as a whole."""
        asked = (entry_id, task)
        return asked not in self.excluded and (entry_id in self.servers or asked in self.tasks)


@callback
def async_targeted(hass: HomeAssistant, target: Mapping[str, Any]) -> Targeted:
    """Return what a target means at this moment, whether its entities are loaded or not.

    A device means its server; an area, a floor or a label means the servers in it. An entity of the
    server as a whole means the server too, and an entity of a task means that task.
    """
    selection = TargetSelection(dict(target))
    servers, tasks = _async_referenced(hass, selection)
    # Targets can exclude something since 2026.11.
    exclude: TargetSelection | None = getattr(selection, "exclude", None)
    excluded = _async_referenced(hass, exclude)[1] if exclude else frozenset[_Task]()
    return Targeted(servers, tasks, excluded)


@callback
def _async_referenced(
    hass: HomeAssistant, selection: TargetSelection
) -> tuple[frozenset[str], frozenset[_Task]]:
    """Return the servers and the tasks of a selection."""
    selected = async_extract_referenced_entity_ids(
        hass, selection, expand_group=False, primary_entities_only=False
    )
    registry = dr.async_get(hass)
    devices = (registry.async_get(device_id) for device_id in selected.referenced_devices)
    named = (
        async_find(hass, entity_id)
        for entity_id in selected.referenced | selected.indirectly_referenced
    )
    tasks = frozenset(each for each in named if each)
    servers = {device.config_entry_id for device in devices if device}
    servers |= {entry_id for entry_id, task in tasks if task is None}
    return frozenset(servers), tasks


@callback
def async_find(hass: HomeAssistant, entity_id: str) -> _Task | None:
    """Return the server and the task to which an entity belongs; None if it is not one of ours."""
    entity = er.async_get(hass).async_get(entity_id)
    if not entity or entity.platform != DOMAIN or not entity.config_entry_id:
        return None
    entry = hass.config_entries.async_get_known_entry(entity.config_entry_id)
    return entry.entry_id, task_of(entity, str(entry.unique_id))
