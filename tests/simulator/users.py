"""People who use the server beside its Butler, and what of theirs looks like maintenance."""

from functools import partial

from .activities import Activities, Publish
from .clock import Clock


class Users:
    """Each method lets somebody do something now; it goes on in simulated time."""

    def __init__(self, clock: Clock, activities: Activities, publish: Publish) -> None:
        """Initialize."""
        self._clock = clock
        self._activities = activities
        self._publish = publish

    def scan_library(self, items: int = 3, item_seconds: float = 2) -> None:
        """Scan a library: one activity for it all, and one for each item that changed."""
        scan = self._activities.begin(
            "library.update.section",
            "Scanning Movies",
            "Private Movie (1999)",
            context={"librarySectionID": "12"},
        )
        for number in range(items):
            self._clock.call_later(number * item_seconds, partial(self._item, number, item_seconds))
            self._clock.call_later(
                number * item_seconds,
                partial(self._activities.progress, scan, number * 100 // items),
            )
        self._clock.call_later(items * item_seconds, lambda: self._activities.end(scan))

    def add_episode(self, type_: str = "media.generate.intros", seconds: float = 60) -> None:
        """Add an episode, which the server analyzes at once: an activity like Butler's own."""
        activity = self._activities.begin(
            type_, "Detecting intros", "Private Show S02 E01", context={"librarySectionID": "2"}
        )
        self._clock.call_later(seconds, lambda: self._activities.end(activity))

    def open_item_page(self) -> None:
        """Open the page of a film, which refreshes it."""
        activity = self._activities.begin(
            "library.refresh.items",
            "Refreshing",
            "Checking files",
            context={"key": "/library/metadata/8201"},
        )
        self._clock.call_later(2, lambda: self._activities.end(activity))

    def refresh_guide(self, seconds: float = 60) -> None:
        """Refresh the guide of a DVR by hand."""
        activity = self._activities.begin(
            "provider.epg.load", "Refreshing EPG", "Downloaded 173 airings"
        )
        self._clock.call_later(seconds, lambda: self._activities.end(activity))

    def dvr_noise(self) -> None:
        """Let the DVR look for something to record, which takes no time at all."""
        activity = self._activities.begin(
            "provider.subscriptions.process", "Processing subscriptions", "", cancellable=True
        )
        self._activities.end(activity)

    def play(self, state: str = "playing") -> None:
        """Play, pause or stop a film."""
        row = {
            "sessionKey": "112",
            "guid": "",
            "ratingKey": "188653",
            "url": "",
            "key": "/library/metadata/188653",
            "viewOffset": 381000,
            "playQueueItemID": 63307,
            "state": state,
        }
        self._publish("playing", "PlaySessionStateNotification", [row])

    def remote_access_flaps(self) -> None:
        """Lose and find the way in from outside."""
        self._publish("reachability", "ReachabilityNotification", [{"reachability": True}])

    def _item(self, number: int, seconds: float) -> None:
        item = self._activities.begin(
            "library.update.item.metadata", "Updating metadata", f"Private Movie {number}"
        )
        self._clock.call_later(seconds, lambda: self._activities.end(item))
