"""A night and a day of a server, told by a table: what is shown when, and what never is.

The night is Butler's own, from two o'clock, with a backup of ours in the middle of it; the day
belongs to people, whose work looks like Butler's. It is lived through twice: beside the
notification stream, and by polling alone.
"""

from collections.abc import AsyncGenerator, Callable
from datetime import datetime, timedelta
from typing import Any

from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
import pytest

from custom_components.plex_butler.const import DOMAIN
from tests.conftest import House, entry_for
from tests.integration.enabled import enable
from tests.simulator import Faults, Profile, SimulatedPlex

EVENING = datetime(2026, 11, 23, 23, 50)
# A series of forty episodes with pauses of minutes, two lanes with longer ones, and silence.
PROFILES = {
    "BackupDatabase": Profile(duration=0.1),
    "ButlerTaskGenerateCreditsMarkers": Profile(
        activity="media.generate.credits", items=40, item_seconds=60, gap_seconds=90
    ),
    "ButlerTaskGenerateIntroMarkers": Profile(
        activity="media.generate.intros", items=6, gap_seconds=200, side_by_side=2
    ),
    "DeepMediaAnalysis": Profile(duration=600),
    "LoudnessAnalysis": Profile(activity="media.generate.loudness", items=8, gap_seconds=45),
    "RefreshEpgGuides": Profile(activity="provider.epg.load", items=1, item_seconds=90),
    "RefreshLocalMedia": Profile(
        activity="library.update.item.metadata", items=30, item_seconds=10
    ),
}
# What has to be shown: the time, by the server's clock, and what was known then. A mapped task is
# over five minutes after its last item, as of that item, or ten seconds after the row has turned
# idle, as of the turn; the backup that Plex ran by itself at
# two was too short and too quiet to be told from any other; ours at four came into a busy row.
SHOWN = """
02:00:00 maintenance on
02:01:00 started generate_credits_markers observed
03:39:30 started generate_intro_markers observed
03:44:30 finished generate_credits_markers observed 5910
03:54:10 finished generate_intro_markers observed 580
04:00:00 started backup_database assumed
04:00:10 started loudness_analysis observed
04:00:30 end_not_seen backup_database assumed
04:18:25 finished loudness_analysis observed 795
04:21:35 maintenance off
04:32:35 maintenance on
04:32:35 started refresh_epg_guides observed
04:34:15 maintenance off
04:34:15 finished refresh_epg_guides observed 90
"""


def lines(table: str) -> list[str]:
    return [line for line in table.splitlines() if line]


@pytest.fixture
async def server(
    request: pytest.FixtureRequest, socket_enabled: None
) -> AsyncGenerator[SimulatedPlex]:
    """A server with a schedule at night, ten minutes before midnight."""
    faults = Faults(no_websocket=request.param)
    async with SimulatedPlex(
        start=EVENING, nightly=True, profiles=PROFILES, faults=faults
    ) as simulated:
        yield simulated


class Diary:
    """What Home Assistant shows, in the order and at the time at which it shows it."""

    def __init__(self, hass: HomeAssistant, house: House, server: SimulatedPlex) -> None:
        """Begin to note."""
        self.shown: list[tuple[datetime, str]] = []
        self._server = server
        self._event = house.entity_id(server, "event", "task_activity")
        self._maintenance = house.entity_id(server, "binary_sensor", "maintenance")
        hass.bus.async_listen(EVENT_STATE_CHANGED, self._note)

    @callback
    def _note(self, change: Event[EventStateChangedData]) -> None:
        new = change.data["new_state"]
        assert new
        if new.entity_id == self._maintenance:
            self._write(f"maintenance {new.state}")
        elif new.entity_id == self._event:
            told = new.attributes
            words = [told["event_type"], told["task"], told["known_by"]]
            if (duration := told.get("duration")) is not None:
                words.append(f"{duration:.0f}")
            self._write(" ".join(words))
        elif new.entity_id.startswith("switch.") and new.state == "on":
            self._write(f"switch {new.entity_id.removeprefix('switch.cellar_')}")

    def _write(self, text: str) -> None:
        self.shown.append((self._server.clock.now, text))


def people(server: SimulatedPlex) -> list[tuple[datetime, Callable[[], Any]]]:
    """Return who does what with the server, and when."""
    users = server.users
    tomorrow = EVENING + timedelta(minutes=10)

    def at(clock: str, act: Callable[[], Any]) -> tuple[datetime, Callable[[], Any]]:
        hours, minutes = clock.split(":")
        return tomorrow + timedelta(hours=int(hours), minutes=int(minutes)), act

    return sorted(
        [
            *(at(f"{hour}:05", users.dvr_noise) for hour in range(22)),
            at("0:20", lambda: users.add_episode(seconds=120)),
            at("3:10", lambda: users.scan_library(items=20, item_seconds=5)),
            at("8:00", lambda: users.scan_library(items=50, item_seconds=4)),
            at("12:00", lambda: users.add_episode("media.generate.credits", 300)),
            at("12:01", lambda: users.add_episode("media.generate.intros", 90)),
            at("18:00", users.open_item_page),
            at("18:01", users.play),
            at("20:00", lambda: users.refresh_guide(seconds=180)),
            at("21:00", lambda: users.add_episode("media.generate.loudness", 600)),
        ],
        key=lambda planned: planned[0],
    )


@pytest.mark.parametrize(
    ("server", "late"),
    [(False, 15), (True, 45)],
    indirect=["server"],
    ids=["beside the stream", "by polling alone"],
)
async def test_night_and_day(
    hass: HomeAssistant, house: House, server: SimulatedPlex, late: int
) -> None:
    entry = entry_for(server)
    enable(hass, entry, server, "event", "task_activity")
    await house.set_up(entry, server)
    # A row counts once it was seen busy, which takes one night; here an evening's task is it.
    server.butler.start("UpgradeMediaAnalysis")
    await house.passes(120)
    diary = Diary(hass, house, server)

    async def backup() -> None:
        await house.act(DOMAIN, "start_task", task="backup_database")

    plan: list[tuple[datetime, Callable[[], Any]]] = [
        *people(server),
        (EVENING + timedelta(hours=4, minutes=10), backup),
    ]
    for time, act in sorted(plan, key=lambda planned: planned[0]):
        await live_until(time, house, server)
        if (doing := act()) is not None:
            await doing
        await house.settled()
    await live_until(EVENING + timedelta(hours=22), house, server)

    shown = [(time, text) for time, text in diary.shown if not text.startswith("switch")]
    expected = [(line[:8], line[9:]) for line in lines(SHOWN)]
    assert_told(shown, expected, late)
    # The switches tell of nothing else.
    switched = {text.split()[1] for _, text in diary.shown if text.startswith("switch")}
    assert switched == {text.split()[1] for _, text in expected if text.startswith("started")}


def assert_told(
    shown: list[tuple[datetime, str]], expected: list[tuple[str, str]], late: int
) -> None:
    """Compare in order; times and durations may differ by as much as a poll comes late."""
    for (time, text), (clock, wanted) in zip(shown, expected, strict=True):
        what, *rest = text.split()
        wanted_what, *wanted_rest = wanted.split()
        told = f"{time:%H:%M:%S} {text}"
        assert (what, rest[:2]) == (wanted_what, wanted_rest[:2]), told
        due = datetime.combine(time.date(), datetime.strptime(clock, "%H:%M:%S").time())
        assert abs(time - due) <= timedelta(seconds=late), told
        for duration, wanted_duration in zip(rest[2:], wanted_rest[2:], strict=True):
            assert abs(int(duration) - int(wanted_duration)) <= late, told


async def live_until(time: datetime, house: House, server: SimulatedPlex) -> None:
    """Let time pass, closely at night and for a while after people did something."""
    while (left := (time - server.clock.now).total_seconds()) > 0:
        busy = 1 < server.clock.now.hour < 5 or len(server.activities.rows()) > 1
        await house.passes(min(left, 300), step=15 if busy else 300)
