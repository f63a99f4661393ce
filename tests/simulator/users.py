"""People who use the server beside its Butler, and what of theirs looks like maintenance."""

from typing import Final

from .activities import Activities, Activity, Publish
from .clock import Clock
from .players import Players

_METADATA: Final = "library.update.item.metadata"
_SCANNED: Final = {
    "title": "Library scan complete",
    "description": "",
    "notificationName": "LIBRARY_UPDATE",
}


class Users:
    """Each method lets somebody do something now; it goes on in simulated time."""

    def __init__(
        self, clock: Clock, activities: Activities, players: Players, publish: Publish
    ) -> None:
        """Initialize."""
        self._clock = clock
        self._activities = activities
        self._players = players
        self._publish = publish

    def scan_library(self, items: int = 3, item_seconds: float = 2) -> None:
        """Scan a library: one activity for it all, and one for each item that changed."""
        scan = self._activities.begin("library.update.section", "Private Movie (1999)")

        def work(number: int) -> None:
            if not self._activities.is_listed(scan):
                return  # the server has restarted
            if number == items:
                self._activities.end(scan)
                self._publish("status", "StatusNotification", [_SCANNED])
                return
            self._activities.progress(scan, number * 100 // items)
            self._publish("progress", "ProgressNotification", [{"message": "Scanning Movies"}])
            self._for(item_seconds, self._activities.begin(_METADATA, f"Private Movie {number}"))
            self._clock.call_later(item_seconds, lambda: work(number + 1))

        self._clock.call_later(0, lambda: work(0))

    def add_episode(self, type_: str = "media.generate.intros", seconds: float = 60) -> None:
        """Add an episode, which the server analyzes at once: an activity like Butler's own."""
        self._for(seconds, self._activities.begin(type_, "Private Show S02 E01"))

    def open_item_page(self) -> None:
        """Open the page of a film, which refreshes it; what is done is told a second later."""
        activity = self._activities.begin("library.refresh.items", "")
        self._clock.call_later(1, lambda: self._activities.progress(activity, 0, "Checking files"))
        self._for(2, activity)

    def refresh_guide(self, seconds: float = 60) -> None:
        """Refresh the guide of a DVR by hand."""
        self._for(seconds, self._activities.begin("provider.epg.load", "Downloaded 173 airings"))

    def dvr_noise(self, times: int = 1) -> None:
        """Let the DVR look for something to record, which takes no time at all."""
        for _ in range(times):
            self._activities.end(
                self._activities.begin("provider.subscriptions.process", "", cancellable=True)
            )

    def play(
        self, state: str = "playing", player: str = "Living room", seconds: float = 5400
    ) -> None:
        """Play, pause or stop a film, which ends by itself when it has played for that long."""
        self._players.report(player, state, seconds)

    def lose_player(self, player: str = "Living room") -> None:
        """Switch a player off without stopping the film."""
        self._players.lose(player)

    def remote_access_flaps(self) -> None:
        """Lose and find the way in from outside."""
        self._publish("reachability", "ReachabilityNotification", [{"reachability": True}])

    def _for(self, seconds: float, activity: Activity) -> None:
        self._clock.call_later(seconds, lambda: self._activities.end(activity))
