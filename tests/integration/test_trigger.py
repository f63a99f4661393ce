"""The triggers, in automations as users build them."""

import asyncio
from typing import Any

from homeassistant.components.automation import DOMAIN as AUTOMATION
from homeassistant.components.script import DOMAIN as SCRIPT
from homeassistant.const import (
    SERVICE_TURN_OFF,
    SERVICE_TURN_ON,
    STATE_OFF,
    STATE_ON,
    STATE_UNAVAILABLE,
)
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_mock_service
import voluptuous as vol

from custom_components.plex_butler.const import DOMAIN
from custom_components.plex_butler.trigger import TaskEndedTrigger
from tests.conftest import House, entry_for
from tests.integration.automations import (
    EVERYTHING,
    STARTED,
    automate,
    device_id,
    told,
    trigger,
)
from tests.integration.enabled import enable
from tests.simulator import Profile, SimulatedPlex
from tests.task_names import BACKUP, DEEP, INTROS, THUMBS

TOLD = "automation.told"


async def test_run_is_told_from_its_start_to_its_end(
    hass: HomeAssistant, house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    calls = await automate(hass, *EVERYTHING)
    await house.set_up(entry, server)
    began = dt_util.utcnow().isoformat()
    await house.act(DOMAIN, "start_task", task="generate_chapter_thumbs")
    await house.passes(10)
    ended = dt_util.utcnow().isoformat()
    await house.passes(300)
    of_server = {"alias": None, "config_entry_id": entry.entry_id, "server": "Cellar"}
    of_task = of_server | {
        "task": "generate_chapter_thumbs",
        "name": THUMBS,
        "started": began,
    }
    payloads = [call.data["trigger"] for call in calls]
    for payload in payloads:
        del payload["idx"]
    assert payloads == [
        of_server
        | {
            "id": "maintenance_started",
            "platform": "plex_butler.maintenance_started",
            "description": "maintenance started on Cellar",
        },
        of_task
        | {
            "id": "task_started",
            "platform": "plex_butler.task_started",
            "description": "generate_chapter_thumbs started on Cellar",
            "known_by": "assumed",
            "ours": True,
            "started_by": None,
            "plex_log": False,
        },
        of_task
        | {
            "id": "task_ended",
            "platform": "plex_butler.task_ended",
            "description": "generate_chapter_thumbs finished on Cellar",
            "outcome": "finished",
            "ended": ended,
            "last_known": ended,
            "duration": 10,
            "known_by": "observed",
            "ours": True,
            "started_by": None,
            "plex_log": False,
            "stopped_by": None,
        },
        of_server
        | {
            "id": "maintenance_over",
            "platform": "plex_butler.maintenance_over",
            "description": "maintenance over on Cellar",
        },
    ]


@pytest.mark.usefixtures("loaded", "without_stream")
async def test_end_that_was_not_seen_has_no_time(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    calls = await automate(
        hass,
        trigger("task_ended"),
        text="{{ trigger.name }} on {{ trigger.server }}: {{ trigger.outcome }}"
        " after {{ trigger.duration | default('?', true) }} s",
        ended="{{ trigger.ended is none }}",
    )
    await house.act(DOMAIN, "start_task", task=BACKUP)
    await house.passes(60)
    (call,) = calls
    assert call.data["text"] == "BackupDatabase on Cellar: end_not_seen after ? s"
    assert call.data["ended"] is True


@pytest.mark.parametrize("first", ["automation", "entry"])
async def test_each_server_fires_its_own(
    hass: HomeAssistant, house: House, server: SimulatedPlex, entry: MockConfigEntry, first: str
) -> None:
    async with SimulatedPlex(machine_identifier="f" * 40, friendly_name="Attic") as attic:
        attic_entry = entry_for(attic)
        await house.set_up(entry, server)
        await house.set_up(attic_entry, attic)
        if first == "automation":
            for one in (entry, attic_entry):
                assert await hass.config_entries.async_unload(one.entry_id)
        named = [
            trigger(name, {"device_id": device_id(hass, one)}) | {"id": f"{name} {where}"}
            for name in ("task_started", "maintenance_over")
            for where, one in (("cellar", entry), ("attic", attic_entry))
        ]
        calls = await automate(hass, *named, trigger("task_started"))
        if first == "automation":
            for one in (entry, attic_entry):
                assert await hass.config_entries.async_setup(one.entry_id)
            await house.settled()
        await house.act(
            DOMAIN, "start_task", config_entry_id=attic_entry.entry_id, task="loudness_analysis"
        )
        assert sorted(told(calls)) == [
            ("task_started", "loudness_analysis"),
            ("task_started attic", "loudness_analysis"),
        ]
        await house.act(DOMAIN, "stop_all", config_entry_id=attic_entry.entry_id)
        await house.passes(10)
        assert told(calls) == [("maintenance_over attic",)]
        await house.act(DOMAIN, "start_task", config_entry_id=entry.entry_id, task=THUMBS)
        await house.passes(30)
        assert sorted(told(calls)) == [
            ("maintenance_over cellar",),
            ("task_started", "generate_chapter_thumbs"),
            ("task_started cellar", "generate_chapter_thumbs"),
        ]


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("task", "fires"),
    [
        ("generate_chapter_thumbs", True),
        (THUMBS, True),
        (["backup_database", "generate_chapter_thumbs"], True),
        ([BACKUP, THUMBS], True),
        ([], True),
        ("backup_database", False),
        (["Generate chapter thumbnails", "generatechapterthumbs"], False),
    ],
)
async def test_only_the_tasks_that_were_chosen(
    hass: HomeAssistant, house: House, server: SimulatedPlex, task: Any, fires: bool
) -> None:
    calls = await automate(
        hass, trigger("task_started", task=task), trigger("task_ended", task=task)
    )
    await house.act(DOMAIN, "start_task", task=THUMBS)
    await house.passes(10)
    await house.row_settles()
    expected = [
        ("task_started", "generate_chapter_thumbs"),
        ("task_ended", "generate_chapter_thumbs", "finished"),
    ]
    assert told(calls) == (expected if fires else [])


@pytest.mark.parametrize(
    ("outcome", "fires"),
    [
        ("finished", ["finished"]),
        ("stopped", ["stopped"]),
        ("end_not_seen", ["end_not_seen"]),
        (["stopped", "end_not_seen"], ["stopped", "end_not_seen"]),
        ([], ["stopped", "end_not_seen", "finished"]),
    ],
)
async def test_only_the_outcomes_that_were_chosen(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    entry: MockConfigEntry,
    outcome: Any,
    fires: list[str],
) -> None:
    server.faults.no_row = True
    await house.set_up(entry, server)
    calls = await automate(hass, trigger("task_ended", outcome=outcome))
    for task in (THUMBS, BACKUP, INTROS):
        await house.act(DOMAIN, "start_task", task=task)
    await house.act(DOMAIN, "stop_task", task=INTROS)
    await house.passes(300)
    assert [call.data["trigger"]["outcome"] for call in calls] == fires


@pytest.mark.usefixtures("loaded")
async def test_script_waits_for_the_end_of_what_it_started(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    calls = async_mock_service(hass, "test", "told")
    ended = trigger("task_ended", task="generate_chapter_thumbs")
    script = {
        "sequence": [
            {"action": f"{DOMAIN}.start_task", "data": {"task": "generate_chapter_thumbs"}},
            {"wait_for_trigger": [ended], "timeout": {"minutes": 5}},
            {"action": "test.told", "data": {"trigger": "{{ wait.trigger }}"}},
        ]
    }
    assert await async_setup_component(hass, SCRIPT, {SCRIPT: {"thumbs": script}})
    # The harness waits for every task of Home Assistant's, so this must not be one.
    running = asyncio.create_task(hass.services.async_call(SCRIPT, "thumbs", blocking=True))
    while THUMBS not in server.butler.running:
        assert not running.done()
        await house.sent()
    await house.passes(5)
    assert not running.done()
    await house.passes(5)
    assert not running.done()
    await house.row_settles()
    await running
    assert told(calls) == [("task_ended", "generate_chapter_thumbs", "finished")]


@pytest.mark.parametrize(
    "invalid",
    [
        trigger("task_ended", outcome="exploded"),
        trigger("task_ended", outcome=["finished", "exploded"]),
        trigger("task_ended", task={"key": "backup_database"}),
        trigger("task_ended", since="yesterday"),
        trigger("task_started", outcome="finished"),
        trigger("task_started", config_entry_id="01J0000000000000000000000"),
        trigger("maintenance_over", task="backup_database"),
        trigger("maintenance_started", outcome="finished"),
        trigger("task_ended", {"entity_id": "backup_database"}),
        trigger("task_ended", {"task": "backup_database"}),
        trigger("task_ended") | {"target": {}},
        trigger("maintenance_over", {"entity_id": []}),
        trigger("maintenance_over") | {"target": None},
        trigger("task_succeeded"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    hass: HomeAssistant, invalid: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    await automate(hass, invalid)
    state = hass.states.get(TOLD)
    assert state
    assert state.state == STATE_UNAVAILABLE
    assert "Automation with alias 'Told' failed to setup triggers" in caplog.text


@pytest.mark.usefixtures("loaded")
async def test_automation_that_is_off_hears_nothing(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    calls = await automate(hass, *EVERYTHING)
    await house.act(AUTOMATION, SERVICE_TURN_OFF, entity_id=TOLD)
    await house.act(DOMAIN, "start_task", task=INTROS)
    assert not calls
    await house.act(AUTOMATION, SERVICE_TURN_ON, entity_id=TOLD)
    await house.act(DOMAIN, "stop_task", task=INTROS)
    await house.passes(5)
    assert told(calls) == [("task_ended", "generate_intro_markers", "stopped")]
    await house.passes(5)
    assert told(calls) == [("maintenance_over",)]


@pytest.mark.usefixtures("loaded")
async def test_outage_and_the_return_from_it_fire_nothing(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    calls = await automate(hass, *EVERYTHING)
    await house.act(DOMAIN, "start_task", task=INTROS)
    await house.passes(10)
    assert told(calls) == STARTED
    await server.stop_listening()
    await house.passes(90, step=30)
    await server.restart()
    await house.passes(600, step=30)
    assert house.state(server, "binary_sensor", "server").state == STATE_ON
    assert house.state(server, "binary_sensor", "maintenance").state == STATE_OFF
    assert told(calls) == []
    await house.act(DOMAIN, "start_task", task=INTROS)
    assert told(calls) == STARTED


@pytest.mark.usefixtures("loaded")
async def test_run_that_outlasts_an_outage_is_found_and_its_end_is_told(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    server.butler.profiles[INTROS] = Profile(activity="media.generate.intros", items=10)
    calls = await automate(hass, *EVERYTHING)
    await house.act(DOMAIN, "start_task", task=INTROS)
    await house.passes(10)
    assert told(calls) == STARTED
    await server.stop_listening()
    await house.passes(90, step=30)
    assert house.state(server, "binary_sensor", "server").state == STATE_OFF
    await server.listen()
    await house.passes(60, step=30)
    assert house.state(server, "binary_sensor", "maintenance").state == STATE_ON
    assert told(calls) == []
    await house.passes(600)
    assert [call.data["trigger"].get("started") for call in calls] == [None, None]
    assert told(calls) == [
        ("task_ended", "generate_intro_markers", "finished"),
        ("maintenance_over",),
    ]


async def test_what_ran_before_home_assistant_started_is_no_news(
    hass: HomeAssistant, house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    server.butler.start(THUMBS)
    calls = await automate(hass, *EVERYTHING)
    await house.set_up(entry, server)
    assert house.state(server, "binary_sensor", "maintenance").state == STATE_ON
    assert told(calls) == []
    await house.passes(10)
    assert told(calls) == []
    await house.row_settles()
    (ended, _) = [call.data["trigger"] for call in calls]
    assert (ended["started"], ended["duration"]) == (None, None)
    assert told(calls) == [
        ("task_ended", "generate_chapter_thumbs", "finished"),
        ("maintenance_over",),
    ]


async def test_run_that_the_server_told_us_of_has_no_start(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    server.faults.row_always_100 = True
    server.butler.start(DEEP)
    calls = await automate(hass, *EVERYTHING)
    answer = await house.act(DOMAIN, "start_task", respond=True, task=DEEP)
    assert answer["result"] == "already_running"
    assert told(calls) == [("maintenance_started",)]
    await house.act(DOMAIN, "stop_task", task=DEEP)
    assert told(calls) == [("task_ended", "deep_media_analysis", "stopped"), ("maintenance_over",)]


async def test_reload_fires_nothing_for_a_run_that_goes_on(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    calls = await automate(hass, *EVERYTHING)
    began = dt_util.utcnow().isoformat()
    await house.act(DOMAIN, "start_task", task=INTROS)
    await house.passes(10)
    assert told(calls) == STARTED
    assert await hass.config_entries.async_reload(loaded.entry_id)
    await house.passes(10)
    assert house.state(server, "sensor", "current_task").state == "generate_intro_markers"
    assert told(calls) == []
    await house.act(DOMAIN, "stop_all")
    await house.passes(10)
    assert calls[0].data["trigger"]["started"] == began
    assert told(calls) == [
        ("task_ended", "generate_intro_markers", "stopped"),
        ("maintenance_over",),
    ]


async def test_reload_fires_nothing_for_a_run_that_ended_meanwhile(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    calls = await automate(hass, *EVERYTHING)
    await house.act(DOMAIN, "start_task", task=INTROS)
    await house.passes(10)
    assert told(calls) == STARTED
    assert await hass.config_entries.async_unload(loaded.entry_id)
    server.butler.stop_all()
    await house.passes(10)
    assert await hass.config_entries.async_setup(loaded.entry_id)
    await house.passes(600, step=30)
    assert house.state(server, "sensor", "current_task").state == "nothing"
    assert told(calls) == []


@pytest.mark.usefixtures("loaded")
async def test_many_items_with_gaps_are_one_run(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    server.butler.profiles[INTROS] = Profile(
        activity="media.generate.intros", items=12, item_seconds=20, gap_seconds=240
    )
    calls = await automate(hass, *EVERYTHING)
    server.butler.start(INTROS)
    await house.settled()
    await house.passes(12 * 260, step=20)
    assert [call.data["trigger"].get("duration") for call in calls] == [
        None,
        None,
        12 * 20 + 11 * 240,
        None,
    ]
    assert told(calls) == [
        *STARTED,
        ("task_ended", "generate_intro_markers", "finished"),
        ("maintenance_over",),
    ]


@pytest.mark.usefixtures("loaded")
async def test_maintenance_of_which_plex_names_no_task(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    calls = await automate(hass, *EVERYTHING)
    server.butler.start(DEEP)
    await house.settled()
    assert told(calls) == [("maintenance_started",)]
    await house.passes(180)
    await house.passes(5)
    assert told(calls) == []
    await house.passes(5)
    assert told(calls) == [("maintenance_over",)]


@pytest.mark.usefixtures("loaded")
async def test_maintenance_is_not_over_when_the_server_goes_away(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    calls = await automate(hass, trigger("maintenance_over"))
    server.butler.start(DEEP)
    await house.passes(10)
    await server.stop_listening()
    await house.passes(90, step=30)
    await server.restart()
    await house.passes(600, step=30)
    assert house.state(server, "binary_sensor", "maintenance").state == STATE_OFF
    assert told(calls) == []


@pytest.mark.usefixtures("loaded")
async def test_frozen_server_goes_on_with_its_maintenance(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    calls = await automate(hass, *EVERYTHING)
    await house.act(DOMAIN, "start_task", task="optimize_database")
    assert told(calls) == [("maintenance_started",), ("task_started", "optimize_database")]
    await house.passes(1700, step=60)
    assert house.state(server, "binary_sensor", "server").attributes["busy"] is True
    assert told(calls) == []
    await house.passes(300, step=60)
    assert told(calls) == [("task_ended", "optimize_database", "finished"), ("maintenance_over",)]


@pytest.mark.parametrize("first", ["automation", "entry"])
async def test_automation_finds_the_end_shown_already(
    hass: HomeAssistant, house: House, server: SimulatedPlex, entry: MockConfigEntry, first: str
) -> None:
    enable(hass, entry, server, "event", "task_activity")
    if first == "entry":
        await house.set_up(entry, server)
    running = {"condition": f"{DOMAIN}.task_is_running", "options": {"task": THUMBS}}
    calls = async_mock_service(hass, "test", "told")
    shown = {
        "switch": "{{ states('switch.cellar_generate_chapter_thumbnails') }}",
        "running": "{{ states('sensor.cellar_current_task') }}",
        "maintenance": "{{ states('binary_sensor.cellar_maintenance') }}",
        "event": "{{ state_attr('event.cellar_task_activity', 'event_type') }}",
    }
    choose = [
        {"conditions": [running], "sequence": [{"action": "test.told", "data": {"is": "running"}}]}
    ]
    automation = {
        "triggers": [trigger("task_ended")],
        "actions": [{"choose": choose, "default": [{"action": "test.told", "data": shown}]}],
    }
    assert await async_setup_component(hass, AUTOMATION, {AUTOMATION: automation})
    if first == "automation":
        await house.set_up(entry, server)
    await house.act(DOMAIN, "start_task", task=THUMBS)
    await house.passes(10)
    await house.row_settles()
    (call,) = calls
    assert call.data == {
        "switch": STATE_OFF,
        "running": "nothing",
        "maintenance": STATE_OFF,
        "event": "finished",
    }


async def test_outcome_that_there_is_not_is_told_in_words(hass: HomeAssistant) -> None:
    with pytest.raises(vol.Invalid) as wrong:
        await TaskEndedTrigger.async_validate_config(hass, {"options": {"outcome": "exploded"}})
    assert str(wrong.value).startswith(
        "value must be one of ['end_not_seen', 'failed', 'finished', 'stopped', 'succeeded']"
    )
