"""The preferences of one server: read with its tasks, set, read back, and compared."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from freezegun.api import FrozenDateTimeFactory
import pytest

from custom_components.plex_butler.butler.preferences import (
    PAUSE,
    TRIES,
    PreferencesDifferError,
    PreferencesNotListedError,
    PreferencesNotReadError,
)
from custom_components.plex_butler.butler.schedule import ACTIVE_INTERVAL
from custom_components.plex_butler.butler.session import ButlerSession
from custom_components.plex_butler.butler.statistics import Statistics
from custom_components.plex_butler.plex import (
    NO_PREFERENCES,
    CannotConnectError,
    CommandNotConfirmedError,
    NotOwnerError,
    PreferencesChanged,
    PreferencesRefusedError,
    PreferenceValue,
)
from tests.plex.clients import client_for
from tests.simulator import SimulatedPlex

pytestmark = pytest.mark.usefixtures("socket_enabled")

LIST: Final = "GET /:/prefs"
SET: Final = "PUT /:/prefs"
START: Final = "ButlerStartHour"
BACKUP: Final = "ButlerTaskBackupDatabase"
BIF: Final = "GenerateBIFBehavior"


class Pauses:
    """Waits for no time at all, and lets a test do something meanwhile."""

    def __init__(self) -> None:
        """Initialize; nothing happens in a pause."""
        self.seconds: list[float] = []
        self.meanwhile: Callable[[], object] = lambda: None

    async def __call__(self, seconds: float) -> None:
        """Pause."""
        self.seconds.append(seconds)
        self.meanwhile()


@pytest.fixture
def pauses() -> Pauses:
    """What passes between two reads."""
    return Pauses()


@asynccontextmanager
async def session_of(
    server: SimulatedPlex, pauses: Pauses, **options: Any
) -> AsyncGenerator[ButlerSession]:
    """Poll a server once, and forget what that has asked."""
    async with client_for(
        server.url,
        token=server.owner_token,
        machine_identifier=server.machine_identifier,
        **options,
    ) as client:
        session = ButlerSession(client, Statistics(), pause=pauses)
        await poll(session)
        server.requests.clear()
        yield session


@pytest.fixture(name="session")
async def session_fixture(server: SimulatedPlex, pauses: Pauses) -> AsyncGenerator[ButlerSession]:
    async with session_of(server, pauses) as session:
        yield session


async def poll(session: ButlerSession) -> bool:
    return await session.poll(server_updated=lambda: None)


def asked(server: SimulatedPlex) -> list[str]:
    """Return what was asked of the preferences."""
    return [f"{r.method} {r.path}" for r in server.requests if r.path.startswith("/:/prefs")]


def sent(server: SimulatedPlex) -> list[dict[str, str]]:
    """Return what was set."""
    return [request.query for request in server.requests if request.method == "PUT"]


# --- read


async def test_preferences_are_read_with_the_list_of_tasks(
    server: SimulatedPlex, freezer: FrozenDateTimeFactory, session: ButlerSession
) -> None:
    before = session.snapshot()
    assert before.preferences is session.preferences
    assert before.preferences.window == (2, 5)
    freezer.tick(60)
    assert not await poll(session)
    assert asked(server) == []
    server.change_preferences({START: "4"})
    freezer.tick(300)
    assert await poll(session)
    assert asked(server) == [LIST]
    assert session.snapshot() != before
    assert session.preferences.window == (4, 5)
    before = session.snapshot()
    freezer.tick(300)
    assert await poll(session)
    assert session.snapshot() == before
    assert session.preferences is before.preferences


async def test_changed_preferences_are_read_again(
    server: SimulatedPlex, session: ButlerSession, pauses: Pauses
) -> None:
    """Also if the server refuses that for a while."""
    server.faults.prefs_unreadable = 3
    server.change_preferences({START: "4"})
    assert session.stream_changed((PreferencesChanged(),))
    assert await poll(session)
    assert asked(server) == [LIST] * 4
    assert pauses.seconds == [PAUSE] * 3
    assert session.preferences.window == (4, 5)
    # A refusal that no change explains is not waited out.
    server.change_preferences({START: "6"})
    session.read_task_list_next()
    await poll(session)
    assert asked(server) == [LIST] * 5


async def test_preferences_that_are_refused_without_a_reason_are_read_with_the_next_poll(
    server: SimulatedPlex, session: ButlerSession, pauses: Pauses, freezer: FrozenDateTimeFactory
) -> None:
    """Somebody may have changed them, without a stream that would tell."""
    server.faults.prefs_unreadable = 1
    server.change_preferences({START: "4"})
    session.read_task_list_next()
    await poll(session)
    assert asked(server) == [LIST]
    assert session.preferences.window == (2, 5)
    freezer.tick(30)
    assert not await poll(session)
    assert asked(server) == [LIST] * 2
    assert session.preferences.window == (4, 5)
    await poll(session)
    assert asked(server) == [LIST] * 2
    assert pauses.seconds == []


@pytest.mark.parametrize("status", [403, 404])
async def test_server_that_lists_no_preferences_has_none(
    server: SimulatedPlex, pauses: Pauses, status: int, freezer: FrozenDateTimeFactory
) -> None:
    server.faults.prefs_status = status
    async with session_of(server, pauses) as session:
        assert session.tasks.keys() == server.butler.tasks.keys()
        assert session.snapshot().preferences is NO_PREFERENCES
        freezer.tick(30)
        await poll(session)
        assert asked(server) == []
        server.faults.prefs_status = 0
        session.read_task_list_next()
        await poll(session)
        assert session.preferences.window == (2, 5)
        server.faults.prefs_status = status
        session.read_task_list_next()
        await poll(session)
        assert session.preferences is NO_PREFERENCES
        await session.start("BackupDatabase", before_sending=lambda: None)


async def test_preferences_are_forgotten_after_two_failures(
    server: SimulatedPlex, session: ButlerSession, freezer: FrozenDateTimeFactory
) -> None:
    server.faults.prefs_status = 500
    session.read_task_list_next()
    for window, reads in ((2, 5), 1), (None, 2), (None, 2):
        await poll(session)
        assert session.preferences.window == window
        assert len(asked(server)) == reads
        freezer.tick(30)
    session.read_task_list_next()
    await poll(session)
    assert len(asked(server)) == 3
    server.faults.prefs_status = 0
    session.read_task_list_next()
    await poll(session)
    assert session.preferences.window == (2, 5)


# --- set


async def test_several_are_set_at_once_and_read_back(
    server: SimulatedPlex, session: ButlerSession
) -> None:
    values: dict[str, PreferenceValue] = {START: 23, BACKUP: False, BIF: "asap"}
    await session.set_preferences(values, before_sending=lambda: None)
    assert asked(server) == [SET, LIST]
    assert sent(server) == [{START: "23", BACKUP: "0", BIF: "asap"}]
    assert {key: server.preferences.values[key] for key in values} == values
    assert {key: session.preferences.get(key) for key in values} == values
    # The list of tasks says which are enabled.
    assert session.task_list_due
    await poll(session)
    assert session.tasks["BackupDatabase"].enabled is False
    assert session.tasks["GenerateMediaIndexFiles"].enabled is True


@pytest.mark.parametrize("refusals", [1, 3, TRIES - 1])
async def test_preferences_are_read_back_until_the_server_lists_them(
    server: SimulatedPlex, session: ButlerSession, pauses: Pauses, refusals: int
) -> None:
    server.faults.prefs_unreadable = refusals
    await session.set_preferences({START: 3}, before_sending=lambda: None)
    assert asked(server) == [SET, *[LIST] * (refusals + 1)]
    assert pauses.seconds == [PAUSE] * refusals
    assert session.preferences.get(START) == 3


async def test_preferences_that_cannot_be_read_back(
    server: SimulatedPlex, session: ButlerSession, pauses: Pauses
) -> None:
    server.faults.prefs_unreadable = TRIES
    with pytest.raises(PreferencesNotReadError):
        await session.set_preferences({START: 3}, before_sending=lambda: None)
    assert asked(server) == [SET, *[LIST] * TRIES]
    assert session.preferences.get(START) == 2
    await poll(session)
    assert session.preferences.get(START) == 3


async def test_change_that_is_refused_for_longer_is_waited_for_once_more(
    server: SimulatedPlex, session: ButlerSession, pauses: Pauses, freezer: FrozenDateTimeFactory
) -> None:
    server.faults.prefs_unreadable = 2 * TRIES - 1
    server.change_preferences({START: "4"})
    session.stream_changed((PreferencesChanged(),))
    await poll(session)
    assert session.preferences.window == (2, 5)
    assert session.pace == ACTIVE_INTERVAL
    freezer.tick(5)
    await poll(session)
    assert session.preferences.window == (4, 5)
    assert len(asked(server)) == 2 * TRIES
    assert session.pace > ACTIVE_INTERVAL
    # Not for ever.
    server.faults.prefs_unreadable = 3 * TRIES
    server.change_preferences({START: "6"})
    session.stream_changed((PreferencesChanged(),))
    for _ in range(2):
        await poll(session)
    assert session.preferences is NO_PREFERENCES
    assert session.pace > ACTIVE_INTERVAL


async def test_list_that_is_gone_after_a_change(
    server: SimulatedPlex, session: ButlerSession, pauses: Pauses
) -> None:
    def gone() -> None:
        server.faults.prefs_status = 404

    server.faults.prefs_unreadable = 1
    pauses.meanwhile = gone
    with pytest.raises(PreferencesNotReadError):
        await session.set_preferences({START: 3}, before_sending=lambda: None)
    assert asked(server) == [SET, *[LIST] * TRIES]
    assert session.preferences is NO_PREFERENCES


async def test_server_that_goes_away_after_a_change(
    server: SimulatedPlex, session: ButlerSession, pauses: Pauses
) -> None:
    def away() -> None:
        server.faults.empty_reply = True

    server.faults.prefs_unreadable = 1
    pauses.meanwhile = away
    with pytest.raises(PreferencesNotReadError):
        await session.set_preferences({START: 3}, before_sending=lambda: None)
    with pytest.raises(CannotConnectError):
        await poll(session)


async def test_change_that_the_server_does_not_keep(
    server: SimulatedPlex, session: ButlerSession
) -> None:
    server.faults.prefs_ignored = True
    with pytest.raises(PreferencesDifferError) as refused:
        await session.set_preferences(
            {START: 3, BACKUP: True, BIF: "asap"}, before_sending=lambda: None
        )
    assert refused.value.ids == (START, BIF)
    assert session.preferences.get(START) == 2


async def test_the_last_writer_wins(
    server: SimulatedPlex, session: ButlerSession, pauses: Pauses
) -> None:
    """What is shown is what the server has."""

    def by_somebody_else() -> None:
        if server.preferences.values[START] == 3:
            server.change_preferences({START: "9"})

    server.faults.prefs_unreadable = 1
    pauses.meanwhile = by_somebody_else
    with pytest.raises(PreferencesDifferError) as refused:
        await session.set_preferences({START: 3, BACKUP: False}, before_sending=lambda: None)
    assert refused.value.ids == (START,)
    assert session.preferences.get(START) == 9
    assert session.preferences.get(BACKUP) is False


@pytest.mark.parametrize(
    ("values", "ids"),
    [
        ({START: 24}, (START,)),
        ({START: "3"}, (START,)),
        ({START: 3, "ButlerTaskBrewCoffee": True}, ("ButlerTaskBrewCoffee",)),
        ({BIF: "often", BACKUP: "1"}, (BIF, BACKUP)),
        ({"FriendlyName": "Attic"}, ("FriendlyName",)),
        ({"ButlerDatabaseBackupPath": "/"}, ("ButlerDatabaseBackupPath",)),
    ],
    ids=str,
)
async def test_only_what_is_listed_is_sent(
    server: SimulatedPlex,
    session: ButlerSession,
    values: dict[str, PreferenceValue],
    ids: tuple[str, ...],
) -> None:
    with pytest.raises(PreferencesNotListedError) as refused:
        await session.set_preferences(values, before_sending=lambda: None)
    assert refused.value.ids == ids
    assert server.requests == []


@pytest.mark.parametrize(("status", "kind"), [(403, NotOwnerError), (404, PreferencesRefusedError)])
async def test_refused_change(
    server: SimulatedPlex, session: ButlerSession, status: int, kind: type[Exception]
) -> None:
    server.faults.prefs_status = status
    with pytest.raises(kind):
        await session.set_preferences({START: 3}, before_sending=lambda: None)
    assert asked(server) == [SET]


async def test_change_without_an_answer_is_not_repeated_but_looked_at(
    server: SimulatedPlex, session: ButlerSession
) -> None:
    server.faults.drop_reply = True
    with pytest.raises(CommandNotConfirmedError):
        await session.set_preferences({START: 3}, before_sending=lambda: None)
    assert asked(server) == [SET]
    server.faults.drop_reply = False
    assert session.task_list_due
    await poll(session)
    assert session.preferences.get(START) == 3


async def test_changes_at_the_same_time_are_compared_one_after_the_other(
    server: SimulatedPlex, session: ButlerSession
) -> None:
    await asyncio.gather(
        *(session.set_preferences({START: hour}, before_sending=lambda: None) for hour in (3, 4, 5))
    )
    assert asked(server) == [SET, LIST] * 3
    assert session.preferences.get(START) == server.preferences.values[START]


async def test_list_from_before_a_change_does_not_undo_it(
    server: SimulatedPlex, session: ButlerSession
) -> None:
    """A poll asked for it, and gets its answer late."""
    session.read_task_list_next()
    polling = asyncio.create_task(poll(session))
    async with asyncio.timeout(5):
        while not asked(server):
            await asyncio.sleep(0)
        await session.set_preferences({START: 3}, before_sending=lambda: None)
        await polling
    assert session.preferences.get(START) == 3
