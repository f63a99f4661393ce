"""The life of the notification stream, and how long it waits between two tries."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import chain, pairwise
from typing import Final, override

from freezegun.api import FrozenDateTimeFactory
from hypothesis import given, settings, strategies as st
import pytest

from custom_components.plex_butler.butler.stream import (
    FIRST_DELAY,
    LONGEST_DELAY,
    REFUSALS,
    REFUSED_DELAY,
    SETTLED,
    StreamRunner,
    delay_after,
)
from custom_components.plex_butler.plex import (
    ActivityChanged,
    CannotConnectError,
    Notification,
    NotPlexError,
    OtherServerError,
    PlexError,
    StartingUpError,
    UnauthorizedError,
)
from tests.plex.clients import TOKEN, client_for
from tests.simulator import SimulatedPlex

pytestmark = pytest.mark.usefixtures("socket_enabled")

leaves_heartbeat = pytest.mark.parametrize("expected_lingering_timers", [True])
"""aiohttp's: the server's goodbye sets it going a last time."""

STREAM: Final = "/:/websockets/notifications"
OPENED: Final = "opened"
CLOSED: Final = "closed"


class Recorder:
    """Listens, and writes down what it is told."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.heard: list[object] = []
        self.changes: list[Notification] = []

    def stream_opened(self) -> None:
        """Write down that it is open."""
        self.heard.append(OPENED)

    def stream_changed(self, changes: tuple[Notification, ...]) -> None:
        """Write down the changes, apart from the rest."""
        self.changes += changes

    def stream_closed(self, err: PlexError | None) -> None:
        """Write down why it is closed."""
        self.heard.append(type(err) if err else CLOSED)


class Delays:
    """Writes down after how many failures it was asked."""

    def __init__(self, seconds: float = 0) -> None:
        """Initialize with what the answer is each time."""
        self.asked: list[int] = []
        self._seconds = seconds

    def __call__(self, failures: int) -> float:
        """Return the delay after so many failures."""
        self.asked.append(failures)
        return self._seconds


@pytest.fixture(name="server")
async def server_fixture(socket_enabled: None) -> AsyncGenerator[SimulatedPlex]:
    async with SimulatedPlex(owner_token=TOKEN) as server:
        yield server


@pytest.fixture(name="listener")
def listener_fixture() -> Recorder:
    return Recorder()


async def until(happened: Callable[[], object]) -> None:
    """Wait for something that takes a moment on a real socket, whatever the clock says."""
    for _ in range(20_000):
        if happened():
            return
        await asyncio.sleep(0)
    pytest.fail("it has not happened")


async def settled() -> None:
    """Let everything happen that is about to."""
    for _ in range(200):
        await asyncio.sleep(0)


@asynccontextmanager
async def living(
    server: SimulatedPlex,
    listener: Recorder,
    delay: Callable[[int], float] | None = None,
    *,
    wanted: bool = True,
) -> AsyncGenerator[StreamRunner[tuple[Notification, ...]]]:
    """Let a stream live; in the end it is cancelled, and has to leave nothing."""
    tasks = asyncio.all_tasks()
    async with client_for(server.url) as client:
        runner = StreamRunner(client.notifications, listener, delay=delay)
        if wanted:
            runner.resume()
        life = asyncio.create_task(runner.run())
        try:
            yield runner
            assert not life.done()
        finally:
            life.cancel()
            await asyncio.wait([life])
        assert life.cancelled()
        await until(lambda: not server.notifications.listeners)
    await until(lambda: asyncio.all_tasks() <= tasks)


# Listening


async def test_nothing_is_sent_until_it_is_wanted(
    server: SimulatedPlex, listener: Recorder
) -> None:
    async with living(server, listener, Delays(), wanted=False) as runner:
        await settled()
        assert server.requests == []
        assert listener.heard == []

        runner.resume()
        await until(lambda: listener.heard)
        assert listener.heard == [OPENED]
        assert [request.path for request in server.requests] == ["/identity", STREAM]


async def test_what_a_server_tells_is_told_in_order(
    server: SimulatedPlex, listener: Recorder
) -> None:
    delays = Delays()
    async with living(server, listener, delays):
        await until(lambda: listener.heard)
        for _ in range(3):
            server.users.dvr_noise()
        await until(lambda: len(listener.changes) == 6)

    ended = [change.ended for change in listener.changes if isinstance(change, ActivityChanged)]
    assert ended == [False, True] * 3
    assert listener.heard == [OPENED]
    assert delays.asked == []


async def test_a_stream_that_ends_is_opened_again(
    server: SimulatedPlex, listener: Recorder
) -> None:
    delays = Delays()
    async with living(server, listener, delays):
        for opened in range(1, 5):
            await until(lambda: listener.heard.count(OPENED) == opened)  # noqa: B023 - at once
            server.users.dvr_noise()
            await until(lambda: len(listener.changes) == 2 * opened)  # noqa: B023 - at once
            await server.notifications.hang_up()
            await until(lambda: len(delays.asked) == opened)  # noqa: B023 - at once

    assert listener.heard[:8] == [OPENED, CLOSED] * 4
    assert delays.asked == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("maintenance", StartingUpError),
        ("other_machine_identifier", OtherServerError),
        ("empty_reply", CannotConnectError),
    ],
)
async def test_a_stream_that_cannot_be_opened_is_tried_again(
    server: SimulatedPlex, listener: Recorder, fault: str, kind: type[PlexError]
) -> None:
    setattr(server.faults, fault, True)
    delays = Delays()
    async with living(server, listener, delays):
        await until(lambda: len(listener.heard) > 5)
        assert set(listener.heard) == {kind}

        setattr(server.faults, fault, False)
        await until(lambda: OPENED in listener.heard)
        server.users.dvr_noise()
        await until(lambda: listener.changes)

    assert listener.heard[-1] == OPENED
    assert delays.asked == list(range(1, len(listener.heard)))


@pytest.mark.parametrize(
    ("fault", "kind"), [("no_websocket", NotPlexError), ("unauthorized", UnauthorizedError)]
)
async def test_a_stream_that_is_refused_is_tried_again_after_an_hour(
    server: SimulatedPlex,
    listener: Recorder,
    freezer: FrozenDateTimeFactory,
    fault: str,
    kind: type[PlexError],
) -> None:
    setattr(server.faults, fault, True)
    delays = Delays()
    async with living(server, listener, delays):
        for refusals in range(1, 4):
            await until(lambda: len(listener.heard) == refusals)  # noqa: B023 - at once
            freezer.tick(timedelta(seconds=REFUSED_DELAY - 1))
            await settled()
            assert listener.heard == [kind] * refusals
            freezer.tick(timedelta(seconds=1.1))
        await until(lambda: len(listener.heard) == 4)
        setattr(server.faults, fault, False)
        freezer.tick(timedelta(seconds=REFUSED_DELAY + 0.1))
        await until(lambda: listener.heard[-1] == OPENED)

    assert delays.asked == []


async def test_a_stream_that_was_open_may_be_refused_for_a_while(
    server: SimulatedPlex, listener: Recorder, freezer: FrozenDateTimeFactory
) -> None:
    delays = Delays()
    async with living(server, listener, delays):
        await until(lambda: listener.heard)
        server.faults.no_websocket = True
        await server.notifications.hang_up()
        refusals = REFUSALS + 1
        await until(lambda: len(listener.heard) == 2 + refusals)
        await settled()
        assert listener.heard == [OPENED, CLOSED, *[NotPlexError] * refusals]
        # From now on it is tried again every hour only.
        for _ in range(2):
            refusals += 1
            freezer.tick(timedelta(seconds=REFUSED_DELAY + 1))
            await until(lambda: len(listener.heard) == 2 + refusals)  # noqa: B023 - at once
            await settled()
            assert len(listener.heard) == 2 + refusals


async def test_a_stream_that_was_refused_is_tried_again_once_the_server_has_come_back(
    server: SimulatedPlex, listener: Recorder
) -> None:
    server.faults.no_websocket = True
    async with living(server, listener) as runner:
        await until(lambda: listener.heard)
        server.requests.clear()
        runner.resume()
        await settled()
        assert server.requests == []
        server.faults.no_websocket = False
        runner.pause()
        await settled()
        assert server.requests == []
        runner.resume()
        await until(lambda: listener.heard == [NotPlexError, OPENED])


async def test_a_server_that_goes_and_comes_back(server: SimulatedPlex, listener: Recorder) -> None:
    async with living(server, listener, Delays()):
        await until(lambda: listener.heard)
        await server.stop_listening()
        await until(lambda: len(listener.heard) > 3)
        assert listener.heard[:2] == [OPENED, CLOSED]
        assert set(listener.heard[2:]) == {CannotConnectError}
        await server.listen()
        await until(lambda: listener.heard[-1] == OPENED)


# Not wanted any more


async def test_an_open_stream_stays_whether_it_is_wanted_or_not(
    server: SimulatedPlex, listener: Recorder
) -> None:
    async with living(server, listener, Delays()) as runner:
        await until(lambda: listener.heard)
        runner.pause()
        server.users.dvr_noise()
        await until(lambda: len(listener.changes) == 2)
        assert listener.heard == [OPENED]


async def test_a_server_that_is_away_is_left_alone(
    server: SimulatedPlex, listener: Recorder
) -> None:
    delays = Delays()
    async with living(server, listener, delays) as runner:
        await until(lambda: listener.heard)
        runner.pause()
        await server.notifications.hang_up()
        await until(lambda: delays.asked)
        server.requests.clear()
        await settled()
        assert listener.heard == [OPENED, CLOSED]
        assert server.requests == []

        runner.resume()
        await until(lambda: len(listener.heard) == 3)
        assert listener.heard[-1] == OPENED


async def test_the_delay_is_waited_whether_it_is_wanted_or_not(
    server: SimulatedPlex, listener: Recorder, freezer: FrozenDateTimeFactory
) -> None:
    server.faults.maintenance = True
    async with living(server, listener, Delays(10)) as runner:
        await until(lambda: listener.heard)
        server.requests.clear()
        runner.pause()
        runner.resume()
        freezer.tick(timedelta(seconds=9.9))
        await settled()
        assert server.requests == []
        runner.pause()
        freezer.tick(timedelta(seconds=0.2))
        await settled()
        assert server.requests == []
        runner.resume()
        await until(lambda: server.requests)


# Delays


async def test_a_stream_that_has_lived_starts_the_count_anew(
    server: SimulatedPlex, listener: Recorder, freezer: FrozenDateTimeFactory
) -> None:
    delays = Delays(10)

    async def failed(times: int) -> None:
        await until(lambda: len(delays.asked) == times)
        freezer.tick(timedelta(seconds=10.1))

    async def lived(seconds: float) -> None:
        await until(lambda: listener.heard[-1] == OPENED)
        freezer.tick(timedelta(seconds=seconds))
        await settled()
        await server.notifications.hang_up()

    server.faults.maintenance = True
    async with living(server, listener, delays):
        await failed(1)
        await failed(2)
        await until(lambda: len(delays.asked) == 3)
        server.faults.maintenance = False
        freezer.tick(timedelta(seconds=10.1))
        await lived(SETTLED - 0.1)
        await failed(4)
        await lived(SETTLED + 0.1)
        await failed(5)
        await lived(0)
        await failed(6)
        await until(lambda: listener.heard[-1] == OPENED)

    assert delays.asked == [1, 2, 3, 4, 1, 2]


async def test_without_anything_said_the_delays_grow(
    server: SimulatedPlex, listener: Recorder, freezer: FrozenDateTimeFactory
) -> None:
    server.faults.maintenance = True
    async with living(server, listener):
        for longest in (5, 10, 20, 40, 80, 160, 300, 300):
            await until(lambda: server.requests)
            await settled()
            server.requests.clear()
            freezer.tick(timedelta(seconds=longest / 2 - 0.1))
            await settled()
            assert server.requests == []
            freezer.tick(timedelta(seconds=longest / 2 + 0.2))
        await until(lambda: server.requests)


@settings(deadline=None)
@given(st.integers(1, 10**9))
def test_a_delay_is_between_the_half_and_the_whole_of_its_longest(failures: int) -> None:
    longest = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(failures - 1, 1000))

    assert longest / 2 <= delay_after(failures) <= longest


def test_delays_grow_up_to_a_limit() -> None:
    drawn = [[delay_after(failures) for _ in range(200)] for failures in range(1, 20)]

    assert all(max(before) <= min(after) for before, after in pairwise(drawn[:6]))
    assert all(LONGEST_DELAY / 2 <= delay <= LONGEST_DELAY for delay in chain(*drawn[6:]))


@pytest.mark.parametrize("failures", [1, 7, 50])
def test_many_that_lost_a_server_together_do_not_come_back_together(failures: int) -> None:
    drawn = sorted(delay_after(failures) for _ in range(300))
    longest = min(LONGEST_DELAY, FIRST_DELAY * 2 ** (failures - 1))

    assert len(set(drawn)) > 290
    assert drawn[0] < 0.55 * longest
    assert drawn[-1] > 0.95 * longest


# The end


@pytest.mark.parametrize("stage", ["not wanted", "connecting", "open", "told", "delayed"])
async def test_cancelling_leaves_nothing(
    server: SimulatedPlex, listener: Recorder, stage: str
) -> None:
    server.faults.hang = stage == "connecting"
    server.faults.no_websocket = stage == "delayed"
    async with living(server, listener, Delays(3600), wanted=stage != "not wanted"):
        match stage:
            case "not wanted":
                await settled()
            case "connecting":
                await until(lambda: server.requests)
            case "told":
                await until(lambda: listener.heard)
                server.users.dvr_noise()
                await until(lambda: listener.changes)
            case _:
                await until(lambda: listener.heard)
        heard = list(listener.heard)

    assert listener.heard == heard
    assert len(heard) == (stage not in ("not wanted", "connecting"))


# What a listener raises


class Failing(Recorder):
    """Raises behind every frame, and when it is told that the stream is open or closed."""

    def __init__(self, *where: str) -> None:
        """Initialize with the names of the methods that raise."""
        super().__init__()
        self.where = set(where)

    @override
    def stream_opened(self) -> None:
        super().stream_opened()
        self._fail("stream_opened")

    @override
    def stream_changed(self, changes: tuple[Notification, ...]) -> None:
        super().stream_changed(changes)
        self._fail("stream_changed")

    @override
    def stream_closed(self, err: PlexError | None) -> None:
        super().stream_closed(err)
        self._fail("stream_closed")

    def _fail(self, where: str) -> None:
        if where in self.where:
            raise ZeroDivisionError(where)


@leaves_heartbeat
@pytest.mark.parametrize(
    "where", [("stream_opened",), ("stream_changed",), ("stream_changed", "stream_closed")]
)
async def test_what_a_listener_raises_ends_one_connection_only_and_is_logged_once(
    server: SimulatedPlex, caplog: pytest.LogCaptureFixture, where: tuple[str, ...]
) -> None:
    listener, delays = Failing(*where), Delays()
    async with living(server, listener, delays):
        for opened in range(1, 4):
            await until(lambda: listener.heard.count(OPENED) == opened)  # noqa: B023 - at once
            await until(lambda: server.notifications.listeners or delays.asked)
            server.users.dvr_noise()
            await until(lambda: len(delays.asked) >= opened)  # noqa: B023 - at once
        assert listener.heard[:6] == [OPENED, CLOSED] * 3
        listener.where.clear()
        heard = len(listener.heard)
        await until(lambda: OPENED in listener.heard[heard:])
        listener.changes.clear()
        server.users.dvr_noise()
        await until(lambda: len(listener.changes) == 2)
    logged = [r for r in caplog.records if r.levelname == "ERROR"]
    assert [(r.getMessage(), r.exc_info is not None) for r in logged] == [
        ("Unexpected error in a stream of a server", True)
    ]


@leaves_heartbeat
async def test_failure_is_logged_again_after_a_stream_without_one(
    server: SimulatedPlex, caplog: pytest.LogCaptureFixture
) -> None:
    listener, delays = Failing("stream_opened"), Delays()
    async with living(server, listener, delays):
        await until(lambda: len(delays.asked) >= 2)
        listener.where.clear()
        before = len(listener.heard)
        await until(lambda: OPENED in listener.heard[before:] and server.notifications.listeners)
        await server.notifications.hang_up()
        await until(lambda: listener.heard[-1] == CLOSED)
        listener.where.add("stream_opened")
        before = len(delays.asked)
        await until(lambda: len(delays.asked) >= before + 3)
    assert len([r for r in caplog.records if r.levelname == "ERROR"]) == 2


# A stream that is not always wanted


async def test_stream_is_open_only_while_it_is_wanted(
    server: SimulatedPlex, listener: Recorder
) -> None:
    delays = Delays()
    async with living(server, listener, delays) as runner:
        await until(lambda: listener.heard == [OPENED])
        runner.want(wanted=False)
        assert not runner.wanted
        await until(lambda: listener.heard == [OPENED, CLOSED])
        await settled()
        assert server.notifications.listeners == 0
        runner.want(wanted=True)
        await until(lambda: listener.heard == [OPENED, CLOSED, OPENED])
    assert not delays.asked


async def test_stream_that_is_wanted_again_at_once_is_opened_again(
    server: SimulatedPlex, listener: Recorder
) -> None:
    async with living(server, listener, Delays()) as runner:
        await until(lambda: listener.heard == [OPENED])
        runner.want(wanted=False)
        runner.want(wanted=True)
        await until(lambda: listener.heard == [OPENED, CLOSED, OPENED])


async def test_stream_that_is_not_wanted_is_not_opened(
    server: SimulatedPlex, listener: Recorder
) -> None:
    async with living(server, listener, wanted=False) as runner:
        runner.want(wanted=False)
        runner.resume()
        await settled()
        assert not server.requests
        runner.pause()
        runner.want(wanted=True)
        await settled()
        assert not server.requests
        runner.resume()
        await until(lambda: listener.heard == [OPENED])


@leaves_heartbeat
async def test_time_limit_of_a_listener_is_not_taken_for_the_end(
    server: SimulatedPlex,
    listener: Recorder,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def time_out(_: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(listener, "stream_changed", time_out)
    async with living(server, listener, Delays(1000)):
        await until(lambda: listener.heard == [OPENED])
        server.users.dvr_noise()
        await until(lambda: listener.heard == [OPENED, CLOSED])
    assert "Unexpected error in a stream of a server" in caplog.text
