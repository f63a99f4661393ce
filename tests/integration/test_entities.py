"""Switches, buttons and sensors, seen through the state machine and the registries."""

from datetime import datetime
from typing import Any

from homeassistant.components.button import DOMAIN as BUTTON, SERVICE_PRESS
from homeassistant.components.calendar import DOMAIN as CALENDAR
from homeassistant.components.switch import DOMAIN as SWITCH
from homeassistant.const import (
    ATTR_ASSUMED_STATE,
    EVENT_STATE_CHANGED,
    EVENT_STATE_REPORTED,
    SERVICE_TURN_OFF,
    SERVICE_TURN_ON,
    STATE_OFF,
    STATE_ON,
    STATE_UNAVAILABLE,
    EntityCategory,
)
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.helpers import device_registry as dr, entity_registry as er
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from yarl import URL

from custom_components.plex_butler.const import DOMAIN
from tests.conftest import House, entry_for
from tests.simulator import SimulatedPlex

BACKUP = "task_BackupDatabase"
INTROS = "task_ButlerTaskGenerateIntroMarkers"


def sent(server: SimulatedPlex, method: str) -> list[str]:
    """Return the paths of what was sent by a method, in order."""
    return [request.path for request in server.requests if request.method == method]


async def turn(house: House, server: SimulatedPlex, key: str, *, on: bool) -> None:
    await house.act(
        SWITCH,
        SERVICE_TURN_ON if on else SERVICE_TURN_OFF,
        entity_id=house.entity_id(server, SWITCH, key),
    )


@pytest.mark.usefixtures("loaded")
async def test_every_listed_task_has_a_switch_and_more_that_is_disabled(
    hass: HomeAssistant, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    registered = {
        (entity.domain, entity.unique_id): entity
        for entity in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id)
    }
    for name in server.butler.tasks:
        for platform, category in (
            (SWITCH, EntityCategory.CONFIG),
            (BUTTON, EntityCategory.CONFIG),
            ("sensor", EntityCategory.DIAGNOSTIC),
        ):
            entity = registered[platform, f"{server.machine_identifier}_task_{name}"]
            assert entity.entity_category is category
            enabled = platform == SWITCH and name != "AutomaticUpdates"
            assert (entity.disabled_by is None) is enabled
    schedule = (
        ("select", f"{server.machine_identifier}_window_start"),
        (
            "switch",
            f"{server.machine_identifier}_scheduled_BackupDatabase",
        ),
    )
    assert registered.keys() >= {*schedule}
    assert len(registered) == 3 * len(server.butler.tasks) + 10 + 2 + 8 + 10


@pytest.mark.usefixtures("loaded")
async def test_names_and_device(
    hass: HomeAssistant, house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    for platform, key, name in (
        (SWITCH, BACKUP, "Backup database"),
        (BUTTON, "start_all", "Start all tasks"),
        (BUTTON, "stop_all", "Stop all tasks"),
        ("binary_sensor", "being_watched", "Being watched"),
        ("binary_sensor", "maintenance", "Maintenance"),
        ("binary_sensor", "server", "Server"),
        ("sensor", "current_task", "Current task"),
        ("sensor", "last_task", "Last task"),
        ("calendar", "maintenance", "Maintenance"),
    ):
        state = house.state(server, platform, key)
        assert state.name == f"{server.friendly_name} {name}"
    device = dr.async_get(hass).async_get_device_by_identifier(
        (DOMAIN, server.machine_identifier), entry.entry_id
    )
    assert device
    assert (device.name, device.manufacturer, device.sw_version, device.entry_type) == (
        server.friendly_name,
        "Plex",
        server.version,
        dr.DeviceEntryType.SERVICE,
    )


@pytest.mark.usefixtures("loaded", "without_stream")
async def test_switch_starts_a_task_and_shows_what_is_seen_of_it(
    house: House, server: SimulatedPlex
) -> None:
    assert house.state(server, SWITCH, INTROS).state == STATE_OFF
    await turn(house, server, INTROS, on=True)
    assert sent(server, "POST") == ["/butler/ButlerTaskGenerateIntroMarkers"]
    state = house.state(server, SWITCH, INTROS)
    assert (state.state, state.attributes[ATTR_ASSUMED_STATE]) == (STATE_ON, True)
    await house.passes(10)
    state = house.state(server, SWITCH, INTROS)
    assert state.state == STATE_ON
    assert ATTR_ASSUMED_STATE not in state.attributes
    assert house.state(server, "binary_sensor", "maintenance").state == STATE_ON
    state = house.state(server, "sensor", "current_task")
    assert (state.state, state.attributes["tasks"]) == (
        "generate_intro_markers",
        ["generate_intro_markers"],
    )


@pytest.mark.usefixtures("loaded")
async def test_switch_stops_a_task_at_once(house: House, server: SimulatedPlex) -> None:
    await turn(house, server, INTROS, on=True)
    await house.passes(10)
    await turn(house, server, INTROS, on=False)
    assert sent(server, "DELETE") == ["/butler/ButlerTaskGenerateIntroMarkers"]
    assert house.state(server, SWITCH, INTROS).state == STATE_OFF
    await house.passes(300)
    assert house.state(server, SWITCH, INTROS).state == STATE_OFF
    assert house.state(server, "binary_sensor", "maintenance").state == STATE_OFF


@pytest.mark.usefixtures("loaded", "without_stream")
async def test_instant_task_is_on_for_its_grace_only(house: House, server: SimulatedPlex) -> None:
    await turn(house, server, BACKUP, on=True)
    await house.passes(25)
    assert house.state(server, SWITCH, BACKUP).state == STATE_ON
    await house.passes(10)
    assert house.state(server, SWITCH, BACKUP).state == STATE_OFF


@pytest.mark.usefixtures("loaded")
async def test_turning_off_an_idle_task_is_no_error(house: House, server: SimulatedPlex) -> None:
    await turn(house, server, BACKUP, on=False)
    assert sent(server, "DELETE") == ["/butler/BackupDatabase"]
    assert house.state(server, SWITCH, BACKUP).state == STATE_OFF


async def test_buttons(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    button = house.entity_id(server, BUTTON, BACKUP)
    assert button == "button.cellar_backup_database_run"
    er.async_get(hass).async_update_entity(button, disabled_by=None)
    assert await hass.config_entries.async_reload(loaded.entry_id)
    await house.settled()
    assert house.state(server, BUTTON, BACKUP).name == "Cellar Backup database: run"
    for key in (BACKUP, "start_all", "stop_all"):
        await house.act(BUTTON, SERVICE_PRESS, entity_id=house.entity_id(server, BUTTON, key))
    assert sent(server, "POST") == ["/butler/BackupDatabase", "/butler"]
    assert sent(server, "DELETE") == ["/butler"]


@pytest.mark.usefixtures("loaded")
async def test_work_of_the_nightly_schedule_is_seen(house: House, server: SimulatedPlex) -> None:
    server.butler.start("ButlerTaskGenerateIntroMarkers")
    await house.passes(30)
    state = house.state(server, SWITCH, INTROS)
    assert state.state == STATE_ON
    assert ATTR_ASSUMED_STATE not in state.attributes
    assert not sent(server, "POST")


@pytest.mark.usefixtures("loaded")
async def test_schedule_of_a_task_is_an_attribute(house: House, server: SimulatedPlex) -> None:
    assert house.state(server, SWITCH, BACKUP).attributes["schedule_enabled"] is True
    server.faults.missing_enabled = True
    await house.passes(3600, step=300)
    assert house.state(server, SWITCH, BACKUP).attributes["schedule_enabled"] is None


@pytest.mark.usefixtures("loaded")
async def test_idle_hour_writes_no_state(hass: HomeAssistant, house: House) -> None:
    def reported() -> dict[str, datetime]:
        # The window of a night may begin or end meanwhile, which the calendar shows.
        return {
            state.entity_id: state.last_reported
            for state in hass.states.async_all()
            if state.domain != CALENDAR
        }

    await house.passes(30, step=30)
    before = reported()
    await house.passes(3600, step=30)
    assert reported() == before


@pytest.mark.usefixtures("loaded")
async def test_two_servers_do_not_mix(house: House, server: SimulatedPlex) -> None:
    async with SimulatedPlex(machine_identifier="f" * 40, friendly_name="Attic") as attic:
        await house.set_up(entry_for(attic), attic)
        await turn(house, attic, INTROS, on=True)
        await house.passes(10)
        assert house.state(attic, SWITCH, INTROS).state == STATE_ON
        assert house.state(server, SWITCH, INTROS).state == STATE_OFF
        assert not sent(server, "POST")
        server.requests.clear()
        await attic.stop_listening()
        await house.passes(60, step=30)
        assert house.state(attic, SWITCH, INTROS).state == STATE_UNAVAILABLE
        assert house.state(server, SWITCH, INTROS).state == STATE_OFF
        await attic.listen()


@pytest.mark.usefixtures("without_stream")
async def test_update_that_a_user_asks_for_reads_the_list_of_tasks_too(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    assert await async_setup_component(hass, "homeassistant", {})
    await house.passes(35)
    server.butler.add_task("BrewCoffee", title="Brew Coffee")
    server.requests.clear()
    await house.act(
        "homeassistant",
        "update_entity",
        entity_id=house.entity_id(server, "binary_sensor", "maintenance"),
    )
    assert "/butler" in {request.path for request in server.requests}
    assert house.state(server, "switch", "task_BrewCoffee")


async def test_devices_and_entities_of_servers_of_one_name_are_told_apart(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    def shown() -> list[tuple[str | None, str]]:
        registry, devices = er.async_get(hass), dr.async_get(hass)
        return [
            (device.name, registry_entry.entity_id)
            for entry in hass.config_entries.async_entries(DOMAIN)
            for device in dr.async_entries_for_config_entry(devices, entry.entry_id)
            for registry_entry in er.async_entries_for_config_entry(registry, entry.entry_id)
            if registry_entry.unique_id.endswith("_maintenance")
            and registry_entry.domain == "binary_sensor"
        ]

    async with (
        SimulatedPlex(friendly_name="Cellar", machine_identifier="b" * 40) as second,
        SimulatedPlex(friendly_name="Cellar", machine_identifier="c" * 40) as third,
    ):
        entries = [
            loaded,
            await house.set_up(entry_for(second), second),
            await house.set_up(entry_for(third), third),
        ]
        port = URL(third.url).port
        expected = [
            ("Cellar", "binary_sensor.cellar_maintenance"),
            ("Cellar (127.0.0.1)", "binary_sensor.cellar_127_0_0_1_maintenance"),
            (f"Cellar (127.0.0.1:{port})", f"binary_sensor.cellar_127_0_0_1_{port}_maintenance"),
        ]
        assert shown() == expected
        for entry in reversed(entries):
            await hass.config_entries.async_reload(entry.entry_id)
        await house.settled()
        assert shown() == expected
        # A name that is given later is told apart as well.
        second.friendly_name = third.friendly_name = "Attic"
        await house.passes(3700, step=300)
        assert sorted(str(name) for name, _ in shown()) == ["Attic", "Attic (127.0.0.1)", "Cellar"]
        for entry in entries:
            await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.usefixtures("loaded")
async def test_first_change_after_a_set_up_writes_only_what_it_changes(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    written: list[str] = []

    @callback
    def keep(event: Event[Any]) -> None:
        written.append(event.data["entity_id"])

    hass.bus.async_listen(EVENT_STATE_CHANGED, keep)
    hass.bus.async_listen(EVENT_STATE_REPORTED, keep, event_filter=callback(lambda _: True))
    server.activities.work(40)
    await house.sent()
    assert set(written) == {
        house.entity_id(server, "binary_sensor", "maintenance"),
        house.entity_id(server, "sensor", "current_task"),
    }
    assert len(written) == 2
