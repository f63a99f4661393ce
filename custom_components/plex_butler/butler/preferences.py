"""The preferences of one server: read, set, and compared with what was asked for."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Final

from ..plex import (
    NO_PREFERENCES,
    WINDOW_END,
    WINDOW_START,
    NotOwnerError,
    PlexClient,
    PlexError,
    Preferences,
    PreferencesRefusedError,
    PreferenceValue,
    UnauthorizedError,
    task_of,
)
from ..runs.tasks import task_key
from .shared_reads import SharedReads

TRIES: Final = 10
"""How often the preferences are read after a change: they may be refused for some seconds (seen)."""
PAUSE: Final = 0.5
"""How long to wait between two of these tries, in seconds."""
LOST_AFTER: Final = 2
"""How many reads in a row have to fail before the preferences are no longer known."""

WINDOW: Final = {"window_start": WINDOW_START, "window_end": WINDOW_END}
"""The preferences of the window, by their keys in responses and texts."""


class PreferencesError(PlexError):
    """Base class of the errors about some preferences."""

    def __init__(self, message: str, ids: Iterable[str]) -> None:
        """Initialize with what is wrong, and with which."""
        self.ids = tuple(ids)
        super().__init__(f"{message}: {', '.join(self.ids)}")

    @property
    def keys(self) -> tuple[str, ...]:
        """Return the keys of what the preferences are about: the window's ends, and tasks."""
        window = {preference_id: key for key, preference_id in WINDOW.items()}
        return tuple(
            task_key(task) if (task := task_of(each)) else window.get(each, each)
            for each in self.ids
        )


class PreferencesNotListedError(PreferencesError):
    """The server does not list preferences, or not these values. Nothing was sent."""

    key = "schedule_not_listed"


class PreferencesDifferError(PreferencesError):
    """The server accepted preferences, but lists other values after that."""

    key = "schedule_differs"


class PreferencesNotReadError(PlexError):
    """The server accepted preferences, but they could not be read after that."""

    key = "schedule_not_read"


class ServerPreferences:
    """The preferences of one server, as they were last read."""

    def __init__(
        self, client: PlexClient, pause: Callable[[float], Awaitable[None]] | None = None
    ) -> None:
        """Initialize without any; nothing is sent. `pause` waits for a time in seconds."""
        self.known = NO_PREFERENCES
        self._client = client
        self._pause = pause or asyncio.sleep
        self._read = SharedReads(self._read_now)
        self._setting = asyncio.Lock()
        self._changed = False
        self._failed_reads = 0

    @property
    def due(self) -> bool:
        """Return whether the next poll has to read the preferences, because the last read failed."""
        return 0 < self._failed_reads < LOST_AFTER

    @property
    def lost(self) -> bool:
        """Return whether the preferences are not known for a reason that may pass by itself."""
        return self._failed_reads >= LOST_AFTER

    @property
    def change_unread(self) -> bool:
        """Return whether the next poll has to read a change, because the server refused that."""
        return self.due and self._changed

    def record_change(self) -> None:
        """Record that preferences have changed: the next read may be refused for some seconds."""
        self._changed = True

    async def read(self) -> None:
        """Read the preferences. A failure is none: nothing else depends on them.

        A server that refuses to list them has none. After any other failure they remain as they were
        last read, but after LOST_AFTER of them they are no longer known.
        """
        try:
            await self._read()
        except PlexError as err:
            refused = isinstance(err, UnauthorizedError | NotOwnerError)
            self._failed_reads = 0 if refused else self._failed_reads + 1
            if refused or self.lost:
                self.known = NO_PREFERENCES

    async def set(
        self,
        values: Mapping[str, PreferenceValue],
        *,
        before_sending: Callable[[], None],
        read_before: bool = False,
    ) -> Preferences:
        """Set preferences by the server's ids, read them back and compare them.

        Returns what they were before: as last known or, if `read_before`, as the server lists them
        now, because somebody else may have changed them since. `before_sending` is called just before
        they are sent, and what it raises keeps them back.

        Raises PlexError: PreferencesNotListedError before anything is sent, PreferencesDifferError,
        and PreferencesNotReadError if the server has accepted them, but cannot be asked for them.
        """
        async with self._setting:
            self._require_listed(values)
            if read_before:
                await self._read_before()
                self._require_listed(values)
            before = self.known
            before_sending()
            try:
                await self._client.set_preferences(values)
            finally:
                self._changed = True
            try:
                await self._read()
            except PlexError as err:
                raise PreferencesNotReadError(f"Not read back: {err}") from None
            if not self.known:
                raise PreferencesNotReadError("The server no longer lists its preferences")
            if ids := [key for key, value in values.items() if self.known.get(key) != value]:
                raise PreferencesDifferError("The server has other values", ids)
            return before

    def _require_listed(self, values: Mapping[str, PreferenceValue]) -> None:
        if ids := [key for key, value in values.items() if not self.known.allows(key, value)]:
            raise PreferencesNotListedError("The server does not list this", ids)

    async def _read_before(self) -> None:
        """Read the preferences. Those that are refused, or gone, remain as they were last read."""
        known = self.known
        with suppress(PreferencesRefusedError):
            await self._read()
        self.known = self.known or known

    async def _read_now(self) -> None:
        """Read the preferences; after a change again, for as long as they are refused."""
        tries = TRIES if self._changed else 1
        # A change that is recorded meanwhile counts for the next read.
        self._changed = False
        preferences = await self._try_to_read(last=tries == 1, waited=False)
        for number in range(2, tries + 1):
            if preferences is not None:
                break
            await self._pause(PAUSE)
            preferences = await self._try_to_read(last=number == tries, waited=True)
        self.known = preferences or NO_PREFERENCES
        self._failed_reads = 0

    async def _try_to_read(self, *, last: bool, waited: bool) -> Preferences | None:
        """Return the preferences, None if they are refused and may be read again."""
        try:
            return await self._client.preferences()
        except PreferencesRefusedError:
            if last:
                # What was waited for has to be waited for again.
                self._changed |= waited
                raise
            return None
