"""Morning report: what it says of a night."""

from datetime import timedelta

from homeassistant.components.blueprint.models import Blueprint
from homeassistant.core import HomeAssistant
from homeassistant.helpers.template import Template
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_mock_service,
)

from custom_components.plex_butler.const import DOMAIN
from custom_components.plex_butler.runs.tasks import KNOWN_TASKS
from tests.conftest import entry_for
from tests.integration.blueprints.automations import (
    errors,
    last_trace,
    logged_errors,
    soon,
    use,
)
from tests.integration.patient_house import House
from tests.repository import load
from tests.simulator import Profile, SimulatedPlex
from tests.task_names import BACKUP, INTROS


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("known_server", [False, True])
async def test_morning_report_tells_what_ran_and_first_what_did_not_end_well(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
    *,
    known_server: bool,
) -> None:
    told = async_mock_service(hass, "persistent_notification", "create")
    server.butler.profiles[BACKUP] = Profile(duration=1)
    server.faults.row_always_100 = True
    await house.act(DOMAIN, "start_task", task=INTROS)
    await house.passes(20)
    await house.act(DOMAIN, "stop_task", task=INTROS)
    await house.act(DOMAIN, "start_task", task=BACKUP)
    await house.passes(60)
    begun = dt_util.now() - timedelta(minutes=5)
    inputs = {"server": loaded.entry_id} if known_server else {}
    await use(house, "morning_report", time=soon(), since=begun.strftime("%H:%M:%S"), **inputs)
    await house.passes(60)
    (call,) = told
    assert not errors(await last_trace(house))
    backup, intros = call.data["message"].split("\n")
    assert backup.endswith("Backup database: end not seen")
    assert intros.endswith("Generate intro markers: stopped after 0:00:20")
    assert call.data["title"] == "What Plex did last night"


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("quiet_nights", [False, True])
async def test_morning_report_of_a_quiet_night(
    hass: HomeAssistant, house: House, *, quiet_nights: bool
) -> None:
    told = async_mock_service(hass, "persistent_notification", "create")
    # Saved as it comes, but for the time.
    inputs = {"quiet_nights": True} if quiet_nights else {}
    await use(house, "morning_report", time=soon(), **inputs)
    await house.passes(60)
    assert [call.data["message"] for call in told] == (
        ["Nothing was seen to run."] if quiet_nights else []
    )


@pytest.mark.usefixtures("loaded")
async def test_morning_report_of_two_servers_says_which(hass: HomeAssistant, house: House) -> None:
    told = async_mock_service(hass, "test", "tell")
    data = {name: f"{{{{ {name} }}}}" for name in ("message", "runs", "bad")}
    async with SimulatedPlex(machine_identifier="f" * 40, friendly_name="Attic") as attic:
        attic.butler.profiles[INTROS] = Profile(activity="media.generate.intros", items=1)
        await house.set_up(entry_for(attic), attic)
        attic.butler.start(INTROS)
        await house.passes(60)
        actions = [{"action": "test.tell", "data": data}]
        await use(house, "morning_report", time=soon(), since="00:00:00", actions=actions)
        await house.passes(60)
        [call] = told
        assert " Attic, Generate intro markers: " in call.data["message"]
        [run] = call.data["runs"]
        assert run["server"] == "Attic"
        assert call.data["bad"] == []


@pytest.mark.usefixtures("loaded")
async def test_morning_report_of_a_server_that_is_not_set_up_says_so(
    hass: HomeAssistant, house: House, caplog: pytest.LogCaptureFixture
) -> None:
    told = async_mock_service(hass, "persistent_notification", "create")
    async with SimulatedPlex(machine_identifier="f" * 40, friendly_name="Attic") as attic:
        entry = await house.set_up(entry_for(attic), attic)
        await hass.config_entries.async_unload(entry.entry_id)
        await use(house, "morning_report", time=soon(), quiet_nights=True)
        await house.passes(60)
    [call] = told
    assert call.data["message"].splitlines() == [
        "Nothing was seen to run.",
        "Attic is not set up at the moment: what it did is not known.",
    ]
    assert not logged_errors(caplog)


async def test_morning_report_names_each_task_as_its_switch(
    hass: HomeAssistant, blueprints: dict[str, Blueprint]
) -> None:
    steps = blueprints["morning_report"].data["actions"]
    (message,) = (
        step["variables"]["message"] for step in steps if "bad" in step.get("variables", {})
    )
    run = {"outcome": "finished", "duration": None, "started": dt_util.utcnow().isoformat()}
    runs = [run | {"task": task.key, "name": task.name} for task in KNOWN_TASKS]
    variables = {"servers": ["1"], "unknown": [], "bad": [], "runs": runs}
    report = Template(message, hass).async_render(variables)
    switches = load("translations/en.json")["entity"]["switch"]
    assert [line.split(" ", 1)[1] for line in report.split("\n")] == [
        f"{switches[task.key]['name']}: finished" for task in KNOWN_TASKS
    ]
