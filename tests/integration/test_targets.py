"""Triggers and conditions by target, as the automation editor offers them first."""

from typing import Any, Final

from homeassistant.components.automation import DOMAIN as AUTOMATION
from homeassistant.config_entries import ConfigEntryState
from homeassistant.core import HomeAssistant
from homeassistant.helpers import (
    area_registry as ar,
    device_registry as dr,
    entity_registry as er,
    floor_registry as fr,
    label_registry as lr,
)
from homeassistant.helpers.target import TargetSelection
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_mock_service
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.plex_butler.const import DOMAIN
from tests.conftest import House, entry_for
from tests.integration.asked import Asked, is_running
from tests.integration.automations import automate, device_id, telling, told, trigger
from tests.simulator import SimulatedPlex
from tests.task_names import BACKUP, INTROS, THUMBS

TRIGGERS: Final = ("task_started", "task_ended", "maintenance_started", "maintenance_over")
OF_A_TASK: Final = {f"{DOMAIN}.task_started", f"{DOMAIN}.task_ended"}
OF_A_SERVER: Final = {f"{DOMAIN}.{name}" for name in (*TRIGGERS, "backup_completed")}

can_exclude: Final = pytest.mark.skipif(
    "exclude" not in TargetSelection.__slots__, reason="targets cannot exclude anything yet"
)


def everything(target: dict[str, Any], **options: Any) -> tuple[dict[str, Any], ...]:
    """Return all triggers with this target."""
    return tuple(trigger(name, target, **options) for name in TRIGGERS)


def entity(house: House, server: SimulatedPlex, platform: str, key: str) -> dict[str, Any]:
    """Return a target: one of our entities."""
    return {"entity_id": house.entity_id(server, platform, key)}


async def runs_once(
    house: House, server: SimulatedPlex, task: str, asked: Asked | None = None
) -> set[str]:
    """Let a task run from its start to its stop; return which conditions are met meanwhile."""
    server.butler.start(task)
    await house.settled()
    met = await asked.met() if asked else set[str]()
    server.butler.stop(task)
    await house.passes(15)
    return met


ALL_OF_A_RUN: Final = [
    ("maintenance_started",),
    ("task_started", "generate_intro_markers"),
    ("maintenance_over",),
    ("task_ended", "generate_intro_markers", "finished"),
]


@pytest.mark.usefixtures("loaded")
async def test_device_means_all_tasks_of_its_server(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    er.async_get(hass).async_update_entity(
        house.entity_id(server, "switch", f"task_{INTROS}"), hidden_by=er.RegistryEntryHider.USER
    )
    calls = await automate(hass, *everything({"device_id": device_id(hass, loaded)}))
    await runs_once(house, server, INTROS)
    assert sorted(told(calls)) == sorted(ALL_OF_A_RUN)
    # Its switch is disabled by default.
    await house.act(DOMAIN, "start_task", task="automatic_updates")
    assert ("task_started", "automatic_updates") in told(calls)


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("platform", "key", "means"),
    [
        ("binary_sensor", "maintenance", ALL_OF_A_RUN),
        ("binary_sensor", "server", ALL_OF_A_RUN),
        ("sensor", "running_tasks", ALL_OF_A_RUN),
        ("event", "task_activity", ALL_OF_A_RUN),
        ("select", "window_start", ALL_OF_A_RUN),
        ("switch", f"task_{INTROS}", ALL_OF_A_RUN[1::2]),
        ("sensor", f"task_{INTROS}", ALL_OF_A_RUN[1::2]),
        ("select", f"behavior_{INTROS}", ALL_OF_A_RUN[1::2]),
        ("switch", f"scheduled_{BACKUP}", []),
        ("switch", f"task_{BACKUP}", []),
    ],
)
async def test_entity_means_its_server_or_its_task(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    platform: str,
    key: str,
    means: list[tuple[str, ...]],
) -> None:
    calls = await automate(hass, *everything(entity(house, server, platform, key)))
    await runs_once(house, server, INTROS)
    assert sorted(told(calls)) == sorted(means)


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    "target",
    [
        {"entity_id": "switch.of_nobody"},
        {"entity_id": "switch.of_somebody_else"},
        {"device_id": "0" * 32},
        {"area_id": "nowhere"},
        {"floor_id": "nowhere"},
        {"label_id": "nothing"},
    ],
)
async def test_target_without_anything_of_ours_means_nothing(
    hass: HomeAssistant, house: House, server: SimulatedPlex, target: dict[str, Any]
) -> None:
    other = er.async_get(hass).async_get_or_create("switch", "other", f"x_task_{INTROS}")
    assert er.async_get(hass).async_update_entity(
        other.entity_id, new_entity_id="switch.of_somebody_else"
    )
    calls, asked = async_mock_service(hass, "test", "told"), Asked(hass)
    await asked.set_up({"running": is_running(target)}, telling(*everything(target)))
    assert await runs_once(house, server, INTROS, asked) == set()
    assert told(calls) == []


@pytest.mark.usefixtures("loaded")
async def test_tasks_that_are_chosen_narrow_the_target(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    device, switch = {"device_id": device_id(hass, loaded)}, f"task_{INTROS}"
    calls = await automate(
        hass,
        trigger("task_started", device, task=INTROS) | {"id": "of the device"},
        trigger("task_started", device, task=BACKUP) | {"id": "another of the device"},
        trigger("task_started", entity(house, server, "switch", switch), task=INTROS)
        | {"id": "by its switch"},
        trigger("task_started", entity(house, server, "switch", switch), task=BACKUP)
        | {"id": "another by its switch"},
    )
    await runs_once(house, server, INTROS)
    assert {name for name, _ in told(calls)} == {"of the device", "by its switch"}


async def test_switches_of_two_servers(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    async with SimulatedPlex(machine_identifier="f" * 40, friendly_name="Attic") as attic:
        await house.set_up(entry_for(attic), attic)
        mixed = {
            "entity_id": [
                house.entity_id(server, "switch", f"task_{INTROS}"),
                house.entity_id(attic, "switch", f"task_{THUMBS}"),
            ]
        }
        calls, asked = async_mock_service(hass, "test", "told"), Asked(hass)
        triggers = trigger("task_started", mixed), trigger("maintenance_over", mixed)
        await asked.set_up({"running": is_running(mixed)}, telling(*triggers))
        for where, task, means in (
            (attic, INTROS, False),
            (attic, THUMBS, True),
            (server, THUMBS, False),
            (server, INTROS, True),
        ):
            met = await runs_once(house, where, task, asked)
            assert met == ({"running"} if means else set())
            servers = [call.data["trigger"]["server"] for call in calls]
            assert servers == ([where.friendly_name] if means else [])
            assert [name for name, _ in told(calls)] == (["task_started"] if means else [])


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("moved", ["device", "switch"])
async def test_target_follows_what_changes_later(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
    moved: str,
) -> None:
    floor = fr.async_get(hass).async_create("Ground")
    area = ar.async_get(hass).async_create("Office")
    label = lr.async_get(hass).async_create("Watched")
    targets = {
        "area": {"area_id": area.id},
        "floor": {"floor_id": floor.floor_id},
        "label": {"label_id": label.label_id},
    }

    def change(**what: Any) -> None:
        if moved == "device":
            dr.async_get(hass).async_update_device(device_id(hass, loaded), **what)
        else:
            switch = house.entity_id(server, "switch", f"task_{INTROS}")
            er.async_get(hass).async_update_entity(switch, **what)

    async def meant() -> set[str]:
        met = await runs_once(house, server, INTROS, asked)
        assert {name for name, *_ in told(calls)} == met
        return met

    calls, asked = async_mock_service(hass, "test", "told"), Asked(hass)
    await asked.set_up(
        {name: is_running(target) for name, target in targets.items()},
        telling(*(trigger("task_started", of) | {"id": name} for name, of in targets.items())),
    )
    assert await meant() == set()
    change(area_id=area.id)
    assert await meant() == {"area"}
    ar.async_get(hass).async_update(area.id, floor_id=floor.floor_id)
    assert await meant() == {"area", "floor"}
    change(area_id=None, labels={label.label_id})
    assert await meant() == {"label"}
    change(labels=set())
    assert await meant() == set()


async def test_server_that_was_away_at_the_start(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    assert await hass.config_entries.async_unload(loaded.entry_id)
    await server.stop_listening()
    assert not await hass.config_entries.async_setup(loaded.entry_id)
    assert [entry.state for entry in hass.config_entries.async_entries(DOMAIN)] == [
        ConfigEntryState.SETUP_RETRY
    ]
    switch = entity(house, server, "switch", f"task_{INTROS}")
    device = {"device_id": device_id(hass, loaded)}
    calls = await automate(
        hass, trigger("task_started", switch), trigger("maintenance_started", device)
    )
    await server.listen()
    await house.passes(60)
    server.butler.start(INTROS)
    await house.settled()
    assert told(calls) == ALL_OF_A_RUN[:2]


@can_exclude
@pytest.mark.usefixtures("loaded")
async def test_what_is_excluded(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    area = ar.async_get(hass).async_create("Office")
    dr.async_get(hass).async_update_device(device_id(hass, loaded), area_id=area.id)
    in_office, device = {"area_id": area.id}, {"device_id": device_id(hass, loaded)}
    intros = entity(house, server, "switch", f"task_{INTROS}")
    calls = await automate(
        hass,
        *everything(in_office | {"exclude": device}),
        *everything(device | {"exclude": intros}),
    )
    await runs_once(house, server, INTROS)
    assert sorted(told(calls)) == sorted(ALL_OF_A_RUN[::2])
    await runs_once(house, server, THUMBS)
    assert {fired[1:2] for fired in told(calls)} == {(), ("generate_chapter_thumbs",)}


# What the automation editor asks


async def test_editor_lists_ours_by_target(
    hass: HomeAssistant,
    hass_ws_client: WebSocketGenerator,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
) -> None:
    """A server's device and its entities have all triggers, a task's switch those of a task."""
    area = ar.async_get(hass).async_create("Office")
    dr.async_get(hass).async_update_device(device_id(hass, loaded), area_id=area.id)
    assert await async_setup_component(hass, AUTOMATION, {})
    client = await hass_ws_client(hass)

    async def listed(kind: str, target: dict[str, Any]) -> set[str]:
        await client.send_json_auto_id({"type": f"get_{kind}_for_target", "target": target})
        answer = await client.receive_json()
        return {name for name in answer["result"] if name.startswith(f"{DOMAIN}.")}

    device, in_office = {"device_id": [device_id(hass, loaded)]}, {"area_id": [area.id]}
    maintenance = entity(house, server, "binary_sensor", "maintenance")
    switch = entity(house, server, "switch", f"task_{INTROS}")
    for target in (device, in_office, maintenance, switch):
        of_target = OF_A_TASK if target is switch else OF_A_SERVER
        listable = {
            key: [value] if isinstance(value, str) else value for key, value in target.items()
        }
        assert await listed("triggers", listable) == of_target
        assert await listed("conditions", listable) == {f"{DOMAIN}.task_is_running"}


async def test_related_automations_of_device_and_switch(
    hass: HomeAssistant,
    hass_ws_client: WebSocketGenerator,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
) -> None:
    """What names the device or a switch as target is related to it; a config entry is not."""
    assert await async_setup_component(hass, "search", {})
    device = {"device_id": device_id(hass, loaded)}
    switch = entity(house, server, "switch", f"task_{INTROS}")
    by_entry = {"config_entry_id": loaded.entry_id, "task": INTROS}
    start = f"{DOMAIN}.start_task"
    automations: dict[str, Any] = {
        "trigger_device": {"triggers": [trigger("maintenance_over", device)]},
        "trigger_switch": {"triggers": [trigger("task_ended", switch)]},
        "condition_device": {"conditions": [is_running(device)]},
        "condition_switch": {"conditions": [is_running(switch)]},
        "action_target": {"actions": [{"action": start, "target": switch}]},
        "action_field": {"actions": [{"action": start, "data": switch}]},
        "action_entry": {"actions": [{"action": start, "data": by_entry}]},
        "all_servers": {"triggers": [trigger("task_ended")]},
    }
    never = {"triggers": [{"trigger": "event", "event_type": "never"}], "actions": []}
    config = [never | {"alias": alias} | parts for alias, parts in automations.items()]
    assert await async_setup_component(hass, AUTOMATION, {AUTOMATION: config})
    client = await hass_ws_client(hass)

    async def related(kind: str, item: str) -> set[str]:
        await client.send_json_auto_id(
            {"type": "search/related", "item_type": kind, "item_id": item}
        )
        answer = await client.receive_json()
        return {name.removeprefix("automation.") for name in answer["result"]["automation"]}

    by_switch = {"trigger_switch", "condition_switch", "action_target", "action_field"}
    assert await related("entity", switch["entity_id"]) == by_switch
    assert await related("device", device["device_id"]) == by_switch | {
        "trigger_device",
        "condition_device",
    }
