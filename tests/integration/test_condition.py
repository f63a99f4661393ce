"""The condition, in automations and scripts as users build them."""

from typing import Any

from homeassistant.components.script import DOMAIN as SCRIPT
from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_mock_service

from custom_components.plex_butler.const import DOMAIN
from tests.conftest import House, entry_for
from tests.integration.asked import Asked, is_running
from tests.integration.automations import device_id
from tests.simulator import SimulatedPlex
from tests.task_names import BACKUP, DEEP, INTROS, OPTIMIZE


@pytest.fixture
def asked(hass: HomeAssistant) -> Asked:
    """Automations with conditions."""
    return Asked(hass)


@pytest.mark.usefixtures("loaded")
async def test_by_key_by_name_and_any(house: House, server: SimulatedPlex, asked: Asked) -> None:
    await asked.set_up(
        {
            "any": is_running(),
            "none chosen": is_running(task=[]),
            "key": is_running(task="generate_intro_markers"),
            "name": is_running(task=INTROS),
            "several": is_running(task=["backup_database", INTROS]),
            "another": is_running(task=["backup_database", DEEP]),
            "unknown": is_running(task="BrewCoffee"),
            "not": {"condition": "not", "conditions": [is_running(task=INTROS)]},
        }
    )
    assert await asked.met() == {"not"}
    await house.act(DOMAIN, "start_task", task=INTROS)
    assert await asked.met() == {"any", "none chosen", "key", "name", "several"}
    await house.passes(10)
    assert await asked.met() == {"any", "none chosen", "key", "name", "several"}
    await house.act(DOMAIN, "start_task", task=BACKUP)
    await house.act(DOMAIN, "stop_task", task=INTROS)
    assert await asked.met() == {"any", "none chosen", "several", "another", "not"}
    await house.act(DOMAIN, "stop_all")
    assert await asked.met() == {"not"}


async def test_by_server(
    hass: HomeAssistant, house: House, server: SimulatedPlex, entry: MockConfigEntry, asked: Asked
) -> None:
    async with SimulatedPlex(machine_identifier="f" * 40, friendly_name="Attic") as attic:
        attic_entry = entry_for(attic)
        await house.set_up(entry, server)
        await house.set_up(attic_entry, attic)
        for one in (entry, attic_entry):
            assert await hass.config_entries.async_unload(one.entry_id)
        in_attic, in_cellar = ({"device_id": device_id(hass, one)} for one in (attic_entry, entry))
        await asked.set_up(
            {
                "any": is_running(),
                "attic": is_running(in_attic),
                "attic, intros": is_running(in_attic, task=INTROS),
                "attic, backup": is_running(in_attic, task=BACKUP),
                "cellar": is_running(in_cellar),
                "cellar, intros": is_running(in_cellar, task=INTROS),
                "unknown": is_running({"device_id": "0" * 32}),
            }
        )
        assert await asked.met() == set()
        for one in (entry, attic_entry):
            assert await hass.config_entries.async_setup(one.entry_id)
        await house.settled()
        assert await asked.met() == set()
        await house.act(
            DOMAIN,
            "start_task",
            config_entry_id=attic_entry.entry_id,
            task="generate_intro_markers",
        )
        assert await asked.met() == {"any", "attic", "attic, intros"}
        await house.act(DOMAIN, "start_task", config_entry_id=entry.entry_id, task=BACKUP)
        assert await asked.met() == {"any", "attic", "attic, intros", "cellar"}
        await attic.stop_listening()
        await house.settled()
        assert house.state(attic, "binary_sensor", "server").state == STATE_OFF
        assert await asked.met() == {"any", "cellar"}


async def test_of_a_server_that_is_away_or_not_loaded_nothing_is_known(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry, asked: Asked
) -> None:
    named = is_running({"device_id": device_id(hass, loaded)})
    await asked.set_up({"any": is_running(), "named": named})
    await house.act(DOMAIN, "start_task", task="generate_intro_markers")
    assert await asked.met() == {"any", "named"}
    server.faults.maintenance = True
    await house.passes(5)
    assert house.state(server, "switch", f"task_{INTROS}").state == STATE_UNAVAILABLE
    assert await asked.met() == set()
    server.faults.maintenance = False
    await house.passes(30)
    assert await asked.met() == {"any", "named"}
    assert await hass.config_entries.async_unload(loaded.entry_id)
    assert await asked.met() == set()
    assert await hass.config_entries.async_setup(loaded.entry_id)
    await house.settled()
    assert await asked.met() == {"any", "named"}
    assert await hass.config_entries.async_remove(loaded.entry_id)
    assert await asked.met() == set()


@pytest.mark.usefixtures("loaded")
async def test_maintenance_of_which_plex_names_no_task_is_no_running_task(
    house: House, server: SimulatedPlex, asked: Asked
) -> None:
    await asked.set_up({"any": is_running(), "deep": is_running(task=DEEP)})
    server.butler.start(DEEP)
    await house.passes(5)
    assert house.state(server, "binary_sensor", "maintenance").state == STATE_ON
    assert await asked.met() == set()


@pytest.mark.usefixtures("loaded", "without_stream")
async def test_start_counts_once_it_is_confirmed(
    house: House, server: SimulatedPlex, asked: Asked
) -> None:
    await asked.set_up({"any": is_running()})
    server.faults.drop_reply = True
    with pytest.raises(HomeAssistantError):
        await house.act(DOMAIN, "start_task", task=INTROS)
    assert await asked.met() == set()
    await house.passes(10)
    assert await asked.met() == {"any"}


@pytest.mark.usefixtures("loaded")
async def test_task_that_freezes_its_server_is_running(
    house: House, server: SimulatedPlex, asked: Asked
) -> None:
    await asked.set_up({"optimize": is_running(task="optimize_database")})
    await house.act(DOMAIN, "start_task", task=OPTIMIZE)
    await house.passes(120, step=30)
    assert house.state(server, "binary_sensor", "server").attributes["busy"] is True
    assert await asked.met() == {"optimize"}


@pytest.mark.usefixtures("loaded")
async def test_in_a_script(hass: HomeAssistant, house: House, server: SimulatedPlex) -> None:
    calls = async_mock_service(hass, "test", "met")
    script = {
        "sequence": [
            {
                "if": [is_running(task=["generate_intro_markers"])],
                "then": [{"action": "test.met", "data": {"is": "running"}}],
                "else": [{"action": "test.met", "data": {"is": "resting"}}],
            }
        ]
    }
    assert await async_setup_component(hass, SCRIPT, {SCRIPT: {"look": script}})
    await house.act(SCRIPT, "look")
    await house.act(DOMAIN, "start_task", task=INTROS)
    await house.act(SCRIPT, "look")
    assert [call.data["is"] for call in calls] == ["resting", "running"]


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    "invalid",
    [
        is_running(task={"key": "backup_database"}),
        is_running(task=[["backup_database"]]),
        is_running(config_entry_id="01J0000000000000000000000"),
        is_running(outcome="finished"),
        is_running() | {"options": "backup_database"},
        is_running({"entity_id": "backup_database"}),
        is_running() | {"target": {}},
        is_running({"device_id": []}),
        is_running() | {"condition": f"{DOMAIN}.task_is_resting"},
    ],
)
async def test_what_makes_no_sense_is_refused(
    hass: HomeAssistant, asked: Asked, invalid: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    await asked.set_up({"Invalid": invalid})
    state = hass.states.get("automation.invalid")
    assert state
    assert state.state == STATE_UNAVAILABLE
    assert "Automation with alias 'Invalid' failed to setup conditions" in caplog.text
