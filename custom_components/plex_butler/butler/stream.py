"""The notification stream of one server: kept open, and combined with polls."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
import logging
from random import uniform
from typing import Final, Protocol

from ..plex import (
    MOST_ACTIVITIES,
    Activity,
    ActivityChanged,
    Notification,
    NotOwnerError,
    NotPlexError,
    PlexClient,
    PlexError,
    UnauthorizedError,
)

_LOGGER = logging.getLogger(__name__)

FIRST_DELAY: Final = 5.0
"""How long to wait after the first loss, in seconds; then twice as long each time."""
LONGEST_DELAY: Final = 300.0
"""The longest wait after a stream was lost, in seconds."""
REFUSED_DELAY: Final = 3600.0
"""How long to wait after a stream was refused, in seconds: polling is enough without it."""
REFUSALS: Final = 3
"""How many refusals count as losses after a stream that was open: a proxy may be restarting."""
SETTLED: Final = 60.0
"""How long a stream has to last so that its loss counts as the first one again, in seconds."""

_REFUSALS: Final = (NotPlexError, NotOwnerError, UnauthorizedError)


class StreamListener(Protocol):
    """A receiver of the changes that a stream brings."""

    def stream_opened(self) -> None:
        """Handle that the stream is open: every later change arrives."""

    def stream_changed(self, changes: tuple[Notification, ...]) -> None:
        """Handle the changes of one frame, which may be none."""

    def stream_closed(self, err: PlexError | None) -> None:
        """Handle that the stream is closed; `err` is why it could not be opened, if that is so.

        Called after every try, but for the one that ends because the runner is cancelled.
        """


class StreamRunner:
    """Keeps the stream of one server open.

    It raises nothing: if the stream cannot be opened, polls are enough. Whatever the listener raises
    ends one connection only; it is logged, but not again while it repeats.
    """

    def __init__(
        self,
        client: PlexClient,
        listener: StreamListener,
        *,
        delay: Callable[[int], float] | None = None,
    ) -> None:
        """Initialize paused; `delay` returns how long to wait after so many losses, in seconds."""
        self._client = client
        self._listener = listener
        self._delay = delay or delay_after
        self._running = asyncio.Event()
        self._resumed = asyncio.Event()
        self._logged: type[Exception] | None = None

    def pause(self) -> None:
        """Do not connect again until `resume`. An open stream stays open."""
        self._running.clear()

    def resume(self) -> None:
        """Connect again; after a pause, even if the stream was refused before."""
        if not self._running.is_set():
            self._running.set()
            self._resumed.set()

    async def run(self) -> None:
        """Connect and listen until cancelled."""
        loop = asyncio.get_running_loop()
        failures = refusals = 0
        while True:
            await self._running.wait()
            self._resumed.clear()
            began, failure = loop.time(), None
            try:
                await self._listen()
                refusals, self._logged = REFUSALS, None
            except PlexError as err:
                failure = err
            except Exception as err:  # noqa: BLE001 - nothing may end the stream for good
                self._log(err)
            try:
                self._listener.stream_closed(failure)
            except Exception as err:  # noqa: BLE001 - nothing may end the stream for good
                self._log(err)
            if isinstance(failure, _REFUSALS):
                refusals -= 1
                if refusals < 0:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._resumed.wait(), REFUSED_DELAY)
                    continue
            if loop.time() - began >= SETTLED:
                failures = 0
            failures += 1
            await asyncio.sleep(self._delay(failures))

    def _log(self, err: Exception) -> None:
        if type(err) is not self._logged:
            _LOGGER.error("Unexpected error in the notification stream", exc_info=err)
        self._logged = type(err)

    async def _listen(self) -> None:
        async with self._client.notifications() as notifications:
            self._listener.stream_opened()
            async for changes in notifications:
                self._listener.stream_changed(changes)


class StreamHealth:
    """Whether the stream brings every change, so that polls may be rare."""

    def __init__(self) -> None:
        """Initialize without a stream."""
        self._open = False
        self._complete = False
        self._used = False
        self._silent = False

    @property
    def is_open(self) -> bool:
        """Return whether the stream is open."""
        return self._open

    @property
    def is_reliable(self) -> bool:
        """Return whether the stream has brought all changes since the last poll."""
        return self._complete and not self._silent

    def record_opened(self) -> None:
        """Record that the stream is open."""
        self._open = True

    def record_closed(self) -> None:
        """Record that the stream is closed."""
        self._open = self._complete = False

    def record_change(self) -> None:
        """Record that the stream has brought a change of an activity."""
        self._used, self._silent = True, False

    def record_poll_failure(self) -> None:
        """Record that a poll failed: changes may be missing until the next good one."""
        self._complete = False

    def record_poll(self, *, since_open: bool, differs: Callable[[], bool]) -> bool:
        """Record a good poll; return whether the stream is open but brings nothing.

        `since_open`: the stream was open when the poll was sent. `differs` returns whether the
        answer differs from what was known; it then shows that something, such as a proxy, withholds
        the changes.
        """
        silent = self._complete and not self._used and differs()
        self._silent |= silent
        self._used = False
        self._complete = since_open
        return silent


class ChangesDuringPoll:
    """The changes that the stream brings during a poll of the activities.

    They are younger than the answer to the poll, or equal to it.
    """

    def __init__(self) -> None:
        """Initialize without a poll."""
        self._changes: dict[str, ActivityChanged] | None = None

    def begin(self) -> None:
        """Keep changes from now on: a poll is about to be sent."""
        self._changes = {}

    def end(self) -> None:
        """Keep no more changes: the poll is over."""
        self._changes = None

    def record(self, change: ActivityChanged) -> bool:
        """Record a change during a poll; return False if there are too many."""
        if self._changes is None:
            return True
        uuid = change.activity.uuid
        if len(self._changes) >= MOST_ACTIVITIES and uuid not in self._changes:
            return False
        self._changes[uuid] = change
        return True

    def apply(self, activities: Iterable[Activity]) -> Iterable[Activity]:
        """Return the answer to the poll with the changes applied."""
        if not self._changes:
            return activities
        listed = {activity.uuid: activity for activity in activities}
        for uuid, change in self._changes.items():
            if change.ended:
                listed.pop(uuid, None)
            else:
                listed[uuid] = change.activity
        return listed.values()


def delay_after(failures: int) -> float:
    """Return how long to wait after so many losses in a row, in seconds.

    The longest wait doubles each time. The wait is random, so that several clients that have lost a
    server together do not come back together.
    """
    longest = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(failures - 1, 10))
    return uniform(longest / 2, longest)  # noqa: S311 - no secret
