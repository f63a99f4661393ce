"""The actions: start and stop tasks, run one and wait for its end, list them, their runs and schedule."""

from datetime import UTC, datetime, timedelta
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
from homeassistant.util import dt as dt_util
import voluptuous as vol

from .butler.preferences import WINDOW
from .const import ATTR_TASK, DOMAIN
from .coordinator import PlexButlerConfigEntry, PlexButlerCoordinator
from .plex import BEHAVIOR_NEVER, ButlerTask, StartResult
from .runs.models import EndedRun, Run
from .runs.tasks import is_among, task_key
from .schedule_action import SCHEDULE_FIELDS, async_set_schedule
from .targets import async_find

ATTR_END = "end"
ATTR_START = "start"
ATTR_TIMEOUT = "timeout"
ACCEPTED = "accepted"
BEHAVIOR_IS_NEVER = "behavior_never"
EVER = datetime.min.replace(tzinfo=UTC)
FOREVER = datetime.max.replace(tzinfo=UTC)
DISABLED_ON_SERVER = "disabled_on_server"
TIMEOUT = "timeout"


class Action(StrEnum):
    """The names of the actions."""

    GET_RUNS = "get_runs"
    GET_TASKS = "get_tasks"
    RUN_TASK = "run_task"
    SET_SCHEDULE = "set_schedule"
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
SCHEDULE_SCHEMA = SERVER_SCHEMA.extend(SCHEDULE_FIELDS)
RUNS_SCHEMA = SERVER_SCHEMA.extend(
    {
        vol.Optional(ATTR_START): cv.datetime,
        vol.Optional(ATTR_END): cv.datetime,
        vol.Optional(ATTR_TASK, default=[]): vol.All(cv.ensure_list, [cv.string]),
    }
)


@callback
def async_setup_services(hass: HomeAssistant) -> None:
    """Register the actions."""
    for action, handle, schema, response in (
        (Action.GET_RUNS, _get_runs, RUNS_SCHEMA, SupportsResponse.ONLY),
        (Action.GET_TASKS, _get_tasks, SERVER_SCHEMA, SupportsResponse.ONLY),
        (Action.RUN_TASK, _run_task, RUN_SCHEMA, SupportsResponse.OPTIONAL),
        (Action.SET_SCHEDULE, _set_schedule, SCHEDULE_SCHEMA, SupportsResponse.OPTIONAL),
        (Action.START_ALL, _start_all, SERVER_SCHEMA, SupportsResponse.OPTIONAL),
        (Action.START_TASK, _start_task, TASK_SCHEMA, SupportsResponse.OPTIONAL),
        (Action.STOP_ALL, _stop_all, SERVER_SCHEMA, SupportsResponse.OPTIONAL),
        (Action.STOP_TASK, _stop_task, TASK_SCHEMA, SupportsResponse.OPTIONAL),
    ):
        hass.services.async_register(
            DOMAIN, action, handle, schema=schema, supports_response=response
        )


async def _start_all(call: ServiceCall) -> ServiceResponse:
    await _coordinator(call).commands.start_all(call.context)
    return {"result": ACCEPTED}


async def _stop_all(call: ServiceCall) -> ServiceResponse:
    await _coordinator(call).commands.stop_all(call.context)
    return {"result": ACCEPTED}


async def _start_task(call: ServiceCall) -> ServiceResponse:
    coordinator, task = _task(call)
    result = await coordinator.commands.start(task.name, call.context)
    response = _names(task) | {"result": result.value}
    return response | (_warning(coordinator, task) if result is StartResult.STARTED else {})


async def _run_task(call: ServiceCall) -> ServiceResponse:
    coordinator, task = _task(call)
    ended = await coordinator.commands.run(task.name, call.data[ATTR_TIMEOUT], call.context)
    details = ended.as_dict() if ended else _names(task)
    return {"result": details.pop("outcome", TIMEOUT)} | details | _warning(coordinator, task)


async def _stop_task(call: ServiceCall) -> ServiceResponse:
    coordinator, task = _task(call)
    result = await coordinator.commands.stop(task.name, call.context)
    return _names(task) | {"result": result.value}


async def _set_schedule(call: ServiceCall) -> ServiceResponse:
    return await async_set_schedule(_coordinator(call), call.data, call.context)


async def _get_runs(call: ServiceCall) -> ServiceResponse:
    coordinator = _coordinator(call)
    history = coordinator.session.history
    begin, until = _time(call, ATTR_START, EVER), _time(call, ATTR_END, FOREVER)
    if begin >= until:
        raise ServiceValidationError(translation_domain=DOMAIN, translation_key="end_before_start")
    # Also a task that the server does not list any more.
    known = {*coordinator.session.tasks, *(run.task for run in history.copy())}
    wanted = call.data[ATTR_TASK]
    for task in wanted:
        if not any(is_among(name, (task,)) for name in known):
            coordinator.commands.find(task)
    runs = history.between(begin, until)

    def describe() -> ServiceResponse:
        chosen = (run for run in runs if not wanted or is_among(run.task, wanted))
        return {"runs": [run.as_dict() for run in chosen]}

    # There may be thousands of runs.
    return await call.hass.async_add_executor_job(describe)


async def _get_tasks(call: ServiceCall) -> ServiceResponse:
    coordinator = _coordinator(call)
    coordinator.outages.raise_failure()
    snapshot = coordinator.data
    preferences = snapshot.preferences
    return {
        "maintenance": snapshot.maintenance,
        **{key: preferences.get(preference_id) for key, preference_id in WINDOW.items()},
        "watched_since": coordinator.config_entry.created_at.isoformat(),
        "tasks": [
            _names(task)
            | {
                "title": task.title,
                "description": task.description,
                "interval_days": task.interval_days,
                "schedule_randomized": task.schedule_randomized,
                "schedule_enabled": task.enabled,
                "scheduled": preferences.get(preferences.switch_of(name)),
                "behavior": preferences.get(preferences.behavior_of(name)),
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


def _time(call: ServiceCall, field: str, otherwise: datetime) -> datetime:
    """Return a time that was chosen, by the system's clock if it has no zone."""
    time: datetime = call.data.get(field, otherwise)
    return time if time.tzinfo else time.replace(tzinfo=dt_util.get_default_time_zone())


def _warning(coordinator: PlexButlerCoordinator, task: ButlerTask) -> dict[str, str]:
    """Return what the user should know of a task that was started."""
    preferences = coordinator.session.preferences
    if preferences.get(preferences.behavior_of(task.name)) == BEHAVIOR_NEVER:
        return {"warning": BEHAVIOR_IS_NEVER}
    return {"warning": DISABLED_ON_SERVER} if task.enabled is False else {}


def _names(task: ButlerTask) -> dict[str, Any]:
    return {"task": task_key(task.name), "name": task.name}


def _details(run: Run | EndedRun | None) -> dict[str, Any] | None:
    """Return a run without its task, for a response about that task."""
    if run is None:
        return None
    return {key: value for key, value in run.as_dict().items() if key not in ("task", "name")}
