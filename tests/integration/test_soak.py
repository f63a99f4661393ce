"""A month of a server and its people, with all that goes wrong in it, and what it leaves behind.

Thirty simulated days, by a seed: Butler's nights, the noise of users, their commands, and
two incidents a day. At every noon what is shown is what is known; and nothing grows.
"""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
import logging
from operator import itemgetter
import random
from typing import Any, Final

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import (
    EVENT_STATE_CHANGED,
    EVENT_STATE_REPORTED,
    STATE_OFF,
    STATE_ON,
    STATE_UNAVAILABLE,
    STATE_UNKNOWN,
)
from homeassistant.core import Event, HomeAssistant, callback
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.helpers.dispatcher import async_dispatcher_connect
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_butler.const import DOMAIN
from custom_components.plex_butler.coordinator import PlexButlerCoordinator
from custom_components.plex_butler.run_events import SIGNAL_EVENT, ButlerEvent, Maintenance
from custom_components.plex_butler.runs.models import EndedRun, KnownBy, Outcome
from custom_components.plex_butler.runs.rules import GAP_ROW_BUSY, ROW_STAYS_IDLE
from custom_components.plex_butler.runs.tasks import task_key
from tests.conftest import House, entry_for
from tests.integration.census import forgetful_log, take_census
from tests.simulator import Profile, SimulatedPlex

DAYS: Final = 30
LAST_RELOAD: Final = 12
"""After so many days the entry is not reloaded any more: what it keeps has time to grow."""
EVERYTHING_MET: Final = 19
"""After so many days there is nothing more to be remembered than there was."""
SUNDAY: Final = 6
MONDAY: Final = datetime(2026, 11, 2, 12)
"""Noon of the first day."""
CLOSELY: Final = 20.0
"""The shortest step, in seconds."""
LOOSELY: Final = 600.0
"""The longest step: as long as the longest time between two polls."""
LATE: Final = ROW_STAYS_IDLE + timedelta(seconds=2 * CLOSELY)
"""How much later than it happened something may be seen."""

# Short enough for a window of an hour.
PROFILES: Final = {
    "BackupDatabase": Profile(duration=90),
    "ButlerTaskGenerateCreditsMarkers": Profile(
        activity="media.generate.credits", items=6, item_seconds=60, gap_seconds=60
    ),
    "ButlerTaskGenerateIntroMarkers": Profile(
        activity="media.generate.intros", items=6, gap_seconds=100, side_by_side=2
    ),
    "DeepMediaAnalysis": Profile(duration=300),
    "GenerateChapterThumbs": Profile(
        activity="media.generate.chapter.thumbs", items=4, item_seconds=40
    ),
    "LoudnessAnalysis": Profile(
        activity="media.generate.loudness", items=4, item_seconds=45, gap_seconds=45
    ),
    "OptimizeDatabase": Profile(duration=600, stalls=True),
    "RefreshEpgGuides": Profile(activity="provider.epg.load", items=1, item_seconds=90),
    "RefreshLocalMedia": Profile(
        activity="library.update.item.metadata", items=10, item_seconds=10
    ),
}
STARTED_BY_HAND: Final = tuple(task_key(name) for name in PROFILES if name != "OptimizeDatabase")

STARTED: Final[str] = Maintenance.STARTED
OVER: Final[str] = Maintenance.OVER
BREAK: Final = "break"

REMEMBERED: Final = {
    "butler.session.ButlerSession.last_runs": 22,
    "butler.statistics.Statistics.": 100,
    "commands.Commands._starting": 22,
    "butler.session.ButlerSession.history": 2_000,
    "origins.Origins._known": 100,
    "runs.activities.ListedOfType.denied": 100,
    "runs.history.RunHistory._runs": 2_000,
    "runs.models.": 10_000,
}
"""What may grow, and how much of it there may be at the end: tasks, kinds, stopped items, runs."""
NOT_OURS_ALONE: Final = ("task", "timers", "listeners", "signals", "sockets")

type Act = Callable[[], Awaitable[Any] | None]


@pytest.fixture(autouse=True)
def no_record_is_kept() -> Iterator[None]:
    """Let errors go that were logged."""
    with forgetful_log():
        yield


class Diary:
    """All that Home Assistant tells, and what really ran."""

    def __init__(self, hass: HomeAssistant, house: House, server: SimulatedPlex) -> None:
        """Begin to note."""
        self.maintenance = [house.state(server, "binary_sensor", "maintenance").state]
        """The states of *Maintenance* and the events of it, in order, and when there was a break."""
        self.runs = self.events = 0
        self.written = 0
        self._server = server
        self._ran: defaultdict[str, list[tuple[datetime, datetime | None]]] = defaultdict(list)
        self._read = len(server.butler.history)
        self._ended: list[EndedRun] = []
        self._entity_id = house.entity_id(server, "binary_sensor", "maintenance")
        self._ours = set(er.async_get(hass).entities)
        hass.bus.async_listen(EVENT_STATE_CHANGED, self._note_state, self._is_ours)
        hass.bus.async_listen(EVENT_STATE_REPORTED, self._note_state, self._is_ours)
        async_dispatcher_connect(hass, SIGNAL_EVENT, self._note_event)

    @callback
    def _is_ours(self, change: Mapping[str, Any]) -> bool:
        # The calendar shows each window, also where nothing happens in it.
        entity_id = change["entity_id"]
        return entity_id in self._ours and not entity_id.startswith("calendar.")

    @callback
    def _note_state(self, change: Event[Any]) -> None:
        """Note a state that was written, whether it was another than before or not."""
        self.written += 1
        if change.data["entity_id"] == self._entity_id:
            self.maintenance.append(change.data["new_state"].state)

    @callback
    def _note_event(self, _: str, event: ButlerEvent) -> None:
        self.events += 1
        if isinstance(event, Maintenance):
            self.maintenance.append(event)
        elif isinstance(event, EndedRun):
            self.runs += 1
            self._ended.append(event)

    def note_what_ran(self, seconds: float) -> None:
        """Note what the server has begun and ended in the last seconds."""
        now = dt_util.utcnow()
        history = self._server.butler.history
        for what, task in history[self._read :]:
            if what == "started":
                self._ran[task].append((now - timedelta(seconds=seconds), None))
            else:
                began, _ = self._ran[task].pop()
                self._ran[task].append((began, now))
        self._read = len(history)

    def note_restart(self) -> None:
        """Note that the server has restarted: what ran has died."""
        self.note_what_ran(0)
        now = dt_util.utcnow()
        for runs in self._ran.values():
            runs[:] = [(began, ended or now) for began, ended in runs]

    def assert_true(self) -> None:
        """Every run that was told of is one that there was, and no longer; then forget them."""
        for run in self._ended:
            assert_plausible(run)
            late = LATE
            if run.outcome is Outcome.STOPPED:
                # It may have ended by itself before the command, during the gap that it may have.
                late += GAP_ROW_BUSY
            began = run.started or run.last_known
            assert run.known_by is KnownBy.ASSUMED or any(
                first - LATE <= began and (last is None or run.last_known <= last + late)
                for first, last in self._ran[run.task]
            ), (run, self._ran[run.task][-2:])
        self._ended.clear()


class Month:
    """The life of the server and its people."""

    def __init__(
        self, hass: HomeAssistant, house: House, server: SimulatedPlex, entry: MockConfigEntry
    ) -> None:
        """Prepare; nothing happens yet."""
        self.diary = Diary(hass, house, server)
        self._hass = hass
        self._house = house
        self._server = server
        self._entry = entry
        self._random = random.Random(9)
        self._incidents: list[Act] = []
        self.reloads = True
        self.outages = 0
        """How often the server went away, or Home Assistant from it."""

    @property
    def coordinator(self) -> PlexButlerCoordinator:
        """Return the coordinator, which is another after a reload."""
        coordinator: PlexButlerCoordinator = self._entry.runtime_data
        return coordinator

    async def live_until(self, time: datetime) -> None:
        """Let time pass: as closely as the server is polled, within limits."""
        while (left := (time - self._server.clock.now).total_seconds()) > 0:
            pace = CLOSELY
            if self._entry.state is ConfigEntryState.LOADED and self.coordinator.update_interval:
                pace = self.coordinator.update_interval.total_seconds()
            night = self._server.clock.now.hour in (2, 3) and self._server.butler.running
            if night or len(self._server.activities.rows()) > 1:
                pace = CLOSELY
            step = min(left, max(CLOSELY, min(pace, LOOSELY)))
            await self._house.passes(step, step=step)
            self.diary.note_what_ran(step)

    async def day(self, noon: datetime, *, quiet: bool) -> None:
        """Live from one noon to the next; on a quiet day nobody does anything."""
        plan: list[tuple[datetime, Act]] = []

        def at(hours: float, act: Act) -> None:
            minutes = self._random.randrange(20)
            plan.append((noon + timedelta(hours=hours, minutes=minutes), act))

        users = self._server.users
        at(1, partial(self._start, self._random.choice(STARTED_BY_HAND)))
        at(2, users.dvr_noise)
        at(2.5, partial(users.scan_library, 5, 10))
        at(3, partial(users.add_episode, "media.generate.credits", 200))
        at(3.5, partial(users.add_episode, "media.generate.intros", 90))
        at(5, partial(self._start_and_stop, self._random.choice(STARTED_BY_HAND)))
        at(6.5, users.open_item_page)
        at(7, users.play)
        at(7.1, users.remote_access_flaps)
        at(8, users.refresh_guide)
        at(9, self._incident())
        at(13, partial(users.dvr_noise, 3))
        at(14.3, partial(users.scan_library, 3, 10))
        # One time in three in the night.
        at(self._random.choice((14.1, 18, 20)), self._incident())
        if quiet:
            plan.clear()
        for time, act in sorted(plan, key=itemgetter(0)):
            await self.live_until(time)
            if (doing := act()) is not None:
                await doing
            await self._house.settled()
        await self.live_until(noon + timedelta(days=1))

    async def _act(self, action: str, **data: Any) -> None:
        try:
            await self._house.act(DOMAIN, action, **data)
        except HomeAssistantError:
            assert self._server.silent, "it was there, and refused"
        self.diary.note_what_ran(1)

    async def _start(self, task: str) -> None:
        await self._act("start_task", task=task)

    async def _start_and_stop(self, task: str) -> None:
        await self._act("start_task", task=task)
        await self.live_until(self._server.clock.now + timedelta(seconds=45))
        await self._act("stop_task", task=task)

    # --- incidents

    def _incident(self) -> Act:
        """Return the next of all incidents; each comes up before one comes up again."""
        if not self._incidents:
            reloads = [self._home_assistant_reloads, self._reload_without_server]
            self._incidents = [
                *(reloads if self.reloads else ()),
                self._server_restarts,
                self._server_is_updated,
                self._server_is_off,
                partial(self._fault, "maintenance", True, minutes=3),
                partial(self._fault, "bad_gateway", True, minutes=1),
                partial(self._fault, "proxy_status", 404, minutes=4),
                partial(self._fault, "own_error", True, minutes=12),
                partial(self._fault, "hang", True, minutes=2),
                partial(self._fault, "unauthorized", True, minutes=0.5),
                partial(self._fault, "single_object", True, minutes=30),
                self.lose_stream,
                self._without_stream,
                self._preferences_change,
                self._everything,
            ]
            self._random.shuffle(self._incidents)
        return self._incidents.pop()

    async def _minutes(self, minutes: float) -> None:
        await self.live_until(self._server.clock.now + timedelta(minutes=minutes))

    async def _server_restarts(self) -> None:
        self.outages += 1
        self.diary.note_restart()
        await self._server.restart()

    async def _server_is_updated(self) -> None:
        self._server.version = f"1.44.{self._random.randrange(9999)}.10903-e5521bd8c"
        self.diary.maintenance.append(BREAK)
        await self._server_restarts()

    async def _server_is_off(self) -> None:
        self.outages += 1
        await self._server.stop_listening()
        await self._minutes(self._random.uniform(1, 20))
        await self._server.listen()

    async def _fault(self, name: str, value: object, *, minutes: float) -> None:
        self.outages += 1
        setattr(self._server.faults, name, value)
        await self._minutes(minutes)
        setattr(self._server.faults, name, type(value)())

    async def lose_stream(self) -> None:
        """Let somebody between the two close the stream."""
        await self._server.notifications.hang_up()
        await self._house.settled()

    async def _without_stream(self) -> None:
        self._server.faults.no_websocket = True
        await self.lose_stream()
        await self._minutes(40)
        self._server.faults.no_websocket = False

    async def _preferences_change(self) -> None:
        hour = self._random.choice((2, 3))
        changed = {
            "ButlerStartHour": str(hour),
            "ButlerEndHour": str(hour + 1),
            "ButlerTaskRefreshLibraries": self._random.choice("01"),
            "GenerateVADBehavior": self._random.choice(("never", "scheduled")),
        }
        for name, value in changed.items():
            self._server.preferences.put(name, value)
        rows = [self._server.preferences.row(name) for name in changed]
        self._server.notifications.publish("preference", "Setting", rows)

    async def _home_assistant_reloads(self) -> None:
        self.outages += 1
        self.diary.maintenance.append(BREAK)
        assert await self._hass.config_entries.async_reload(self._entry.entry_id)

    async def _reload_without_server(self) -> None:
        self.outages += 1
        await self._server.stop_listening()
        self.diary.maintenance.append(BREAK)
        assert not await self._hass.config_entries.async_reload(self._entry.entry_id)
        await self._minutes(10)
        await self._server.listen()

    async def _everything(self) -> None:
        await self._act("start_all")
        await self._minutes(5)
        await self._act("stop_all")


def assert_shown_is_known(
    house: House, server: SimulatedPlex, coordinator: PlexButlerCoordinator
) -> None:
    """Every state is what the session knows."""
    known = coordinator.session.snapshot()
    assert known == coordinator.data
    assert house.state(server, "binary_sensor", "server").state == STATE_ON
    maintenance = house.state(server, "binary_sensor", "maintenance").state
    assert maintenance == (STATE_ON if known.maintenance else STATE_OFF)
    running = house.state(server, "sensor", "current_task")
    assert running.attributes["tasks"] == [task_key(name) for name in known.running]
    assert list(known.tasks) == list(server.butler.tasks)
    for name, task in known.tasks.items():
        switch = house.state(server, "switch", f"task_{name}")
        assert switch.state == (STATE_ON if name in known.running else STATE_OFF)
        assert switch.attributes["schedule_enabled"] is task.enabled
        assert task.enabled is server.butler.tasks[name].enabled
        assert house.state(server, "button", f"task_{name}").state != STATE_UNAVAILABLE
        last_run, shown = known.last_runs.get(name), house.state(server, "sensor", f"task_{name}")
        if last_run is None:
            assert shown.state == STATE_UNKNOWN
            continue
        assert shown.state == last_run.last_known.isoformat(timespec="seconds")
        told = last_run.as_dict()
        assert shown.attributes["outcome"] == told["outcome"]
        assert shown.attributes["duration"] == told["duration"]
        assert_plausible(last_run)


def assert_plausible(run: EndedRun) -> None:
    """The times of a run are in order, and over."""
    assert run.last_known <= dt_util.utcnow()
    assert run.started is None or run.started <= run.last_known
    assert run.ended is None or run.ended <= run.last_known
    if run.duration is not None:
        assert run.started
        assert run.ended
        assert run.duration == run.ended - run.started >= timedelta()


def assert_maintenance_told(noted: list[str]) -> None:
    """*Started* is told when the state turns on, *over* when it turns off, and never else.

    What lies beside an outage is not told. Both are told in turn between two breaks. What begins
    just after a break is told if it is seen before the reason of the break is.
    """
    expected = [noted[0]]
    before = noted[0]
    for number, word in enumerate(noted[1:], start=1):
        if word in (STARTED, OVER):
            continue
        expected.append(word)
        seen_first = [[off, BREAK, STATE_ON, STARTED] for off in (STATE_OFF, OVER)]
        if (before, word) == (STATE_OFF, STATE_ON) or noted[number - 2 : number + 2] in seen_first:
            expected.append(STARTED)
        elif (before, word) == (STATE_ON, STATE_OFF):
            expected.append(OVER)
        before = word
    for number, (told, wanted) in enumerate(zip(noted, expected, strict=False)):
        assert told == wanted, (number, noted[max(0, number - 5) : number + 5])
    assert len(noted) == len(expected)


def grown(before: Counter[str], after: Counter[str], *, by: int) -> dict[str, int]:
    """Return what has become more by so much, but for what is remembered within its bounds."""
    remembered = dict.fromkeys(REMEMBERED, 0)
    more = {key: number for key, number in (after - before).items() if number >= by}
    for key, number in after.items():
        for part in REMEMBERED:
            if key.startswith(part):
                more.pop(key, None)
                remembered[part] += number
    beyond = {part: number for part, number in remembered.items() if number > REMEMBERED[part]}
    return more | beyond


async def enable_every_entity(hass: HomeAssistant, house: House) -> None:
    """Enable the sensors of last runs as well; Home Assistant reloads the entry half a minute later."""
    registry = er.async_get(hass)
    for registered in tuple(registry.entities.values()):
        registry.async_update_entity(registered.entity_id, disabled_by=None)
    await house.passes(31, step=31)
    await house.passes(60)


async def idle_afternoon(month: Month, server: SimulatedPlex, noon: datetime) -> None:
    """Nothing happens until the evening: hardly anything is asked, and no state is written."""
    await month.live_until(noon + timedelta(hours=1))
    for fault, hours, polls, lists in ((False, 6, 6, 1), (True, 2, 120, 12)):
        server.faults.no_websocket = fault
        await month.lose_stream()
        await month.live_until(server.clock.now + timedelta(minutes=15))
        server.requests.clear()
        written = month.diary.written
        await month.live_until(server.clock.now + timedelta(hours=hours))
        asked = Counter(request.path for request in server.requests)
        assert asked.pop("/activities") <= hours * polls + 1
        assert asked.pop("/butler") <= hours * lists + 1
        assert asked.pop("/:/prefs") <= hours * lists + 1
        assert asked.pop("/identity", 0) <= hours * lists + 1
        assert asked.pop("/") <= hours * lists + 1
        # A stream tells who plays something; without one, every poll asks.
        assert asked.pop("/status/sessions", 0) <= (hours * polls + 1) * fault
        # Without a stream it is looked for once an hour.
        assert asked.pop("/:/websockets/notifications", 0) <= hours * fault
        assert not asked
        assert month.diary.written == written
    server.faults.no_websocket = False


@pytest.mark.timeout(600)
async def test_month(
    hass: HomeAssistant,
    house: House,
    socket_enabled: None,
    caplog: pytest.LogCaptureFixture,
    issue_registry: ir.IssueRegistry,
) -> None:
    caplog.set_level(logging.INFO)
    async with SimulatedPlex(start=MONDAY, nightly=True, profiles=PROFILES) as server:
        server.preferences.put("ButlerEndHour", "3")
        entry = await house.set_up(entry_for(server), server)
        await enable_every_entity(hass, house)
        month = Month(hass, house, server, entry)
        diary = month.diary
        at_first, met = take_census(hass), Counter[str]()
        caplog.clear()
        for day in range(DAYS):
            noon = MONDAY + timedelta(days=day)
            quiet = noon.weekday() == SUNDAY
            if quiet:
                await idle_afternoon(month, server, noon)
            await month.day(noon, quiet=quiet)
            assert_shown_is_known(house, server, month.coordinator)
            diary.assert_true()
            server.requests.clear()
            if day == LAST_RELOAD:
                month.reloads = False
            elif day == EVERYTHING_MET:
                met = take_census(hass)
        at_last = take_census(hass)
    # What differs by a few is the last failure and the like; what leaks, does so at least once a day.
    assert grown(met, at_last, by=DAYS - EVERYTHING_MET - 1) == {}
    around = {key: at_last[key] for key in at_last if key.startswith(NOT_OURS_ALONE)}
    assert Counter(around) - at_first == Counter()
    assert_maintenance_told(diary.maintenance)
    assert (diary.runs > 150, month.outages > 30) == (True, True)
    # At most: an event changes the states of its task and of Butler, an outage each state twice.
    entities = len(er.async_get(hass).entities)
    assert diary.written <= 6 * diary.events + 2 * entities * month.outages
    assert not issue_registry.issues
    assert not hass.config_entries.flow.async_progress()
    logged = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert len(logged) <= month.outages
    assert {text.split(": ")[0] for text in logged} == {"Error fetching Cellar data"}


async def test_fifty_reloads_leave_nothing(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    entry: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
) -> None:
    # At noon: the calendar has another number of timers when its window opens and ends.
    freezer.move_to(dt_util.start_of_local_day() + timedelta(hours=36))
    loaded = await house.set_up(entry, server)

    async def reload(number: int) -> None:
        if number % 5 == 0:
            await house.act(DOMAIN, "start_task", task="generate_intro_markers")
        if number % 5 == 1:
            await house.act(DOMAIN, "stop_all")
        away = number % 5 == 2
        if away:
            await server.stop_listening()
        assert await hass.config_entries.async_reload(loaded.entry_id) is not away
        if away:
            await server.listen()
            assert await hass.config_entries.async_reload(loaded.entry_id)
        await house.settled()

    async def rest() -> None:
        """Let connections that nobody uses close."""
        await house.passes(1200, step=20)

    for number in range(5):
        await reload(number)
    await rest()
    before = take_census(hass)
    for number in range(50):
        await reload(number)
    await rest()
    assert grown(before, take_census(hass), by=1) == {}
    assert server.notifications.listeners == 1
