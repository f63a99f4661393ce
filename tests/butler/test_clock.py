"""Intervals go on, whoever sets the clock; what is shown follows it."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta

import pytest

from custom_components.plex_butler.butler.clock import TOLERANCE, SteadyClock
from custom_components.plex_butler.butler.schedule import TASK_LIST_INTERVAL
from custom_components.plex_butler.butler.session import ButlerSession
from custom_components.plex_butler.butler.statistics import Statistics
from custom_components.plex_butler.runs.models import EndedRun, Outcome
from custom_components.plex_butler.runs.rules import GRACE, GRACE_ALREADY_RUNNING
from tests.plex.clients import TOKEN, client_for
from tests.simulator import SimulatedPlex
from tests.task_names import BACKUP, INTROS

BEGIN = datetime(2026, 11, 24, 2, tzinfo=UTC)
HOURS = timedelta(hours=2)


class Watch:
    """The clock of a machine, which can be set, and the time that really passes."""

    def __init__(self) -> None:
        """Begin at night."""
        self.shows = BEGIN
        self.passed = 0.0

    def pass_time(self, time: timedelta) -> None:
        """Let time pass."""
        self.shows += time
        self.passed += time.total_seconds()

    def clock(self) -> SteadyClock:
        """Return a clock on this machine."""
        return SteadyClock(utcnow=lambda: self.shows, monotonic=lambda: self.passed)


@pytest.fixture(name="watch")
def watch_fixture() -> Watch:
    return Watch()


@pytest.fixture(name="server")
async def server_fixture(socket_enabled: None) -> AsyncGenerator[SimulatedPlex]:
    async with SimulatedPlex(owner_token=TOKEN) as server:
        server.faults.no_row = True
        yield server


@pytest.fixture(name="session")
async def session_fixture(server: SimulatedPlex, watch: Watch) -> AsyncGenerator[ButlerSession]:
    async with client_for(server.url, machine_identifier=server.machine_identifier) as client:
        session = ButlerSession(client, Statistics(), watch.clock())
        await session.poll(server_updated=lambda: None)
        yield session


async def start(session: ButlerSession, task: str) -> None:
    await session.start(task, before_sending=lambda: None)


def running(session: ButlerSession) -> list[str]:
    return list(session.snapshot().running)


def ended(session: ButlerSession) -> EndedRun:
    [run] = [event for event in session.take_events() if isinstance(event, EndedRun)]
    return run


@pytest.mark.parametrize("set_by", [-HOURS, HOURS, timedelta()])
async def test_assumed_run_ends_after_its_grace(
    session: ButlerSession, watch: Watch, set_by: timedelta
) -> None:
    await start(session, BACKUP)
    watch.shows += set_by
    watch.pass_time(GRACE - timedelta(seconds=1))
    await session.poll(server_updated=lambda: None)
    assert running(session) == [BACKUP]
    watch.pass_time(timedelta(seconds=1))
    await session.poll(server_updated=lambda: None)
    assert running(session) == []
    assert ended(session).outcome is Outcome.END_NOT_SEEN


@pytest.mark.parametrize("set_by", [-HOURS, HOURS, timedelta()])
async def test_list_of_tasks_is_read_when_it_is_due(
    server: SimulatedPlex, session: ButlerSession, watch: Watch, set_by: timedelta
) -> None:
    watch.shows += set_by
    server.requests.clear()
    watch.pass_time(TASK_LIST_INTERVAL / 2)
    await session.poll(server_updated=lambda: None)
    assert "/butler" not in {request.path for request in server.requests}
    watch.pass_time(TASK_LIST_INTERVAL / 2)
    await session.poll(server_updated=lambda: None)
    assert "/butler" in {request.path for request in server.requests}


@pytest.mark.parametrize("set_by", [-HOURS, HOURS])
async def test_what_is_shown_of_a_run_follows_the_clock_and_its_duration_does_not(
    server: SimulatedPlex, session: ButlerSession, watch: Watch, set_by: timedelta
) -> None:
    await start(session, INTROS)
    assert session.snapshot().running[INTROS].started == BEGIN
    watch.pass_time(timedelta(seconds=60))
    await session.poll(server_updated=lambda: None)
    watch.shows += set_by
    watch.pass_time(timedelta(seconds=60))
    await session.poll(server_updated=lambda: None)
    assert session.snapshot().running[INTROS].started == BEGIN + set_by
    await session.stop(INTROS, before_sending=lambda: None)
    run = ended(session)
    assert (run.started, run.ended, run.last_known) == (BEGIN + set_by, watch.shows, watch.shows)
    assert run.duration == timedelta(seconds=120)
    assert session.snapshot().last_runs[INTROS] == run


async def test_stored_runs_are_in_utc_and_none_is_from_the_future(
    server: SimulatedPlex, session: ButlerSession, watch: Watch
) -> None:
    server.butler.start(INTROS)
    watch.shows += HOURS
    await start(session, INTROS)
    stored = session.runs_to_store()
    assert stored[INTROS].since == watch.shows
    assert stored[INTROS].grace_until == watch.shows + GRACE_ALREADY_RUNNING
    watch.shows -= HOURS
    async with client_for(server.url, machine_identifier=server.machine_identifier) as client:
        after = ButlerSession(client, Statistics(), watch.clock())
        after.restore_runs(stored, row_proven=False, denied={})
    restored = after.runs_to_store()[INTROS]
    assert restored.since == watch.shows
    assert restored.grace_until == watch.shows + GRACE_ALREADY_RUNNING


def test_clock_that_is_corrected_a_little_changes_nothing(watch: Watch) -> None:
    clock = watch.clock()
    shown = clock.utc(clock.now())
    watch.shows += TOLERANCE
    assert clock.utc(clock.now()) == shown
    watch.shows += timedelta(milliseconds=1)
    assert clock.utc(clock.now()) == watch.shows
    assert clock.steady(watch.shows) == clock.now() == BEGIN
