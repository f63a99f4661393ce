"""The sensors of the server: which task runs, which ran last, and how many run."""

from datetime import timedelta

from homeassistant.components.event import DOMAIN as EVENT
from homeassistant.components.sensor import DOMAIN as SENSOR
from homeassistant.const import STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_butler.const import DOMAIN
from tests.conftest import House
from tests.integration.enabled import enable
from tests.simulator import Profile, SimulatedPlex
from tests.task_names import BACKUP, DEEP, INTROS, THUMBS


def current(house: House, server: SimulatedPlex) -> tuple[str, list[str]]:
    """Return what *Current task* shows."""
    state = house.state(server, SENSOR, "current_task")
    return state.state, state.attributes["tasks"]


def last(house: House, server: SimulatedPlex) -> tuple[str, list[str], str | None]:
    """Return what *Last task* shows."""
    state = house.state(server, SENSOR, "last_task")
    return state.state, state.attributes["tasks"], state.attributes["outcome"]


@pytest.mark.usefixtures("loaded")
async def test_current_task_is_shown_in_words(house: House, server: SimulatedPlex) -> None:
    assert current(house, server) == ("nothing", [])
    await house.act(DOMAIN, "start_task", task=INTROS)
    assert current(house, server) == ("generate_intro_markers", ["generate_intro_markers"])
    await house.act(DOMAIN, "start_task", task=DEEP)
    both = ["generate_intro_markers", "deep_media_analysis"]
    assert current(house, server) == ("several", both)
    await house.act(DOMAIN, "stop_task", task=INTROS)
    assert current(house, server) == ("deep_media_analysis", ["deep_media_analysis"])
    await house.act(DOMAIN, "stop_all")
    await house.passes(30)
    assert current(house, server) == ("nothing", [])


@pytest.mark.usefixtures("loaded")
async def test_task_that_plex_does_not_tell(house: House, server: SimulatedPlex) -> None:
    server.activities.work(40)
    await house.passes(5)
    assert current(house, server) == ("not_told", [])


async def test_task_that_is_not_known(
    house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    server.butler.add_task("BrewCoffee")
    server.butler.profiles["BrewCoffee"] = Profile(duration=20)
    await house.set_up(entry, server)
    await house.act(DOMAIN, "start_task", task="BrewCoffee")
    assert current(house, server) == ("another_task", ["BrewCoffee"])
    await house.passes(60)
    assert last(house, server) == ("another_task", ["BrewCoffee"], "finished")


async def test_last_task_is_the_one_that_ended_last_also_after_a_restart(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    assert last(house, server) == (STATE_UNKNOWN, [], None)
    await house.act(DOMAIN, "start_task", task=BACKUP)
    await house.passes(60)
    began = dt_util.utcnow()
    await house.act(DOMAIN, "start_task", task=THUMBS)
    await house.passes(60)
    of_thumbs = ("generate_chapter_thumbs", ["generate_chapter_thumbs"], "finished")
    assert last(house, server) == of_thumbs
    shown = house.state(server, SENSOR, "last_task").attributes
    assert {key: shown[key] for key in ("started", "ended", "duration", "known_by")} == {
        "started": began.isoformat(),
        "ended": (began + timedelta(seconds=10)).isoformat(),
        "duration": 10,
        "known_by": "observed",
    }
    assert await hass.config_entries.async_reload(loaded.entry_id)
    await house.settled()
    assert last(house, server) == of_thumbs
    assert house.state(server, SENSOR, "last_task").attributes == shown
    # One that ran before, once more.
    await house.act(DOMAIN, "start_task", task=BACKUP)
    await house.passes(60)
    assert last(house, server)[0] == "backup_database"


@pytest.mark.usefixtures("loaded")
async def test_count_and_event_are_for_those_who_enable_them(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    for platform, key in ((SENSOR, "running_tasks"), (EVENT, "task_activity")):
        entity_id = house.entity_id(server, platform, key)
        registered = er.async_get(hass).async_get(entity_id)
        assert registered
        assert registered.disabled_by is er.RegistryEntryDisabler.INTEGRATION
        assert hass.states.get(entity_id) is None


async def test_number_of_running_tasks(
    hass: HomeAssistant, house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    enable(hass, entry, server, SENSOR, "running_tasks")
    await house.set_up(entry, server)
    for number, task in enumerate((INTROS, DEEP), start=1):
        await house.act(DOMAIN, "start_task", task=task)
        state = house.state(server, SENSOR, "running_tasks")
        assert state.state == str(number)
        assert len(state.attributes["tasks"]) == number
        assert state.attributes["state_class"] == "measurement"
