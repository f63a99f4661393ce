"""Runs in a real Home Assistant: seen as they happen, waited for, remembered, automated."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import takewhile
from typing import Final

import pytest

from tests.live.connection import Json
from tests.live.frontend import Frontend
from tests.live.instance import Instance
from tests.live.simulator import STREAM, SimulatorProcess
from tests.live.steps import (
    ALL_OF_IT,
    AT_REST,
    DOMAIN,
    POLL,
    USER,
    add_server,
    changes,
    end_well,
    everything,
    one_life,
    restart,
)

pytestmark = pytest.mark.live

ACTIVITY: Final = "event.attic_task_activity"
MAINTENANCE: Final = "binary_sensor.attic_maintenance"
CREDITS: Final = "generate_credits_markers"
INTROS: Final = "generate_intro_markers"
LOUDNESS: Final = "loudness_analysis"
MUSIC: Final = "music_analysis"
GUIDES: Final = "refresh_epg_guides"
NAMES: Final = {
    CREDITS: "ButlerTaskGenerateCreditsMarkers",
    INTROS: "ButlerTaskGenerateIntroMarkers",
    LOUDNESS: "LoudnessAnalysis",
    MUSIC: "MusicAnalysis",
    GUIDES: "RefreshEpgGuides",
}
LAST_RUN: Final = f"sensor.attic_{CREDITS}_last_run"
IS_OVER: Final = "credits_are_over"
SOMETHING_RUNS: Final = {"condition": f"{DOMAIN}.task_is_running"}
EVENING: Final = [("started", CREDITS), ("finished", CREDITS), ("started", CREDITS)]
"""All that happens before the restart."""


@pytest.mark.timeout(300)
async def test_runs_are_waited_for(instance: Instance, simulator: SimulatorProcess) -> None:
    """Wait for their ends, by action and in a script."""
    async with one_life(instance, simulator) as frontend:
        await follow_the_stream(simulator)
        await wait_for_the_end_of_a_run(frontend, simulator)
        await wait_in_a_script(frontend, simulator)


@pytest.mark.timeout(300)
async def test_runs_are_seen_without_the_stream(
    instance: Instance, simulator: SimulatorProcess
) -> None:
    """Lose it for a while."""
    async with one_life(instance, simulator) as frontend:
        await follow_the_stream(simulator)
        await lose_the_stream_for_a_while(frontend, simulator)


@pytest.mark.timeout(300)
async def test_runs_are_seen_and_remembered(
    instance: Instance, simulator: SimulatorProcess
) -> None:
    """See, choose, automate, restart."""
    async with instance.frontend(*USER) as frontend:
        await add_server(frontend, simulator)
        await frontend.enable(ACTIVITY)
        await follow_the_stream(simulator)
        await see_a_run_at_once(frontend, simulator)
        await choose_from_the_editor(frontend)
        await automate(frontend)
        known = await begin_what_outlives_us(frontend, simulator)
        before = await everything(frontend)
        await restart(frontend, instance)
    async with instance.frontend(*USER) as frontend:
        assert changes(before, await everything(frontend)).keys() == {LAST_RUN}
        await see_it_go_on_and_end(frontend, simulator, known)
    await end_well(instance, simulator)


def switch(task: str) -> str:
    """Return the switch of a task."""
    return f"switch.attic_{task}"


def told(frontend: Frontend, after: str = "") -> list[tuple[str, str]]:
    """Return what the event entity has told after a time: what happened, and to which task."""
    attributes = [
        change["attributes"]
        for change in frontend.changes
        if change["entity_id"] == ACTIVITY
        and change["state"] not in ("unknown", "unavailable")
        and change["state"] > after
    ]
    return [(event["event_type"], event["task"]) for event in attributes]


@asynccontextmanager
async def within_a_second() -> AsyncIterator[None]:
    """Find that all this has taken less than a second."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    yield
    took = loop.time() - began
    assert took < 1


async def polls(simulator: SimulatorProcess) -> int:
    """Return how often the server was asked what it works on."""
    return len(await simulator.requests("/activities"))


async def about(frontend: Frontend, task: str) -> Json:
    """Return what is known of a task."""
    tasks: list[Json] = (await frontend.ask(f"{DOMAIN}.get_tasks"))["tasks"]
    return next(row for row in tasks if row["task"] == task)


async def follow_the_stream(simulator: SimulatorProcess) -> None:
    """Wait until the stream is open, and a poll has read what there was before."""

    def read(requests: list[Json]) -> bool:
        paths = reversed([request["path"] for request in requests])
        return "/activities" in takewhile(lambda path: path != STREAM, paths)

    await simulator.until("/state", is_followed)
    await simulator.until("/requests", read)


def is_followed(state: Json) -> bool:
    """Tell whether the server has somebody who listens."""
    return bool(state["listeners"])


async def see_a_run_at_once(frontend: Frontend, simulator: SimulatorProcess) -> None:
    """See a task that began behind our back, without any poll, and see its end."""
    shown, maintenance = frontend.watch(switch(CREDITS)), frontend.watch(MAINTENANCE)
    polled = await polls(simulator)
    async with within_a_second():
        await simulator.begin(NAMES[CREDITS])
        await maintenance.becomes("on")
        on = await shown.becomes("on")
        await frontend.wait_for(lambda: told(frontend) or None)
    assert "assumed_state" not in on["attributes"]
    assert told(frontend) == [("started", CREDITS)]
    assert await polls(simulator) == polled
    await simulator.advance(ALL_OF_IT)
    await shown.becomes("off", within=AT_REST)
    await maintenance.becomes("off")


async def wait_for_the_end_of_a_run(frontend: Frontend, simulator: SimulatorProcess) -> None:
    """Run a task by the action that waits, and get told how it ended."""
    shown = frontend.watch(switch(GUIDES))
    async with asyncio.TaskGroup() as group:
        answer = group.create_task(frontend.ask(f"{DOMAIN}.run_task", task=GUIDES))
        await shown.becomes("on")
        assert not answer.done()
        await simulator.advance(ALL_OF_IT)
    ended = answer.result()
    started = datetime.fromisoformat(ended["started"])
    assert ended == {
        "task": GUIDES,
        "name": NAMES[GUIDES],
        "result": "finished",
        "started": ended["started"],
        "ended": ended["ended"],
        "duration": (datetime.fromisoformat(ended["ended"]) - started).total_seconds(),
        "last_known": ended["ended"],
        "known_by": "observed",
        "plex_log": False,
        "ours": True,
        "started_by": "user",
        "stopped_by": None,
    }
    assert ended["duration"] > 0


async def wait_in_a_script(frontend: Frontend, simulator: SimulatorProcess) -> None:
    """Run a task in a script, whose answer it becomes; somebody stops the task meanwhile."""
    script = await frontend.save(
        "script",
        "find_intros",
        alias="Find intros",
        sequence=[
            {
                "action": f"{DOMAIN}.run_task",
                "data": {"task": INTROS},
                "response_variable": "ended",
            },
            {"stop": "It is over", "response_variable": "ended"},
        ],
    )
    shown, at_work = frontend.watch(switch(INTROS)), frontend.watch(script)
    async with asyncio.TaskGroup() as group:
        answer = group.create_task(frontend.ask(script))
        await at_work.becomes("on")
        await shown.becomes("on")
        await frontend.call("switch.turn_off", switch(INTROS))
    assert (answer.result()["task"], answer.result()["result"]) == (INTROS, "stopped")
    await at_work.becomes("off")
    await simulator.advance(ALL_OF_IT)


async def lose_the_stream_for_a_while(frontend: Frontend, simulator: SimulatorProcess) -> None:
    """Lose the stream during a run; what begins and ends meanwhile is seen by polls."""
    first, second = frontend.watch(switch(MUSIC)), frontend.watch(switch(LOUDNESS))
    await simulator.begin(NAMES[MUSIC])
    await first.becomes("on")
    await simulator.set(no_websocket=True)
    await simulator.control("POST", "/hang-up")
    await simulator.begin(NAMES[LOUDNESS])
    on = await second.becomes("on", within=POLL)
    assert "assumed_state" not in on["attributes"]
    await simulator.until("/requests", refused)
    assert not is_followed(await simulator.state())
    await simulator.advance(ALL_OF_IT)
    await simulator.set(no_websocket=False)
    await first.becomes("off", within=AT_REST)
    await second.becomes("off")
    await simulator.until("/state", is_followed)
    async with within_a_second():
        await simulator.begin(NAMES[GUIDES])
        await frontend.wait_for(lambda: frontend.states[switch(GUIDES)]["state"] == "on" or None)
    await simulator.advance(ALL_OF_IT)
    await frontend.wait_for(
        lambda: frontend.states[switch(GUIDES)]["state"] == "off" or None, within=AT_REST
    )


def refused(requests: list[Json]) -> bool:
    """Tell whether the stream was asked for in vain."""
    return any((request["path"], request["status"]) == (STREAM, 404) for request in requests)


async def choose_from_the_editor(frontend: Frontend) -> None:
    """Find our triggers and our condition among what the automation editor offers, in words."""
    triggers = await frontend.offered("trigger", DOMAIN)
    assert {name: set(fields) for name, fields in triggers.items()} == {
        f"{DOMAIN}.backup_completed": set(),
        f"{DOMAIN}.maintenance_over": set(),
        f"{DOMAIN}.maintenance_started": set(),
        f"{DOMAIN}.task_ended": {"task", "outcome"},
        f"{DOMAIN}.task_started": {"task"},
    }
    conditions = await frontend.offered("condition", DOMAIN)
    assert {name: set(fields) for name, fields in conditions.items()} == {
        f"{DOMAIN}.task_is_running": {"task"}
    }
    device, of_task = await device_target(frontend), {"entity_id": [switch(CREDITS)]}
    by_target = await frontend.offered_for("trigger", device, DOMAIN)
    assert by_target == triggers.keys()
    by_switch = await frontend.offered_for("trigger", of_task, DOMAIN)
    assert by_switch == {f"{DOMAIN}.task_ended", f"{DOMAIN}.task_started"}
    for target in (device, of_task):
        assert await frontend.offered_for("condition", target, DOMAIN) == conditions.keys()
    for category, offered in (("triggers", triggers), ("conditions", conditions)):
        texts = await frontend.translations(DOMAIN, category)
        icons = await frontend.icons(DOMAIN, category)
        for name, fields in offered.items():
            key = name.removeprefix(f"{DOMAIN}.")
            assert icons[key]
            assert "Plex" in texts[f"component.{DOMAIN}.{category}.{key}.name"]
            for path in (key, *(f"{key}.fields.{field}" for field in fields)):
                for text in ("name", "description"):
                    assert texts[f"component.{DOMAIN}.{category}.{path}.{text}"]


async def device_target(frontend: Frontend) -> Json:
    """Return the server's device as the target of a trigger or condition."""
    [device] = await frontend.devices(DOMAIN)
    return {"device_id": [device["id"]]}


async def automate(frontend: Frontend) -> None:
    """Save an automation: when credits are over and nothing else runs, tell."""
    device = await device_target(frontend)
    trigger = {
        "trigger": f"{DOMAIN}.task_ended",
        "target": device,
        "options": {"task": [CREDITS], "outcome": ["finished"]},
    }
    running = SOMETHING_RUNS | {"target": device}
    data = {name: f"{{{{ trigger.{name} }}}}" for name in ("server", "task", "outcome")}
    automation = await frontend.save(
        "automation",
        IS_OVER,
        alias="Credits are over",
        triggers=[trigger],
        conditions=[{"condition": "not", "conditions": [running]}],
        actions=[{"event": IS_OVER, "event_data": data}],
    )
    assert automation == f"automation.{IS_OVER}"
    assert frontend.states[automation]["attributes"]["last_triggered"] is None


async def begin_what_outlives_us(frontend: Frontend, simulator: SimulatorProcess) -> Json:
    """Enable a sensor, begin a run behind our back, and return what is known of its task."""
    entity = await frontend.command(
        "config/entity_registry/update", entity_id=LAST_RUN, disabled_by=None
    )
    assert entity["entity_entry"]["disabled_by"] is None
    shown = frontend.watch(switch(CREDITS))
    assert not await something_runs(frontend)
    await simulator.begin(NAMES[CREDITS])
    await shown.becomes("on")
    assert await something_runs(frontend)
    known = await about(frontend, CREDITS)
    assert known["run"]["started"]
    assert known["last_run"]["outcome"] == "finished"
    assert told(frontend) == EVENING
    return known


async def something_runs(frontend: Frontend) -> bool:
    """Test our condition as the editor does."""
    tested = await frontend.command("test_condition", condition=SOMETHING_RUNS)
    holds: bool = tested["result"]
    return holds


async def see_it_go_on_and_end(
    frontend: Frontend, simulator: SimulatorProcess, before: Json
) -> None:
    """Find the run going on since it began, and see it end once; the automation tells so."""
    begun = frontend.states[ACTIVITY]["state"]
    assert await about(frontend, CREDITS) == before
    assert frontend.states[switch(CREDITS)]["state"] == "on"
    the_sensor_tells(frontend, before["last_run"])

    fired: list[Json] = []
    await frontend.subscribe(fired.append, "subscribe_events", event_type=IS_OVER)
    await follow_the_stream(simulator)
    shown, automation = frontend.watch(switch(CREDITS)), frontend.watch(f"automation.{IS_OVER}")
    await simulator.advance(ALL_OF_IT)
    await shown.becomes("off", within=AT_REST)
    assert (await automation.becomes("on"))["attributes"]["last_triggered"]
    [over] = await frontend.wait_for(lambda: fired or None)
    assert over["data"] == {"server": "Attic", "task": CREDITS, "outcome": "finished"}

    await frontend.call("homeassistant.update_entity", MAINTENANCE)
    assert told(frontend, begun) == [("finished", CREDITS)]
    known = await about(frontend, CREDITS)
    assert known["run"] is None
    last_run = known["last_run"]
    assert last_run["outcome"] == "finished"
    assert last_run["started"] == before["run"]["started"]
    assert last_run["ended"] > before["last_run"]["ended"]
    the_sensor_tells(frontend, last_run)


def the_sensor_tells(frontend: Frontend, last_run: Json) -> None:
    """Find in the sensor what the action tells of the last run."""
    shown = frontend.states[LAST_RUN]
    last_known = datetime.fromisoformat(last_run["last_known"])
    assert datetime.fromisoformat(shown["state"]) == last_known.replace(microsecond=0)
    for name in ("outcome", "started", "ended", "duration", "known_by"):
        assert shown["attributes"][name] == last_run[name]
