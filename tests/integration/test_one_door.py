"""What is shown is what is known: no state and no event is lost, whatever crosses on the wire."""

import asyncio
from datetime import timedelta
from typing import Any, Final

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.switch import DOMAIN as SWITCH
from homeassistant.const import EVENT_STATE_CHANGED, STATE_OFF, STATE_ON, STATE_UNAVAILABLE
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from hypothesis import HealthCheck, example, given, settings, strategies as st
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)

from custom_components.plex_butler.const import DOMAIN
from custom_components.plex_butler.plex import REQUEST_TIMEOUT
from custom_components.plex_butler.run_events import SIGNAL_EVENT, ButlerEvent, Maintenance
from custom_components.plex_butler.runs.models import EndedRun, Run
from custom_components.plex_butler.runs.rules import (
    GAP_NO_ROW,
    GRACE_ALREADY_RUNNING,
    ROW_STAYS_IDLE,
)
from tests.conftest import House, entry_for
from tests.integration.automations import EVERYTHING, automate, told
from tests.integration.shown import maintenance, running
from tests.simulator import SimulatedPlex
from tests.task_names import INTROS, LOUDNESS

STEP: Final = 8
"""Shorter than the time limit of a request, in seconds."""

TYPES: Final = {INTROS: "media.generate.intros", LOUDNESS: "media.generate.loudness"}


@pytest.mark.usefixtures("loaded")
async def test_change_that_waits_while_a_poll_is_answered_is_shown_and_told(
    hass: HomeAssistant, house: House, server: SimulatedPlex, freezer: FrozenDateTimeFactory
) -> None:
    calls = await automate(hass, *EVERYTHING)
    server.activities.work(40)
    await house.passes(5)
    server.activities.work(None)
    await house.passes(5)
    assert told(calls) == [("maintenance_started",)]
    # The answer is made now, and arrives later.
    server.faults.late_answers = "GET"
    freezer.tick(ROW_STAYS_IDLE)
    async_fire_time_changed(hass)
    await house.sent()
    assert server.requests[-1].status is None
    server.activities.begin("library.update.section", "")
    await house.sent()
    assert maintenance(house, server) == STATE_OFF
    server.activities.work(60)
    await house.sent()
    assert maintenance(house, server) == STATE_OFF
    server.faults.late_answers = ""
    await house.settled()
    freezer.tick(timedelta(seconds=0.3))
    async_fire_time_changed(hass)
    await house.settled()
    assert maintenance(house, server) == STATE_ON
    assert told(calls) == [("maintenance_over",), ("maintenance_started",)]


class Story:
    """A server that lives through a random night, and what Home Assistant says of it."""

    def __init__(
        self,
        house: House,
        server: SimulatedPlex,
        entry: MockConfigEntry,
        freezer: FrozenDateTimeFactory,
    ) -> None:
        """Initialize with a server at rest."""
        self._house = house
        self._server = server
        self._entry = entry
        self._freezer = freezer
        self._items: dict[str, list[Any]] = {task: [] for task in TYPES}
        self._calls: list[asyncio.Task[Any]] = []
        self._events: list[ButlerEvent] = []
        self._maintenance: list[str] = []
        self._late_for = 0.0
        entity_id = house.entity_id(server, "binary_sensor", "maintenance")

        @callback
        def keep_state(event: Event[EventStateChangedData]) -> None:
            if event.data["entity_id"] == entity_id and (new := event.data["new_state"]):
                self._maintenance.append(new.state)

        @callback
        def keep_event(_: str, event: ButlerEvent) -> None:
            self._events.append(event)

        self._remove = (
            house.hass.bus.async_listen(EVENT_STATE_CHANGED, keep_state),
            async_dispatcher_connect(house.hass, SIGNAL_EVENT, keep_event),
        )

    async def goes_on(self, step: str, detail: Any) -> None:
        """Let one thing happen."""
        server = self._server
        match step:
            case "row":
                server.activities.work(detail)
            case "begin":
                self._items[detail].append(server.activities.begin(TYPES[detail], ""))
            case "end" if self._items[detail]:
                server.activities.end(self._items[detail].pop())
            case "frames":
                server.faults.silent_websocket = not detail
            case "answers":
                server.faults.late_answers = "" if detail else "GET"
            case "action":
                action, data = detail
                call = self._house.hass.services.async_call(DOMAIN, action, data, blocking=True)
                self._calls.append(asyncio.ensure_future(call))
            case "time":
                await self._time_passes(detail)
        await self._house.sent()
        if step == "time" and self._entry.runtime_data.last_update_success:
            self.states_are_what_is_known()

    async def _time_passes(self, seconds: float) -> None:
        """Let time pass, in steps during which no request reaches its time limit."""
        while seconds > 0:
            now = min(STEP, seconds)
            seconds -= now
            await self._answer_in_time(now)
            await self._server.advance(now)
            self._freezer.tick(timedelta(seconds=now))
            async_fire_time_changed(self._house.hass)
            await self._house.sent()

    async def _answer_in_time(self, seconds: float) -> None:
        """Answer what is late before its time limit: an outage is not part of this story."""
        self._late_for += seconds
        if self._late_for >= REQUEST_TIMEOUT:
            self._late_for = 0.0
            late, self._server.faults.late_answers = self._server.faults.late_answers, ""
            await self._house.settled()
            self._server.faults.late_answers = late

    async def comes_to_its_end(self) -> None:
        """Let everything end: what was asked is answered, and nothing works any more."""
        self._server.faults.late_answers = ""
        self._server.faults.silent_websocket = False
        await asyncio.gather(*self._calls, return_exceptions=True)
        await self._house.settled()
        self._server.butler.stop_all()
        for items in self._items.values():
            for item in items:
                self._server.activities.end(item)
        self._server.activities.work(None)
        # The server may have answered to a start that the task was running already.
        longest = GRACE_ALREADY_RUNNING + GAP_NO_ROW
        await self._house.passes(longest.total_seconds(), step=30)
        for remove in self._remove:
            remove()

    def states_are_what_is_known(self) -> None:
        """Compare the states with the snapshot of the session."""
        known = self._entry.runtime_data.session.snapshot()
        assert maintenance(self._house, self._server) == (
            STATE_ON if known.maintenance else STATE_OFF
        )
        assert len(running(self._house, self._server)) == len(known.running)
        for task in TYPES:
            state = self._house.state(self._server, SWITCH, f"task_{task}").state
            assert state == (STATE_ON if task in known.running else STATE_OFF), task

    def every_started_has_its_over(self) -> None:
        """Compare the events with the states, and with each other; an outage is another story."""
        if STATE_UNAVAILABLE in self._maintenance:
            return
        turns = len(self._maintenance) // 2
        assert self._maintenance == [STATE_ON, STATE_OFF] * turns
        events = [event for event in self._events if isinstance(event, Maintenance)]
        assert events == [Maintenance.STARTED, Maintenance.OVER] * turns
        going_on: set[str] = set()
        for event in self._events:
            if isinstance(event, Run):
                assert event.task not in going_on
                going_on.add(event.task)
            elif isinstance(event, EndedRun):
                going_on.discard(event.task)
        assert not going_on


TASKS: Final = st.sampled_from(sorted(TYPES))
ACTIONS: Final = [
    ("start_task", {"task": "generate_intro_markers"}),
    ("start_task", {"task": "backup_database"}),
    ("stop_task", {"task": "generate_intro_markers"}),
    ("stop_all", {}),
]
STEPS: Final = st.one_of(
    st.tuples(st.just("row"), st.sampled_from([None, 0, 40])),
    st.tuples(st.sampled_from(["begin", "end"]), TASKS),
    st.tuples(st.sampled_from(["frames", "answers"]), st.booleans()),
    st.tuples(st.just("action"), st.sampled_from(ACTIONS)),
    # A quarter of a second is how long a change may be held back.
    st.tuples(st.just("time"), st.sampled_from([0.3, 1, 6, 31, 130, 601])),
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(STEPS, max_size=30))
@example([("row", 40), ("row", None), ("time", 0.3)])
@example([("row", 40), ("row", None), ("row", 0), ("begin", INTROS), ("time", 0.3)])
@example(
    [
        ("answers", False),
        ("time", 601),
        ("row", 40),
        ("row", None),
        ("answers", True),
        ("time", 0.3),
    ]
)
@example(
    [
        ("action", ("start_task", {"task": "generate_intro_markers"})),
        ("time", 31),
        ("frames", False),
        ("action", ("stop_task", {"task": "generate_intro_markers"})),
        ("action", ("start_task", {"task": "backup_database"})),
        ("action", ("stop_task", {"task": "generate_intro_markers"})),
        ("row", None),
        ("action", ("stop_task", {"task": "generate_intro_markers"})),
        ("begin", INTROS),
        ("action", ("start_task", {"task": "backup_database"})),
        ("end", INTROS),
        ("row", 40),
    ]
)
async def test_when_all_is_quiet_the_states_are_what_is_known(
    hass: HomeAssistant,
    socket_enabled: None,
    freezer: FrozenDateTimeFactory,
    steps: list[tuple[str, Any]],
) -> None:
    async with SimulatedPlex() as server:
        house = House(hass, freezer)
        entry = await house.set_up(entry_for(server), server)
        await house.passes(400, step=100)
        story = Story(house, server, entry, freezer)
        for step, detail in steps:
            await story.goes_on(step, detail)
        await story.comes_to_its_end()
        assert entry.runtime_data.last_update_success
        story.states_are_what_is_known()
        story.every_started_has_its_over()
        assert maintenance(house, server) == STATE_OFF
        assert running(house, server) == []
        await hass.config_entries.async_remove(entry.entry_id)
        await house.settled()
