"""The actions: what they send, what they answer, and what they refuse."""

from typing import Any

from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import entity_registry as er
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_butler.const import DOMAIN
from tests.conftest import House, entry_for
from tests.simulator import SimulatedPlex

BACKUP = {"task": "backup_database", "name": "BackupDatabase"}
INTROS = {"task": "generate_intro_markers", "name": "ButlerTaskGenerateIntroMarkers"}


@pytest.fixture(autouse=True)
def _quiet(server: SimulatedPlex) -> None:
    """Forget what the set-up of a test asked."""
    server.requests.clear()


def commands(server: SimulatedPlex) -> list[str]:
    return [f"{r.method} {r.path}" for r in server.requests if r.method != "GET"]


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("task", ["generate_intro_markers", "ButlerTaskGenerateIntroMarkers"])
async def test_start_and_stop_by_key_and_by_name(
    house: House, server: SimulatedPlex, task: str
) -> None:
    answers = [
        await house.act(DOMAIN, action, respond=True, task=task)
        for action in ("start_task", "start_task", "stop_task", "stop_task")
    ]
    assert answers == [
        INTROS | {"result": result}
        for result in ("started", "already_running", "stopped", "was_not_running")
    ]
    path = "/butler/ButlerTaskGenerateIntroMarkers"
    assert commands(server) == [f"POST {path}"] * 2 + [f"DELETE {path}"] * 2


@pytest.mark.usefixtures("loaded")
async def test_all(house: House, server: SimulatedPlex) -> None:
    assert await house.act(DOMAIN, "start_all", respond=True) == {"result": "accepted"}
    assert await house.act(DOMAIN, "stop_all", respond=True) == {"result": "accepted"}
    assert commands(server) == ["POST /butler", "DELETE /butler"]


@pytest.mark.usefixtures("loaded")
async def test_disabled_task_is_started_with_a_warning(house: House, server: SimulatedPlex) -> None:
    answer = await house.act(DOMAIN, "start_task", respond=True, task="refresh_libraries")
    assert (answer["result"], answer["warning"]) == ("started", "disabled_on_server")


@pytest.mark.usefixtures("loaded")
async def test_disabled_task_that_runs_already_is_no_matter_for_a_warning(
    house: House, server: SimulatedPlex
) -> None:
    server.butler.start("RefreshLibraries")
    answer = await house.act(DOMAIN, "start_task", respond=True, task="refresh_libraries")
    assert answer == {
        "task": "refresh_libraries",
        "name": "RefreshLibraries",
        "result": "already_running",
    }
    assert commands(server) == ["POST /butler/RefreshLibraries"]


@pytest.mark.usefixtures("loaded", "without_stream", "freezer")
async def test_get_tasks(house: House, server: SimulatedPlex, entry: MockConfigEntry) -> None:
    await house.act(DOMAIN, "start_task", task="BackupDatabase")
    answer = await house.act(DOMAIN, "get_tasks", respond=True)
    assert answer["maintenance"] is True
    assert answer["watched_since"] == entry.created_at.isoformat()
    assert [task["name"] for task in answer["tasks"]] == list(server.butler.tasks)
    assert [t["known_by"] for t in answer["tasks"] if not t["running"]] == [None] * 21
    assert next(task for task in answer["tasks"] if task["name"] == "BackupDatabase") == BACKUP | {
        "title": "Backup Database",
        "description": (
            "Create a backup copy of the server's database in the configured backup directory"
        ),
        "interval_days": 3,
        "schedule_randomized": False,
        "schedule_enabled": True,
        "scheduled": True,
        "behavior": None,
        "running": True,
        "known_by": "assumed",
        "run": {
            "started": dt_util.utcnow().isoformat(),
            "known_by": "assumed",
            "ours": True,
            "started_by": None,
            "plex_log": False,
        },
        "last_run": None,
    }


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("task", [".", "..", "backupdatabase", "BrewCoffee", "../butler"])
async def test_task_that_is_not_listed_is_refused_without_a_request(
    house: House, server: SimulatedPlex, task: str
) -> None:
    for action in ("start_task", "stop_task"):
        with pytest.raises(ServiceValidationError) as refused:
            await house.act(DOMAIN, action, task=task)
        assert refused.value.translation_key == "task_not_listed"
        assert refused.value.translation_placeholders == {
            "task": task,
            "server": server.friendly_name,
        }
    assert commands(server) == []


@pytest.mark.usefixtures("loaded")
async def test_task_that_vanished_since_the_last_list(house: House, server: SimulatedPlex) -> None:
    server.butler.remove_task("BackupDatabase")
    with pytest.raises(HomeAssistantError) as refused:
        await house.act(DOMAIN, "start_task", task="backup_database")
    assert refused.value.translation_key == "task_not_found"
    await house.passes(30)
    with pytest.raises(ServiceValidationError):
        await house.act(DOMAIN, "start_task", task="backup_database")


async def test_actions_exist_and_explain_themselves_without_a_server(
    hass: HomeAssistant, house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    assert await async_setup_component(hass, DOMAIN, {})
    actions: dict[str, dict[str, Any]] = {
        "start_all": {},
        "stop_all": {},
        "start_task": {"task": "backup_database"},
        "stop_task": {"task": "backup_database"},
        "get_tasks": {},
        "set_schedule": {"window_start": 3},
    }
    for action, data in actions.items():
        with pytest.raises(ServiceValidationError) as refused:
            await house.act(DOMAIN, action, respond=True, **data)
        assert refused.value.translation_key == "service_found_no_config_entry_for_domain"
    await house.set_up(entry, server)
    await hass.config_entries.async_unload(entry.entry_id)
    assert entry.state is ConfigEntryState.NOT_LOADED
    for named in ({}, {"config_entry_id": entry.entry_id}):
        for action, data in actions.items():
            with pytest.raises(ServiceValidationError) as refused:
                await house.act(DOMAIN, action, respond=True, **data, **named)
            assert refused.value.translation_key == "service_config_entry_not_loaded"


@pytest.mark.usefixtures("loaded")
async def test_with_two_servers_one_has_to_be_named(
    house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    async with SimulatedPlex(machine_identifier="f" * 40, friendly_name="Attic") as attic:
        await house.set_up(entry_for(attic), attic)
        with pytest.raises(ServiceValidationError) as refused:
            await house.act(DOMAIN, "start_all")
        assert refused.value.translation_key == "service_found_multiple_config_entry_for_domain"
        await house.act(DOMAIN, "start_all", config_entry_id=entry.entry_id)
        assert commands(server) == ["POST /butler"]
        assert commands(attic) == []


@pytest.mark.parametrize("name", ["", "  "])
async def test_empty_name_is_told_for_what_it_is(
    house: House, server: SimulatedPlex, loaded: MockConfigEntry, name: str
) -> None:
    server.requests.clear()
    with pytest.raises(ServiceValidationError) as refused:
        await house.act(DOMAIN, "start_task", task=name)
    assert refused.value.translation_key == "no_task_named"
    assert not [request for request in server.requests if request.method == "POST"]


async def test_name_stands_in_quotes(house: House, loaded: MockConfigEntry) -> None:
    with pytest.raises(
        ServiceValidationError, match='does not list a task named "brew coffee", so'
    ):
        await house.act(DOMAIN, "start_task", task="brew coffee")


async def test_task_that_is_named_like_the_key_of_another(
    house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    server.butler.add_task("backup_database", title="Impostor")
    await house.set_up(entry, server)
    for wanted, key, name in (
        ("backup_database", "backup_database", "BackupDatabase"),
        ("BackupDatabase", "backup_database", "BackupDatabase"),
        ("task_backup_database", "task_backup_database", "backup_database"),
    ):
        answer = await house.act(DOMAIN, "start_task", True, task=wanted)
        assert (answer["task"], answer["name"]) == (key, name)
    posts = [request.path for request in server.requests if request.method == "POST"]
    assert posts == ["/butler/BackupDatabase", "/butler/BackupDatabase", "/butler/backup_database"]
    await house.act(
        "switch", "turn_on", entity_id=house.entity_id(server, "switch", "task_backup_database")
    )
    assert server.requests[-1].path == "/butler/backup_database"


@pytest.mark.usefixtures("loaded")
async def test_command_for_a_task_that_is_not_listed_any_more_is_not_sent(
    house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    with pytest.raises(ServiceValidationError, match='does not list a task named "Vanished"'):
        await entry.runtime_data.commands.stop("Vanished", Context())
    assert commands(server) == []


# By the switch of a task


@pytest.mark.usefixtures("loaded")
async def test_start_and_stop_by_the_switch(house: House, server: SimulatedPlex) -> None:
    switch = house.entity_id(server, "switch", f"task_{INTROS['name']}")
    answers = [
        await house.act(DOMAIN, action, respond=True, entity_id=named)
        for action, named in (("start_task", switch), ("stop_task", [switch]))
    ]
    assert answers == [INTROS | {"result": "started"}, INTROS | {"result": "stopped"}]


async def test_switch_names_its_server_too(
    hass: HomeAssistant, house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    async with SimulatedPlex(machine_identifier="f" * 40, friendly_name="Attic") as attic:
        attic_entry = entry_for(attic)
        await house.set_up(entry, server)
        await house.set_up(attic_entry, attic)
        switch = house.entity_id(attic, "switch", f"task_{INTROS['name']}")
        script = {"sequence": [{"action": f"{DOMAIN}.start_task", "target": {"entity_id": switch}}]}
        assert await async_setup_component(hass, "script", {"script": {"start": script}})
        await house.act("script", "start")
        assert commands(attic) == [f"POST /butler/{INTROS['name']}"]
        assert commands(server) == []
        await hass.config_entries.async_unload(attic_entry.entry_id)
        with pytest.raises(ServiceValidationError) as refused:
            await house.act(DOMAIN, "start_task", entity_id=switch)
        assert refused.value.translation_key == "service_config_entry_not_loaded"


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("action", ["start_task", "stop_task", "run_task"])
async def test_task_is_named_in_exactly_one_way(
    hass: HomeAssistant, house: House, server: SimulatedPlex, entry: MockConfigEntry, action: str
) -> None:
    switch = house.entity_id(server, "switch", f"task_{INTROS['name']}")
    backup = house.entity_id(server, "switch", "task_BackupDatabase")
    at = {"config_entry_id": entry.entry_id}
    wrong: list[dict[str, Any]] = [
        {},
        at,
        {"entity_id": []},
        {"entity_id": [switch, backup]},
        {"entity_id": switch, "task": INTROS["name"]},
        {"entity_id": switch, **at},
    ]
    for data in wrong:
        with pytest.raises(ServiceValidationError, match="Specify exactly one task"):
            await house.act(DOMAIN, action, **data)
    maintenance = house.entity_id(server, "binary_sensor", "maintenance")
    other = MockConfigEntry(domain="other", unique_id="x")
    other.add_to_hass(hass)
    foreign = er.async_get(hass).async_get_or_create(
        "switch", "other", "x_task_BackupDatabase", config_entry=other
    )
    for entity_id in (maintenance, foreign.entity_id, "switch.of_nobody"):
        with pytest.raises(ServiceValidationError, match=f"{entity_id} is not the switch of a"):
            await house.act(DOMAIN, action, entity_id=entity_id)
    assert commands(server) == []
