"""A config entry that is unloaded, reloaded, disabled or removed while something is under way."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
import logging
from typing import Any, Final

from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
from homeassistant.core import Context, HomeAssistant
from homeassistant.exceptions import ConfigEntryNotReady, HomeAssistantError
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_butler.const import DOMAIN, PLATFORMS
from custom_components.plex_butler.operations import Operations
from tests.conftest import House
from tests.integration.shown import polls
from tests.simulator import SimulatedPlex

pytestmark = pytest.mark.usefixtures("some_tasks")

STREAM: Final = "/:/websockets/notifications"


async def disable(hass: HomeAssistant, entry_id: str) -> None:
    await hass.config_entries.async_set_disabled_by(entry_id, ConfigEntryDisabler.USER)


WAYS: Final[dict[str, Callable[[HomeAssistant, str], Coroutine[Any, Any, Any]]]] = {
    "unload": lambda hass, entry_id: hass.config_entries.async_unload(entry_id),
    "reload": lambda hass, entry_id: hass.config_entries.async_reload(entry_id),
    "disable": disable,
    "remove": lambda hass, entry_id: hass.config_entries.async_remove(entry_id),
}


@pytest.fixture(autouse=True)
async def nothing_is_logged(
    hass: HomeAssistant, server: SimulatedPlex, caplog: pytest.LogCaptureFixture
) -> AsyncGenerator[None]:
    """Nothing goes wrong unseen: no traceback, no connection that is left open."""
    yield
    logged = [r for r in caplog.records if r.levelno >= logging.WARNING]
    # Home Assistant warns of every custom integration.
    assert [r.getMessage() for r in logged if "not been tested" not in r.getMessage()] == []


async def ended(task: asyncio.Task[Any]) -> BaseException | None:
    """Return what a call ended with, which must not take long."""
    await asyncio.wait([task], timeout=5)
    assert task.done()
    return task.exception()


async def released(house: House, server: SimulatedPlex) -> None:
    """Let the server answer again, and everything come that is still to come."""
    server.faults.late_answers = ""
    await house.passes(60)


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize(
    ("method", "action", "data", "sentence"),
    [
        ("POST", "start_task", {"task": "backup_database"}, "unloaded_not_confirmed"),
        ("POST", "run_task", {"task": "backup_database"}, "unloaded_not_confirmed"),
        ("GET", "start_task", {"task": "backup_database"}, "unloaded"),
        ("DELETE", "stop_task", {"task": "backup_database"}, "unloaded_not_confirmed"),
        ("POST", "start_all", {}, "unloaded_not_confirmed"),
        ("DELETE", "stop_all", {}, "unloaded_not_confirmed"),
    ],
)
async def test_command_under_way(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
    hass_storage: dict[str, Any],
    how: str,
    method: str,
    action: str,
    data: dict[str, Any],
    sentence: str,
) -> None:
    server.faults.late_answers = method
    calls = [
        asyncio.create_task(hass.services.async_call(DOMAIN, action, data, blocking=True))
        for _ in range(2)
    ]
    await house.sent()
    assert any(request.method == method and not request.status for request in server.requests)
    closing = asyncio.create_task(WAYS[how](hass, loaded.entry_id))
    failures = [await ended(call) for call in calls]
    await released(house, server)
    await closing
    keys = [f.translation_key for f in failures if isinstance(f, HomeAssistantError)]
    # The second start of one task waits for the first, and is not sent.
    second = "unloaded" if (data and "start" in action) or "run" in action else sentence
    assert keys == [sentence, second]
    if how == "remove":
        assert not [key for key in hass_storage if key.startswith(DOMAIN)]


@pytest.mark.parametrize("how", WAYS)
@pytest.mark.parametrize("failing", [False, True])
async def test_poll_under_way(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
    hass_storage: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
    how: str,
    *,
    failing: bool,
) -> None:
    assert await async_setup_component(hass, "homeassistant", {})
    if failing:
        server.faults.maintenance = True
        await house.passes(600, step=60)
        server.faults.maintenance = False
        caplog.clear()
    await house.passes(20)
    server.requests.clear()
    server.faults.late_answers = "GET"
    maintenance = house.entity_id(server, "binary_sensor", "maintenance")
    update = {"entity_id": maintenance}
    updating = asyncio.create_task(
        hass.services.async_call("homeassistant", "update_entity", update, blocking=True)
    )
    await house.sent()
    assert [request.status for request in server.requests] == [None]
    closing = asyncio.create_task(WAYS[how](hass, loaded.entry_id))
    assert await ended(updating) is None
    await released(house, server)
    await closing
    if how == "remove":
        assert not [key for key in hass_storage if key.startswith(DOMAIN)]


@pytest.mark.parametrize("how", WAYS)
async def test_connect_under_way(
    hass: HomeAssistant, house: House, server: SimulatedPlex, entry: MockConfigEntry, how: str
) -> None:
    server.faults.late_websocket = True
    await house.set_up(entry, server)
    assert any(r.path == STREAM and not r.status for r in server.requests)
    await WAYS[how](hass, entry.entry_id)
    server.faults.late_websocket = False
    await released(house, server)


@pytest.mark.parametrize("how", ["disable", "remove"])
async def test_no_repair_for_an_entry_that_is_closed(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
    issue_registry: ir.IssueRegistry,
    how: str,
) -> None:
    server.faults.forbidden = True
    server.faults.late_answers = "DELETE"
    stopping = asyncio.create_task(hass.services.async_call(DOMAIN, "stop_all", {}, blocking=True))
    await house.sent()
    await WAYS[how](hass, loaded.entry_id)
    assert isinstance(await ended(stopping), HomeAssistantError)
    await released(house, server)
    assert not [issue for issue in issue_registry.issues.values() if issue.domain == DOMAIN]


async def test_unloading_that_fails_leaves_the_entry_as_it_is(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*args: object) -> bool:
        return False

    monkeypatch.setattr(hass.config_entries, "async_unload_platforms", fail)
    assert not await hass.config_entries.async_unload(loaded.entry_id)
    assert loaded.state is ConfigEntryState.FAILED_UNLOAD
    assert (
        await loaded.runtime_data.commands.stop("BackupDatabase", Context())
    ).value == "was_not_running"
    monkeypatch.undo()
    assert await hass.config_entries.async_unload_platforms(loaded, PLATFORMS)
    await loaded.runtime_data.async_close()


async def test_set_up_that_fails_behind_the_first_poll_writes_nothing_after_the_removal(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    entry: MockConfigEntry,
    hass_storage: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def fail(*args: object) -> None:
        raise ConfigEntryNotReady

    monkeypatch.setattr(hass.config_entries, "async_forward_entry_setups", fail)
    server.butler.start("ButlerTaskGenerateIntroMarkers")
    await house.set_up(entry, server, ConfigEntryState.SETUP_RETRY)
    await hass.config_entries.async_remove(entry.entry_id)
    await house.passes(30)
    assert not [key for key in hass_storage if key.startswith(DOMAIN)]


@pytest.mark.parametrize(
    ("action", "method", "data"),
    [
        ("stop_task", "DELETE", {"task": "backup_database"}),
        ("stop_all", "DELETE", {}),
        ("start_all", "POST", {}),
    ],
)
async def test_cancelled_command_may_have_arrived_so_that_polls_quicken(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
    action: str,
    method: str,
    data: dict[str, Any],
) -> None:
    await house.passes(60)
    server.faults.late_answers = method
    sending = asyncio.create_task(hass.services.async_call(DOMAIN, action, data, blocking=True))
    await house.sent()
    sending.cancel()
    await asyncio.wait([sending])
    server.faults.late_answers = ""
    server.requests.clear()
    await house.passes(20)
    assert polls(server) >= 3


async def test_time_limit_of_an_operation_is_not_the_end_of_the_entry(hass: HomeAssistant) -> None:
    operations = Operations()
    with pytest.raises(TimeoutError):
        async with operations.under_way(), asyncio.timeout(0):
            await asyncio.sleep(1)
    async with operations.under_way():
        assert not operations.closed
