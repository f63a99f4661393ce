"""The actions: start and stop tasks, run one and wait for its end, list them all."""

from datetime import timedelta
from enum import StrEnum
from typing import Any

from homeassistant.const import ATTR_CONFIG_ENTRY_ID, ATTR_ENTITY_ID
from homeassistant.core import (
    HomeAssistant,
    ServiceCall,
    ServiceResponse,
    SupportsResponse,
    callback,
)
from homeassistant.exceptions import ServiceValidationError
from homeassistant.helpers import config_validation as cv, service
import voluptuous as vol

from .const import ATTR_TASK, DOMAIN
from .coordinator import PlexButlerConfigEntry, PlexButlerCoordinator
from .plex import ButlerTask, StartResult
from .runs.models import EndedRun, Run
from .runs.tasks import task_key
from .targets import async_find

ATTR_TIMEOUT = "timeout"
ACCEPTED = "accepted"
DISABLED_ON_SERVER = "disabled_on_server"
TIMEOUT = "timeout"


class Action(StrEnum):
    """The names of the actions."""

    GET_TASKS = "get_tasks"
    RUN_TASK = "run_task"
    START_ALL = "start_all"
    START_TASK = "start_task"
    STOP_ALL = "stop_all"
    STOP_TASK = "stop_task"


SERVER_SCHEMA = vol.Schema({vol.Optional(ATTR_CONFIG_ENTRY_ID): cv.string})
TASK_SCHEMA = SERVER_SCHEMA.extend(
    {vol.Optional(ATTR_TASK): cv.string, vol.Optional(ATTR_ENTITY_ID): cv.entity_ids}
)
RUN_SCHEMA = TASK_SCHEMA.extend(
    {vol.Optional(ATTR_TIMEOUT, default=timedelta(hours=1)): cv.positive_time_period}
)


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions."""
    for action, handle, schema, response in (
        (Action.GET_TASKS, _get_tasks, SERVER_SCHEMA, SupportsResponse.ONLY),
        (Action.RUN_TASK, _run_task, RUN_SCHEMA, SupportsResponse.OPTIONAL),
        (Action.START_ALL, _start_all, SERVER_SCHEMA, SupportsResponse.OPTIONAL),
        (Action.START_TASK, _start_task, TASK_SCHEMA, SupportsResponse.OPTIONAL),
        (Action.STOP_ALL, _stop_all, SERVER_SCHEMA, SupportsResponse.OPTIONAL),
        (Action.STOP_TASK, _stop_task, TASK_SCHEMA, SupportsResponse.OPTIONAL),
    ):
        hass.services.async_register(
            DOMAIN, action, handle, schema=schema, supports_response=response
        )


async def _start_all(call: ServiceCall) -> ServiceResponse:
    await _coordinator(call).commands.start_all()
    return {"result": ACCEPTED}


async def _stop_all(call: ServiceCall) -> ServiceResponse:
    await _coordinator(call).commands.stop_all()
    return {"result": ACCEPTED}


async def _start_task(call: ServiceCall) -> ServiceResponse:
    coordinator, task = _task(call)
    result = await coordinator.commands.start(task.name)
    response = _names(task) | {"result": result.value}
    if task.enabled is False and result is StartResult.STARTED:
        response["warning"] = DISABLED_ON_SERVER
    return response


async def _run_task(call: ServiceCall) -> ServiceResponse:
    coordinator, task = _task(call)
    ended = await coordinator.commands.run(task.name, call.data[ATTR_TIMEOUT])
    details = ended.as_dict() if ended else _names(task)
    response = {"result": details.pop("outcome", TIMEOUT)} | details
    if task.enabled is False:
        response["warning"] = DISABLED_ON_SERVER
    return response


async def _stop_task(call: ServiceCall) -> ServiceResponse:
    coordinator, task = _task(call)
    result = await coordinator.commands.stop(task.name)
    return _names(task) | {"result": result.value}


async def _get_tasks(call: ServiceCall) -> ServiceResponse:
    coordinator = _coordinator(call)
    coordinator.outages.raise_failure()
    snapshot = coordinator.data
    return {
        "maintenance": snapshot.maintenance,
        "watched_since": coordinator.config_entry.created_at.isoformat(),
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
                "run": _details(run),
                "last_run": _details(snapshot.last_runs.get(name)),
            }
            for name, task in snapshot.tasks.items()
        ],
    }


def _task(call: ServiceCall) -> tuple[PlexButlerCoordinator, ButlerTask]:
    """Return the task that was named, either by its switch or by itself, and its coordinator.

    Raises ServiceValidationError.
    """
    match call.data.get(ATTR_ENTITY_ID), call.data.get(ATTR_TASK):
        case [entity_id], None if ATTR_CONFIG_ENTRY_ID not in call.data:
            entry_id, name = async_find(call.hass, entity_id) or (None, None)
            if name is None:
                raise ServiceValidationError(
                    translation_domain=DOMAIN,
                    translation_key="not_a_task",
                    translation_placeholders={"entity": entity_id},
                )
        case None, str(name):
            entry_id = None
        case _:
            raise ServiceValidationError(translation_domain=DOMAIN, translation_key="name_one_task")
    coordinator = _coordinator(call, entry_id)
    return coordinator, coordinator.commands.find(name)


def _coordinator(call: ServiceCall, entry_id: str | None = None) -> PlexButlerCoordinator:
    """Return the coordinator of the given or chosen server, or of the only one.

    Raises ServiceValidationError.
    """
    entry: PlexButlerConfigEntry = service.async_get_config_entry(
        call.hass, DOMAIN, entry_id or call.data.get(ATTR_CONFIG_ENTRY_ID)
    )
    return entry.runtime_data


def _names(task: ButlerTask) -> dict[str, Any]:
    return {"task": task_key(task.name), "name": task.name}


def _details(run: Run | EndedRun | None) -> dict[str, Any] | None:
    """Return a run without its task, for a response about that task."""
    if run is None:
        return None
    return {key: value for key, value in run.as_dict().items() if key not in ("task", "name")}
