"""An entry's life: set up, unloaded, restarted, removed, and what never leaves it."""

import asyncio
from dataclasses import asdict
import json
import logging
from typing import Any

from aiohttp import web
from homeassistant.components.switch import DOMAIN as SWITCH
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_URL, STATE_OFF, STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, get_system_health_info
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.plex_butler.config_flow import PlexButlerConfigFlow
from custom_components.plex_butler.const import DOMAIN
from tests.conftest import CLIENT_IDENTIFIER, House, entry_for
from tests.simulator import SimulatedPlex

BACKUP = "task_BackupDatabase"


@pytest.fixture(autouse=True)
async def enable_event_loop_debug() -> None:
    """Run the loop in asyncio's debug mode, in this module alone.

    An entry's whole life passes here: polls, the stream, commands, reloading, unloading and
    removal. And the test of the log sees what debug mode itself would log.
    """
    asyncio.get_running_loop().set_debug(True)


async def test_unload_and_reload(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    assert await hass.config_entries.async_unload(loaded.entry_id)
    assert loaded.state is ConfigEntryState.NOT_LOADED
    assert house.state(server, SWITCH, BACKUP).state == STATE_UNAVAILABLE
    server.requests.clear()
    await house.passes(600, step=60)
    assert not server.requests
    assert await hass.config_entries.async_setup(loaded.entry_id)
    await house.settled()
    assert house.state(server, SWITCH, BACKUP).state == STATE_OFF


async def test_entity_ids_and_names_survive_a_reload(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    registry = er.async_get(hass)
    registry.async_update_entity(
        house.entity_id(server, SWITCH, BACKUP), new_entity_id="switch.my_backup", name="Mine"
    )
    server.friendly_name = "Renamed"
    before = {e.entity_id: e.unique_id for e in registry.entities.values()}
    await hass.config_entries.async_reload(loaded.entry_id)
    await house.settled()
    assert {e.entity_id: e.unique_id for e in registry.entities.values()} == before
    assert house.state(server, SWITCH, BACKUP).name.endswith("Mine")


async def test_removal_leaves_nothing(
    hass: HomeAssistant, house: House, loaded: MockConfigEntry
) -> None:
    await hass.config_entries.async_remove(loaded.entry_id)
    await house.settled()
    assert not er.async_entries_for_config_entry(er.async_get(hass), loaded.entry_id)
    assert not dr.async_entries_for_config_entry(dr.async_get(hass), loaded.entry_id)
    assert not [s for s in hass.states.async_all() if s.domain in (SWITCH, "button")]


async def test_entry_of_this_release_loads(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    """Written by hand, as it stands in storage: later releases have to load it too."""
    assert (PlexButlerConfigFlow.VERSION, PlexButlerConfigFlow.MINOR_VERSION) == (1, 1)
    entry = MockConfigEntry(
        domain="plex_butler",
        title="Cellar",
        unique_id=server.machine_identifier,
        version=1,
        minor_version=1,
        data={
            "url": server.url,
            "token": server.owner_token,
            "verify_ssl": True,
            "client_identifier": "0d8f3a52-6a3c-4d39-8f6e-0a2f4a3c9e11",
        },
    )
    await house.set_up(entry, server)
    assert {request.headers["x-plex-client-identifier"] for request in server.requests} == {
        "0d8f3a52-6a3c-4d39-8f6e-0a2f4a3c9e11"
    }


async def test_redirects_are_never_followed(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    called: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        called.append(request.path)
        return web.json_response({})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        server.faults.redirect_to = f"http://127.0.0.1:{port}/elsewhere"
        for action in ("start_all", "stop_all"):
            with pytest.raises(HomeAssistantError):
                await house.act(DOMAIN, action)
        with pytest.raises(HomeAssistantError):
            await house.act(DOMAIN, "set_schedule", window_start=3)
        for action in ("start_task", "stop_task"):
            with pytest.raises(HomeAssistantError):
                await house.act(DOMAIN, action, task="backup_database")
        await house.passes(120, step=30)
        await hass.config_entries.async_reload(loaded.entry_id)
        await house.settled()
        assert loaded.state is ConfigEntryState.SETUP_RETRY
    finally:
        await runner.cleanup()
    assert called == []


@pytest.mark.usefixtures("without_stream")
async def test_diagnostics_hold_what_helps_and_nothing_private(
    hass: HomeAssistant,
    hass_client: ClientSessionGenerator,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
) -> None:
    server.change_preferences({"FriendlyName": "Private Cellar"})
    await house.act(DOMAIN, "set_schedule", window_start=23)
    server.users.scan_library(items=30)
    await house.act(DOMAIN, "start_task", task="generate_intro_markers")
    await house.act(DOMAIN, "start_task", task="generate_intro_markers")
    await house.act(DOMAIN, "start_task", task="refresh_libraries")
    await house.passes(30)
    await house.act(DOMAIN, "stop_task", task="generate_intro_markers")
    await house.act(DOMAIN, "start_all")
    await house.act(DOMAIN, "stop_all")
    await house.act(DOMAIN, "start_task", task="backup_database")
    await server.stop_listening()
    await house.passes(30, step=30)
    diagnostics: Any = await get_diagnostics_for_config_entry(hass, hass_client, loaded)
    text = json.dumps(diagnostics)
    private = {
        *server.tokens,
        server.machine_identifier,
        server.friendly_name,
        CLIENT_IDENTIFIER,
        "127.0.0.1",
        "owner@example.org",
        "Private",
    }
    assert not [secret for secret in private if secret in text]
    assert diagnostics["entry"][CONF_URL].startswith("http://**REDACTED**:")
    assert diagnostics["entry"]["has_token"] is True
    assert diagnostics["server"]["version"] == server.version
    assert diagnostics["last_update_success"] is False
    assert [task["name"] for task in diagnostics["tasks"]] == list(server.butler.tasks)
    assert {run["task"] for run in diagnostics["running"]} == {"BackupDatabase"}
    assert {run["task"]: run["outcome"] for run in diagnostics["last_runs"]} == {
        "ButlerTaskGenerateIntroMarkers": "stopped",
        "RefreshLibraries": "stopped",
    }
    statistics = diagnostics["statistics"]
    assert statistics["answers"] == {
        "start_task: started": 2,
        "start_task: already_running": 1,
        "start_task: started (disabled task)": 1,
        "stop_task: stopped": 1,
        "start_all: accepted": 1,
        "stop_all: accepted": 1,
        "set_preferences: kept": 1,
    }
    assert diagnostics["preferences"].keys() == {
        row["id"]
        for row in server.preferences.rows()
        if row["id"].startswith(("ButlerTask", "ButlerStart", "ButlerEnd"))
        or row["id"].endswith("Behavior")
    } - {"ButlerTaskGenerateMediaIndexFiles"}
    assert diagnostics["preferences"]["ButlerStartHour"] == 23
    assert diagnostics["preferences"]["GenerateBIFBehavior"] == "never"
    assert statistics["failures"] == {"cannot_connect": 1}
    assert statistics["lists_activities"] is True
    assert statistics["butler_row"]["seen"] is True
    assert statistics["butler_row"]["uuids_seen"] == 1
    assert statistics["activities_by_type"]["library.update.section"] >= 1


async def test_diagnostics_of_a_server_that_was_never_reached(
    hass: HomeAssistant, hass_client: ClientSessionGenerator, house: House, server: SimulatedPlex
) -> None:
    await server.stop_listening()
    entry = await house.set_up(entry_for(server), server, ConfigEntryState.SETUP_RETRY)
    diagnostics: Any = await get_diagnostics_for_config_entry(hass, hass_client, entry)
    assert (diagnostics["state"], diagnostics["reason"]) == ("setup_retry", "cannot_connect_poll")
    assert server.owner_token not in json.dumps(diagnostics)


async def test_system_health(hass: HomeAssistant, server: SimulatedPlex, house: House) -> None:
    assert await async_setup_component(hass, "system_health", {})
    await house.set_up(entry_for(server), server)
    assert await get_system_health_info(hass, DOMAIN) == {
        "servers": 1,
        "servers_answering": 1,
        "server_versions": server.version,
    }
    await server.stop_listening()
    await house.passes(30, step=30)
    assert (await get_system_health_info(hass, DOMAIN))["servers_answering"] == 0


async def test_no_token_in_any_log(
    hass: HomeAssistant, house: House, server: SimulatedPlex, whole_log: pytest.LogCaptureFixture
) -> None:
    await house.set_up(entry_for(server), server)
    for fault in asdict(server.faults):
        if fault in ("hang", "slow", "endless_body", "silent_websocket"):
            continue
        value = getattr(server.faults, fault)
        switched = {bool: True, int: 1, float: 0.0}.get(type(value), "http://127.0.0.1:9/")
        setattr(server.faults, fault, switched)
        await house.passes(30, step=30)
        for action, data in (
            ("start_task", {"task": "backup_database"}),
            ("set_schedule", {"window_start": 3}),
        ):
            try:
                await house.act(DOMAIN, action, **data)
            except HomeAssistantError:
                logging.getLogger("test").exception("As the frontend would log it")
        setattr(server.faults, fault, value)
        await house.passes(60, step=30)
    assert server.owner_token not in whole_log.text
    assert server.requests
    assert all(request.query.keys() <= {"ButlerStartHour"} for request in server.requests)
