"""What is shown and told of one server: a snapshot for the entities, news for the triggers."""

from abc import abstractmethod
from collections.abc import Callable, Set as AbstractSet
from datetime import datetime
import time
from typing import Final, override

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import CALLBACK_TYPE, HomeAssistant, callback
from homeassistant.helpers.debounce import Debouncer
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.helpers.ratelimit import KeyedRateLimit
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator
from homeassistant.util import dt as dt_util
from homeassistant.util.signal_type import SignalType

from .butler.snapshot import Snapshot
from .const import (
    ACTIVITIES_INTERVAL_ACTIVE,
    ACTIVITIES_INTERVAL_IDLE,
    DOMAIN,
    LOGGER,
    SHOW_INTERVAL,
)
from .plex import ButlerTask, Server
from .run_store import Memories, Memory
from .runs.models import EndedRun, Maintenance, News, RunNews
from .runs.tracker import Runs

SIGNAL_NEWS: SignalType[str, News] = SignalType(f"{DOMAIN}_news")
"""For triggers: sent with a config entry's id and what happened, once the entities show it."""

_BUTLER: Final = ""  # no task has such a name


class Publisher(DataUpdateCoordinator[Snapshot]):
    """Holds what is known of one server, shows it, and remembers it over restarts."""

    config_entry: ConfigEntry
    _server: Server  # there once a poll has succeeded

    def __init__(self, hass: HomeAssistant, entry: ConfigEntry) -> None:
        """Initialize; nothing is known."""
        super().__init__(
            hass,
            LOGGER,
            config_entry=entry,
            name=entry.title,
            update_interval=ACTIVITIES_INTERVAL_IDLE,
            request_refresh_debouncer=Debouncer(
                hass,
                LOGGER,
                cooldown=ACTIVITIES_INTERVAL_ACTIVE.total_seconds(),
                immediate=True,
                background=True,
            ),
            # A snapshot compares by value: an idle server writes no state.
            always_update=False,
        )
        self.memory = Memory(hass, entry.entry_id, self._remember)
        self._runs = Runs()
        self._tasks: dict[str, ButlerTask] = {}
        self._last_runs: dict[str, EndedRun] = {}
        self._version: str | None = None
        self._kept: tuple[AbstractSet[str], bool] = (set(), False)  # what the file should know of
        self._news: list[RunNews] = []
        self._news_listeners: list[Callable[[News], None]] = []
        self._maintenance: bool | None = None
        self._limit = KeyedRateLimit(hass)
        entry.async_on_unload(self._limit.async_remove)

    @abstractmethod
    def _set_pace(self, now: datetime) -> None:
        """Choose the interval of the polls by what runs."""

    # --- memory

    @override
    async def _async_setup(self) -> None:
        """Recall what ran, and the last runs, before the first poll."""
        memories = await self.memory.load()
        self._version = memories.version
        self._last_runs = dict(memories.last_runs)
        self._runs.recall(memories.runs, row_proven=memories.row_proven)

    def _remember(self) -> Memories:
        return Memories(
            self._version, self._runs.row_proven, self._runs.remembered, self._last_runs
        )

    # --- showing

    def _show_soon(self) -> None:
        """Show what the runs say if it is anything new: at once, but no thing too often."""
        now, wait = time.time(), SHOW_INTERVAL.total_seconds()
        due = [
            self._limit.async_schedule_action(thing, wait, now, self._show)
            for thing in self._changed()
        ]
        if None in due:
            self._show()

    def _changed(self) -> set[str]:
        """Return what has to be shown: the tasks, and Butler as a whole."""
        self._take_news()
        shown, running = self.data.running, self._runs.running
        changed = {
            task for task in shown.keys() | running.keys() if shown.get(task) != running.get(task)
        }
        changed |= {told.task for told in self._news}
        return changed | ({_BUTLER} if self.data.maintenance != self._runs.maintenance else set())

    @callback
    def _show(self) -> None:
        for thing in self._changed():
            self._limit.async_triggered(thing)
        # Where a poll has failed meanwhile, that is still what there is to show.
        if not self.last_update_success:
            return
        snapshot, pace = self._snapshot(busy=self.data.busy), self.update_interval
        self._set_pace(dt_util.utcnow())
        if self.update_interval != pace:
            self.async_set_updated_data(snapshot)
        elif snapshot != self.data:
            # Without putting off the next poll, as the other way would.
            self.data = snapshot
            self.async_update_listeners()

    def _snapshot(self, *, busy: bool = False) -> Snapshot:
        self._take_news()
        if not self.data or not self.last_update_success:
            self._news.clear()  # whatever it is, it began or ended while nobody looked
        running = self._runs.running
        kept = (running.keys(), self._runs.row_proven)
        if kept != self._kept:
            self._kept = kept
            self.memory.save_soon()
        return Snapshot(
            self._server,
            dict(self._tasks),
            running,
            dict(self._last_runs),
            self._runs.maintenance,
            busy,
        )

    def _take_news(self) -> None:
        """Keep what is over, and tell those who wait for it."""
        if news := self._runs.take_news():
            for told in news:
                if isinstance(told, EndedRun):
                    self._last_runs[told.task] = told
                    self._over(told)
            self._news += news
            self.memory.save_soon()

    def _over(self, ended: EndedRun) -> None:
        """Take in that a run is over, whether it is news to others or not."""

    @override
    @callback
    def async_update_listeners(self) -> None:
        """Let the entities show the snapshot, and then tell the news that led to it."""
        super().async_update_listeners()
        if not self.last_update_success or self.memory.closed:
            return
        news: list[News] = [*self._news]
        self._news.clear()
        before, self._maintenance = self._maintenance, self.data.maintenance
        if before is False and self._maintenance:
            news.insert(0, Maintenance.STARTED)
        elif before and not self._maintenance:
            news.append(Maintenance.OVER)
        for told in news:
            for listener in tuple(self._news_listeners):
                listener(told)
        for told in news:
            async_dispatcher_send(self.hass, SIGNAL_NEWS, self.config_entry.entry_id, told)

    @callback
    def async_add_news_listener(self, listener: Callable[[News], None]) -> CALLBACK_TYPE:
        """Let an entity show the news before the triggers fire for them."""
        self._news_listeners.append(listener)

        @callback
        def remove() -> None:
            self._news_listeners.remove(listener)

        return remove
