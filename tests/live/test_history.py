"""What ran last night, in a real Home Assistant: calendar and activity, also after a restart."""

from datetime import datetime, timedelta
import re
from typing import Final

from homeassistant.util import dt as dt_util
import pytest

from tests.live.connection import Json
from tests.live.frontend import Frontend
from tests.live.instance import Instance
from tests.live.simulator import SimulatorProcess
from tests.live.steps import (
    ALL_OF_IT,
    AT_REST,
    DOMAIN,
    USER,
    add_server,
    complaints,
    restart,
    until,
)

pytestmark = pytest.mark.live

CALENDAR: Final = "calendar.attic_maintenance"
CREDITS: Final = "switch.attic_generate_credits_markers"
INTROS: Final = "switch.attic_generate_intro_markers"
AUTOMATION: Final = "automation.every_night"
WINDOW: Final = "Maintenance window"
TASK: Final = "generate_credits_markers"


async def test_last_night_is_in_the_calendar_and_in_the_activity(
    instance: Instance, simulator: SimulatorProcess
) -> None:
    """Let an automation run a task and a user stop another; look at it, restart, look again."""
    began = dt_util.utcnow()
    async with instance.frontend(*USER) as frontend:
        await add_server(frontend, simulator)
        await run_by_an_automation(frontend, simulator)
        # Not earlier: a page shows no lines of an integration whose logbook is loaded after it.
        live = await follow_the_activity(frontend, began)
        await start_and_stop_as_a_user(frontend, simulator)
        # As soon as it happens, on a page that is open.
        await frontend.wait_for(lambda: len(lines(live)) == 2 or None)
        the_activity_is_right(lines(live))
        runs = (await frontend.ask(f"{DOMAIN}.get_runs"))["runs"]
        assert [run["outcome"] for run in runs] == ["stopped", "finished"]
        await look_back(frontend, began, runs)
        await restart(frontend, instance)
    async with instance.frontend(*USER) as frontend:
        assert (await frontend.ask(f"{DOMAIN}.get_runs"))["runs"] == runs
        assert frontend.states["sensor.attic_last_task"]["state"] == "generate_intro_markers"
        await look_back(frontend, began, runs)
    await instance.stop()
    assert complaints(instance.log) == []


async def follow_the_activity(frontend: Frontend, began: datetime) -> list[Json]:
    """Open the page of the device; return the list that its activity since then goes into."""
    [device] = await frontend.devices(DOMAIN)
    events: list[Json] = []
    await frontend.subscribe(
        lambda message: events.extend(message["events"]),
        "logbook/event_stream",
        start_time=began.isoformat(),
        device_ids=[device["id"]],
        entity_ids=[*await frontend.entities(DOMAIN)],
    )
    return events


def lines(events: list[Json]) -> list[Json]:
    """Return what is told of runs."""
    return [event for event in events if event.get("domain") == DOMAIN]


async def run_by_an_automation(frontend: Frontend, simulator: SimulatorProcess) -> None:
    """Let an automation start a task, and see its end."""
    automation = await frontend.save(
        "automation",
        "every_night",
        alias="Every night",
        triggers=[{"trigger": "event", "event_type": "night"}],
        actions=[{"action": f"{DOMAIN}.start_task", "data": {"task": TASK}}],
    )
    assert automation == AUTOMATION
    switch = frontend.watch(CREDITS)
    await frontend.post("/api/events/night")
    on = await switch.becomes("on")
    await simulator.advance(ALL_OF_IT)
    off = await switch.becomes("off", within=AT_REST)
    assert on["context"]["id"] == off["context"]["id"]


async def start_and_stop_as_a_user(frontend: Frontend, simulator: SimulatorProcess) -> None:
    """Start a task by its switch, and stop it."""
    switch = frontend.watch(INTROS)
    for action, state in (("turn_on", "on"), ("turn_off", "off")):
        await frontend.call(f"switch.{action}", INTROS)
        assert (await switch.becomes(state))["context"]["user_id"]
    await simulator.advance(ALL_OF_IT)


async def look_back(frontend: Frontend, began: datetime, runs: list[Json]) -> None:
    """Find the runs in the calendar and in the activity, each once."""
    await the_calendar_is_right(frontend, began, runs)
    [device] = await frontend.devices(DOMAIN)
    places: tuple[Json, ...] = (
        {},
        {"device_ids": [device["id"]]},
        {"device_ids": [device["id"]], "entity_ids": [CREDITS, INTROS]},
    )
    for place in places:

        async def told(place: Json = place) -> list[Json] | None:
            events = await frontend.command(
                "logbook/get_events", start_time=began.isoformat(), **place
            )
            # The recorder writes some seconds later.
            return found if len(found := lines(events)) == len(runs) else None

        the_activity_is_right(await until(told))


def the_activity_is_right(told: list[Json]) -> None:
    """Find one line for each run, in words, with its author."""
    of_credits, of_intros = sorted(told, key=lambda line: line["when"])
    assert (of_credits["name"], of_credits["entity_id"]) == ("Generate credits markers", CREDITS)
    assert re.fullmatch(r"finished after [\d.]+ s", of_credits["message"])
    assert of_credits["context_entity_id"] == AUTOMATION
    assert (of_intros["name"], of_intros["entity_id"]) == ("Generate intro markers", INTROS)
    assert re.fullmatch(r"was stopped after [\d.]+ s", of_intros["message"])
    assert of_intros["context_user_id"]


async def the_calendar_is_right(frontend: Frontend, began: datetime, runs: list[Json]) -> None:
    """Find the runs in the calendar with their true times, and the window of the coming night."""
    end = dt_util.utcnow() + timedelta(days=1)
    span = {"start": began.isoformat(), "end": end.isoformat()}
    events = await frontend.request("GET", f"/api/calendars/{CALENDAR}", params=span)
    assert WINDOW in {event["summary"] for event in events}
    shown = [event for event in events if event["summary"] != WINDOW]
    assert [event["summary"] for event in shown] == [
        "Generate credits markers",
        "Generate intro markers",
    ]
    for event, run in zip(shown, reversed(runs), strict=True):
        for key, time in (("start", "started"), ("end", "ended")):
            assert datetime.fromisoformat(event[key]["dateTime"]) == datetime.fromisoformat(
                run[time]
            )
    assert "Observed. Started by Every night." in shown[0]["description"]
    assert shown[1]["description"].endswith("Started by a user. Stopped by a user.")
    pushed: list[Json] = []
    await frontend.subscribe(
        lambda message: pushed.extend(message["events"]),
        "calendar/event/subscribe",
        entity_id=CALENDAR,
        **span,
    )
    await frontend.wait_for(lambda: pushed or None)
    assert [event["summary"] for event in pushed] == [event["summary"] for event in events]
