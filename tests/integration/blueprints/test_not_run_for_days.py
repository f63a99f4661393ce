"""Tell me if a task has not run: which tasks are overdue."""

from typing import Any, Final

from homeassistant.core import HomeAssistant, ServiceCall
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_mock_service,
)

from custom_components.plex_butler.const import DOMAIN
from tests.conftest import entry_for
from tests.integration.blueprints.automations import (
    errors,
    last_trace,
    logged_errors,
    soon,
    use,
)
from tests.integration.patient_house import House
from tests.simulator import SimulatedPlex
from tests.task_names import INTROS, LOUDNESS


@pytest.fixture
def told(hass: HomeAssistant) -> list[ServiceCall]:
    """What the user was told."""
    return async_mock_service(hass, "test", "tell")


async def look_daily(house: House, *tasks: str, **inputs: Any) -> None:
    """Set the automation up, and let a minute pass less than until its time."""
    tell = {
        "action": "test.tell",
        "data": {"overdue": "{{ overdue }}", "message": "{{ message }}"},
    }
    chosen = {"tasks": list(tasks), "days": 2, "time": soon(), "actions": [tell]}
    await use(house, "not_run_for_days", **chosen | inputs)


DAY: Final = 24 * 3600


async def days_pass(house: House, days: int) -> None:
    """Let days pass, a little more than an hour at a time."""
    await house.passes(days * DAY, step=4000)


@pytest.mark.usefixtures("loaded")
async def test_task_that_was_never_seen_counts_from_the_day_the_server_was_added(
    house: House, told: list[ServiceCall]
) -> None:
    added = dt_util.now().strftime("%Y-%m-%d")
    await look_daily(house, "backup_database", "refresh_libraries")
    await days_pass(house, 2)
    assert told == []
    await house.passes(120)
    [call] = told
    assert call.data["overdue"] == ["backup_database", "refresh_libraries"]
    begin = "Home Assistant began to watch the server on"
    assert call.data["message"] == (
        f"Backup Database has not been seen to run since {begin} {added}.\n"
        f"Refresh Libraries has not been seen to run since {begin} {added}."
    )
    await days_pass(house, 1)
    assert len(told) == 2


@pytest.mark.usefixtures("loaded")
async def test_only_what_has_not_run_for_so_long_is_told(
    house: House, server: SimulatedPlex, told: list[ServiceCall]
) -> None:
    server.butler.profiles[INTROS].item_seconds = 60
    await house.act(DOMAIN, "start_task", task="backup_database")
    await house.passes(60)
    await house.act(DOMAIN, "stop_task", task="backup_database")
    stopped = dt_util.now().strftime("%Y-%m-%d")
    await look_daily(house, "backup_database", "generate_intro_markers", "loudness_analysis")
    await days_pass(house, 1)
    await house.act(DOMAIN, "start_task", task="generate_intro_markers")
    await house.passes(1200)
    server.butler.start(LOUDNESS)
    await days_pass(house, 1)
    [call] = told
    assert call.data["overdue"] == ["backup_database"]
    assert call.data["message"] == f"Backup Database has not been seen to run since {stopped}."


@pytest.mark.usefixtures("loaded")
async def test_task_that_runs_now_is_not_told_of(
    house: House, server: SimulatedPlex, told: list[ServiceCall]
) -> None:
    server.butler.profiles[LOUDNESS].item_seconds = 10 * DAY
    await look_daily(house, "loudness_analysis")
    server.butler.start(LOUDNESS)
    await days_pass(house, 4)
    assert told == []


@pytest.mark.usefixtures("loaded")
async def test_task_may_be_given_by_its_own_name(house: House, told: list[ServiceCall]) -> None:
    await look_daily(house, "BackupDatabase")
    await days_pass(house, 3)
    assert [call.data["overdue"] for call in told] == [["backup_database"]]


@pytest.mark.usefixtures("loaded")
async def test_task_that_the_server_does_not_list_is_not_told_of(
    house: House, server: SimulatedPlex, told: list[ServiceCall]
) -> None:
    server.faults.unknown_task = True
    await look_daily(house, "build_gracenote_collections", "ButlerTaskPolishSilverware")
    await days_pass(house, 3)
    assert [call.data["overdue"] for call in told] == [["ButlerTaskPolishSilverware"]]


@pytest.mark.usefixtures("loaded")
async def test_nothing_is_told_while_the_server_does_not_answer(
    house: House,
    server: SimulatedPlex,
    told: list[ServiceCall],
    caplog: pytest.LogCaptureFixture,
) -> None:
    await look_daily(house, "backup_database")
    await server.stop_listening()
    await days_pass(house, 4)
    assert told == []
    assert not errors(await last_trace(house))
    assert not logged_errors(caplog)
    await server.listen()
    await house.passes(40)
    await days_pass(house, 1)
    assert len(told) == 1


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("named", [True, False])
async def test_one_of_two_servers_is_looked_at_or_both(
    house: House,
    entry: MockConfigEntry,
    told: list[ServiceCall],
    *,
    named: bool,
) -> None:
    async with SimulatedPlex(machine_identifier="f" * 40, friendly_name="Attic") as attic:
        await house.set_up(entry_for(attic), attic)
        await look_daily(house, "backup_database", server=entry.entry_id if named else "")
        await days_pass(house, 3)
        [call] = told
        assert call.data["overdue"] == ["backup_database"]
        lines = call.data["message"].splitlines()
        assert [line.partition(" has not")[0] for line in lines] == (
            ["Backup Database"]
            if named
            else ["Backup Database on Cellar", "Backup Database on Attic"]
        )


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("scheduled", [True, False])
async def test_untouched_it_looks_at_what_plex_was_seen_to_run_by_itself(
    house: House, server: SimulatedPlex, told: list[ServiceCall], *, scheduled: bool
) -> None:
    """Nothing is told of a task that nobody can see, nor of one that a user has started."""
    for name in (INTROS, LOUDNESS):
        server.butler.profiles[name].item_seconds = 60
    server.butler.start(INTROS)
    await house.act(DOMAIN, "start_task", task="loudness_analysis")
    await house.passes(1200)
    await look_daily(house)
    if not scheduled:
        await house.act(DOMAIN, "set_schedule", never="generate_intro_markers")
    await days_pass(house, 3)
    assert [call.data["overdue"] for call in told] == (
        [["generate_intro_markers"]] if scheduled else []
    )
