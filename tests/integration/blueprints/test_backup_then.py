"""Backup, then …: when the actions run, and which."""

from typing import Any

from homeassistant.core import HomeAssistant, ServiceCall
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_mock_service,
)

from custom_components.plex_butler.const import DOMAIN
from tests.conftest import entry_for
from tests.integration.blueprints.automations import (
    commands,
    errors,
    last_trace,
    runs,
    soon,
    use,
)
from tests.integration.patient_house import House
from tests.integration.plex_log import set_up_with_log
from tests.simulator import Profile, SimulatedPlex
from tests.task_names import BACKUP


@pytest.fixture
def then(hass: HomeAssistant) -> list[ServiceCall]:
    """What was done after a backup."""
    return async_mock_service(hass, "test", "then")


@pytest.fixture
def otherwise(hass: HomeAssistant) -> list[ServiceCall]:
    """What was done without one."""
    return async_mock_service(hass, "test", "otherwise")


async def back_up(house: House, **inputs: Any) -> None:
    """Set the automation up, and let its time come."""
    told = {"data": {"result": "{{ result }}"}}
    actions = {
        "then_actions": [{"action": "test.then"} | told],
        "otherwise_actions": [{"action": "test.otherwise"} | told],
    }
    await use(house, "backup_then", time=soon(), **actions | inputs)
    await house.passes(58)


def results(calls: list[ServiceCall]) -> list[str]:
    """Return the results with which actions were called."""
    return [call.data["result"] for call in calls]


@pytest.mark.usefixtures("loaded")
async def test_backup_whose_end_is_seen_is_followed_at_once(
    house: House, server: SimulatedPlex, then: list[ServiceCall], otherwise: list[ServiceCall]
) -> None:
    server.butler.profiles[BACKUP] = Profile(duration=300)
    await back_up(house)
    assert commands(server) == ["POST /butler/BackupDatabase"]
    await house.passes(290)
    assert results(then) == []
    await house.passes(20)
    assert results(then) == ["finished"]
    await house.passes(3600, step=60)
    assert results(then) == ["finished"]
    assert results(otherwise) == []
    assert commands(server) == []


@pytest.mark.usefixtures("loaded", "without_stream")
async def test_quick_backup_is_given_the_minutes_that_the_user_chose(
    house: House, server: SimulatedPlex, then: list[ServiceCall], otherwise: list[ServiceCall]
) -> None:
    server.butler.profiles[BACKUP] = Profile(duration=0.1)
    await back_up(house, wait_minutes=5)
    await house.passes(5 * 60)
    assert results(then) == []
    await house.passes(60)
    assert results(then) == ["end_not_seen"]
    assert results(otherwise) == []
    assert commands(server) == ["POST /butler/BackupDatabase"]


@pytest.mark.parametrize(("code", "result"), [(0, "succeeded"), (11, "failed")])
async def test_what_plexs_log_says_of_the_backup_decides(
    house: House,
    server: SimulatedPlex,
    then: list[ServiceCall],
    otherwise: list[ServiceCall],
    code: int,
    result: str,
) -> None:
    server.butler.profiles[BACKUP] = Profile(duration=0.1)
    server.faults.backup_code = code
    await set_up_with_log(house, server)
    await back_up(house)
    await house.passes(60)
    assert results(otherwise if code else then) == [result]
    assert results(then if code else otherwise) == []


@pytest.mark.usefixtures("loaded")
async def test_server_that_is_gone_after_the_wait_has_made_no_backup(
    house: House, server: SimulatedPlex, then: list[ServiceCall], otherwise: list[ServiceCall]
) -> None:
    await back_up(house)
    await server.stop_listening()
    await house.passes(14 * 60)
    assert results(then) == results(otherwise) == []
    await house.passes(3 * 60)
    assert results(then) == []
    assert results(otherwise) == ["failed"]


@pytest.mark.usefixtures("loaded")
async def test_backup_that_somebody_stops_is_not_followed(
    house: House,
    server: SimulatedPlex,
    then: list[ServiceCall],
    otherwise: list[ServiceCall],
) -> None:
    await back_up(house)
    await house.passes(60)
    await house.act(DOMAIN, "stop_task", task="backup_database")
    await house.passes(3600, step=60)
    assert results(then) == []
    assert results(otherwise) == ["stopped"]
    trace = await last_trace(house)
    assert trace["script_execution"] == "aborted"


@pytest.mark.usefixtures("loaded")
async def test_backup_that_takes_too_long_is_not_followed(
    house: House, server: SimulatedPlex, then: list[ServiceCall], otherwise: list[ServiceCall]
) -> None:
    await back_up(house, longest_run={"hours": 0, "minutes": 10, "seconds": 0})
    await house.passes(590)
    assert results(otherwise) == []
    await house.passes(20)
    assert results(otherwise) == ["timeout"]
    assert server.butler.running == {BACKUP}
    await house.passes(3600, step=60)
    assert results(then) == []


@pytest.mark.usefixtures("loaded")
async def test_backup_that_cannot_be_started_is_not_followed(
    house: House,
    server: SimulatedPlex,
    then: list[ServiceCall],
    otherwise: list[ServiceCall],
) -> None:
    await server.stop_listening()
    await back_up(house)
    await house.passes(3600, step=60)
    assert results(then) == []
    assert results(otherwise) == ["failed"]
    trace = await last_trace(house)
    assert trace["script_execution"] == "aborted"
    step = "action/1/repeat/sequence/1"
    assert step in errors(trace)
    assert "cannot be reached" in trace["trace"][step][0]["error"]


@pytest.mark.usefixtures("loaded")
async def test_without_a_backup_nothing_is_done_if_the_user_wants_nothing(
    house: House, server: SimulatedPlex, then: list[ServiceCall]
) -> None:
    await server.stop_listening()
    await back_up(house, otherwise_actions=[])
    await house.passes(3600, step=60)
    assert results(then) == []
    assert runs(house) == 0


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("named", [True, False])
async def test_backup_of_one_of_two_servers_or_of_both(
    house: House,
    server: SimulatedPlex,
    entry: MockConfigEntry,
    then: list[ServiceCall],
    otherwise: list[ServiceCall],
    *,
    named: bool,
) -> None:
    server.butler.profiles[BACKUP] = Profile(duration=300)
    async with SimulatedPlex(machine_identifier="f" * 40, friendly_name="Attic") as attic:
        attic.butler.profiles[BACKUP] = Profile(duration=300)
        added = await house.set_up(entry_for(attic), attic)
        await back_up(house, server=entry.entry_id if named else "", wait_minutes=0)
        await house.passes(310)
        # The second one cannot be made.
        await house.act(DOMAIN, "stop_all", config_entry_id=added.entry_id)
        assert commands(server) == ["POST /butler/BackupDatabase"]
        assert results(then) == ["finished"]
        assert results(otherwise) == [] if named else ["stopped"]
        posted = [] if named else ["POST /butler/BackupDatabase"]
        assert commands(attic) == [*posted, "DELETE /butler"]
        trace = await last_trace(house)
        assert trace["script_execution"] == ("finished" if named else "aborted")
        assert runs(house) == 0


async def test_server_that_is_not_set_up_has_made_no_backup(
    hass: HomeAssistant,
    house: House,
    loaded: MockConfigEntry,
    then: list[ServiceCall],
    otherwise: list[ServiceCall],
) -> None:
    await hass.config_entries.async_unload(loaded.entry_id)
    await back_up(house)
    assert results(then) == []
    assert results(otherwise) == ["failed"]


async def test_without_a_server_there_is_no_backup(
    house: House, then: list[ServiceCall], otherwise: list[ServiceCall]
) -> None:
    await back_up(house)
    assert results(then) == results(otherwise) == []
    assert (await last_trace(house))["script_execution"] == "aborted"
