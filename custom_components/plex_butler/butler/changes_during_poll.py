"""The changes that the notification stream brings during a poll."""

from collections.abc import Iterable

from ..plex import MOST_ACTIVITIES, Activity, ActivityChanged


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
