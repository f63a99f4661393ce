"""The actions: start and stop tasks, and list them."""

from enum import StrEnum
from typing import Any

from homeassistant.const import ATTR_CONFIG_ENTRY_ID
from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.helpers import config_validation as cv, service
import voluptuous as vol

from .const import DOMAIN
from .coordinator import PlexButlerConfigEntry, PlexButlerCoordinator
from .plex import ButlerTask, StartResult
from .tasks import task_key

ATTR_TASK = "task"
ACCEPTED = "accepted"
DISABLED_ON_SERVER = "disabled_on_server"


class Action(StrEnum):
    """The actions' names."""

    GET_TASKS = "get_tasks"
    START_ALL = "start_all"
    START_TASK = "start_task"
    STOP_ALL = "stop_all"
    STOP_TASK = "stop_task"


SERVER_SCHEMA = vol.Schema({vol.Optional(ATTR_CONFIG_ENTRY_ID): cv.string})
TASK_SCHEMA = SERVER_SCHEMA.extend({vol.Required(ATTR_TASK): cv.string})


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions."""
    for action, handle, schema, response in (
        (Action.GET_TASKS, _get_tasks, SERVER_SCHEMA, SupportsResponse.ONLY),
        (Action.START_ALL, _start_all, SERVER_SCHEMA, SupportsResponse.OPTIONAL),
        (Action.START_TASK, _start_task, TASK_SCHEMA, SupportsResponse.OPTIONAL),
        (Action.STOP_ALL, _stop_all, SERVER_SCHEMA, SupportsResponse.OPTIONAL),
        (Action.STOP_TASK, _stop_task, TASK_SCHEMA, SupportsResponse.OPTIONAL),
    ):
        hass.services.async_register(
            DOMAIN, action, handle, schema=schema, supports_response=response
        )


async def _start_all(call: ServiceCall) -> ServiceResponse:
    await _coordinator(call).async_start_all()
    return {"result": ACCEPTED}


async def _stop_all(call: ServiceCall) -> ServiceResponse:
    await _coordinator(call).async_stop_all()
    return {"result": ACCEPTED}


async def _start_task(call: ServiceCall) -> ServiceResponse:
    coordinator = _coordinator(call)
    task = coordinator.find_task(call.data[ATTR_TASK])
    result = await coordinator.async_start_task(task.name)
    response = _names(task) | {"result": result.value}
    if task.enabled is False and result is StartResult.STARTED:
        response["warning"] = DISABLED_ON_SERVER
    return response


async def _stop_task(call: ServiceCall) -> ServiceResponse:
    coordinator = _coordinator(call)
    task = coordinator.find_task(call.data[ATTR_TASK])
    result = await coordinator.async_stop_task(task.name)
    return _names(task) | {"result": result.value}


async def _get_tasks(call: ServiceCall) -> ServiceResponse:
    coordinator = _coordinator(call)
    coordinator.require_reachable()
    snapshot = coordinator.data
    return {
        "maintenance": snapshot.maintenance,
        "tasks": [
            _names(task)
            | {
                "title": task.title,
                "description": task.description,
                "interval_days": task.interval_days,
                "schedule_randomized": task.schedule_randomized,
                "schedule_enabled": task.enabled,
                "running": name in snapshot.running,
                "known_by": run.known_by.value if (run := snapshot.running.get(name)) else None,
            }
            for name, task in snapshot.tasks.items()
        ],
    }


def _coordinator(call: ServiceCall) -> PlexButlerCoordinator:
    """Return the server that is meant; without one named, the only one."""
    entry: PlexButlerConfigEntry = service.async_get_config_entry(
        call.hass, DOMAIN, call.data.get(ATTR_CONFIG_ENTRY_ID)
    )
    return entry.runtime_data


def _names(task: ButlerTask) -> dict[str, Any]:
    return {"task": task_key(task.name), "name": task.name}
