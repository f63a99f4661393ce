"""The activities that the server lists, and the row among them that stands for Butler as a whole.

A poll replaces the whole list, a frame of the notification stream changes one activity. The cost
of a frame does not depend on the length of the list.

A row with a progress below 100 is busy, -1 (not known) included; one with 100 is idle (inferred).
By a user's log of 2025 it is the share of Butler's tasks that has ended: between two it is 100.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final

from ..plex import BUTLER_ROW, MOST_ACTIVITIES, Activity
from .tasks import BY_ACTIVITY_TYPE, BY_AMBIGUOUS_TYPE, KnownTask

MOST_DENIED: Final = 1_000
"""How many denied activities of one type are remembered, the latest ones."""

_IDLE_PROGRESS: Final = 100


class Row(Enum):
    """The state of Butler's row, which stays busy for a while when the row turns idle."""

    UNPROVEN = "unproven"
    """It says nothing: it was never seen busy on this version of the server, or there is none."""
    IDLE = "idle"
    BUSY = "busy"


@dataclass(slots=True)
class ListedOfType:
    """The listed activities of one type, by their uuids.

    `counted`: those that can be evidence.
    `denied`: those that never can, because they were listed when the server answered that the task
    has stopped or does not run. They are remembered when they are no longer listed.
    `denies_unknown`: there has been no poll since then, which may list others of them.
    `beside_busy_row`: the counted ones that began while the row was busy.
    `unclear`: the counted ones that began while the row was idle when it was last seen; it may be
    busy by now, and the next poll decides.
    """

    counted: set[str] = field(default_factory=set)
    denied: dict[str, None] = field(default_factory=dict)
    beside_busy_row: set[str] = field(default_factory=set)
    unclear: set[str] = field(default_factory=set)
    denies_unknown: bool = False

    def add(self, uuid: str, *, row_shows_work: bool) -> None:
        """Add an activity."""
        if uuid not in self.denied:
            self.counted.add(uuid)
            (self.beside_busy_row if row_shows_work else self.unclear).add(uuid)

    def remove(self, uuid: str) -> None:
        """Remove an activity."""
        for uuids in (self.counted, self.beside_busy_row, self.unclear):
            uuids.discard(uuid)

    def deny(self) -> None:
        """Prevent every activity that is listed now from ever being evidence."""
        self.denies_unknown = True
        self._deny(self.counted)
        self.counted.clear()
        self.beside_busy_row.clear()
        self.unclear.clear()

    def deny_unknown(self, uuid: str) -> None:
        """Deny an activity of the first poll after `deny`, unless it was seen to begin since then."""
        if self.denies_unknown:
            self._deny([uuid])

    def _deny(self, uuids: Iterable[str]) -> None:
        self.denied |= dict.fromkeys(uuids)
        for uuid in list(self.denied)[:-MOST_DENIED]:
            del self.denied[uuid]


@dataclass(slots=True)
class ActivityList:
    """The activities that the server lists, and the state of Butler's row.

    `types`: the type of every activity but the row, by uuid.
    `row_busy_since`: when the row last turned busy.
    `row_idle_since`: since when the row is idle, while it still counts as busy.
    `row_explained`: an activity has shown which task the row is busy for.
    `good_polls_since`: the time of the first poll since which none has failed; None after a failure.
    `row_seen_idle`: the row was seen idle since then.
    """

    types: dict[str, str] = field(default_factory=dict)
    row: Row = Row.UNPROVEN
    row_busy_since: datetime | None = None
    row_idle_since: datetime | None = None
    row_explained: bool = False
    row_seen_idle: bool = False
    good_polls_since: datetime | None = None
    _of_type: dict[str, ListedOfType] = field(
        default_factory=lambda: {
            type_: ListedOfType() for type_ in (*BY_ACTIVITY_TYPE, *BY_AMBIGUOUS_TYPE)
        }
    )
    # By uuid, because a server may list more than one row.
    _progress: dict[str, int | None] = field(default_factory=dict)
    _busy_rows: set[str] = field(default_factory=set)
    _rows_without_progress: set[str] = field(default_factory=set)

    @property
    def row_shows_work(self) -> bool:
        """Return whether the row is busy at this moment."""
        return self.row is Row.BUSY and self.row_idle_since is None

    @property
    def lists_activities(self) -> bool:
        """Return whether an activity is listed, which may be Butler's."""
        return bool(self.types)

    def of_type(self, type_: str) -> ListedOfType:
        """Return the listed activities of a type that some task causes."""
        return self._of_type[type_]

    def of_task(self, task: KnownTask) -> set[str]:
        """Return the uuids of the listed activities that can be evidence for a task."""
        return set[str]().union(*(self._of_type[type_].counted for type_ in task.types))

    def listed_of_task(self, task: KnownTask) -> set[str]:
        """Return the uuids of all listed activities of a task's types, also of those denied."""
        return self.of_task(task).union(*(self._of_type[type_].denied for type_ in task.types))

    def decided_of_task(self, task: KnownTask) -> frozenset[str]:
        """Return the same, but for those of which the next poll decides whose they are."""
        unclear = set[str]().union(*(self._of_type[type_].unclear for type_ in task.types))
        return frozenset(self.listed_of_task(task) - unclear)

    def replace(self, activities: Iterable[Activity], now: datetime) -> None:
        """Replace the list with the answer to a poll; an activity that is missing from it has ended."""
        rows: dict[str, int | None] = {}
        types: dict[str, str] = {}
        for activity in activities:
            if activity.type == BUTLER_ROW:
                rows[activity.uuid] = activity.progress
            elif len(types) < MOST_ACTIVITIES:
                types[activity.uuid] = activity.type
        for uuid in self.types.keys() - types.keys():
            self._remove_type(uuid)
        self._replace_rows(rows, now)
        for uuid, type_ in types.items():
            if uuid not in self.types:
                if listed := self._of_type.get(type_):
                    listed.deny_unknown(uuid)
                self._add_type(uuid, type_)
        for listed in self._of_type.values():
            listed.denies_unknown = False
        if self.row_idle_since is None:
            self._decide_unclear()

    def settle_row(self) -> datetime | None:
        """Let a row that has stayed idle count as idle; return when it turned."""
        turned, self.row, self.row_idle_since = self.row_idle_since, Row.IDLE, None
        self._decide_unclear()
        return turned

    def record_poll(self, now: datetime) -> None:
        """Record that a poll succeeded: activities that begin from now on are seen to begin."""
        self.good_polls_since = self.good_polls_since or now
        self.row_seen_idle |= bool(self._progress) and self.row is not Row.BUSY

    def add(self, activity: Activity, now: datetime) -> bool:
        """Add a new activity, or change the row; return False if the list is full."""
        if len(self.types) + len(self._progress) >= MOST_ACTIVITIES:
            return activity.uuid in self._progress and self._change_row(activity, now)
        if activity.type == BUTLER_ROW:
            return self._change_row(activity, now)
        self._add_type(activity.uuid, activity.type)
        return True

    def remove(self, activity: Activity, now: datetime) -> None:
        """Remove an activity that has ended. A row that has ended counts as idle."""
        if activity.type == BUTLER_ROW:
            self._remove_row(activity.uuid)
            self._read_rows(now)
        elif activity.uuid in self.types:
            self._remove_type(activity.uuid)

    def deny(self, task: KnownTask) -> None:
        """Prevent every activity that is listed now from ever being evidence for a task."""
        if task.activity_type:
            self._of_type[task.activity_type].deny()

    def clear(self) -> None:
        """Remove everything, because the server is gone. A row that was proven stays proven."""
        for uuid in tuple(self.types):
            self._remove_type(uuid)
        self._progress.clear()
        self._busy_rows.clear()
        self._rows_without_progress.clear()
        if self.row is Row.BUSY:
            self.row = Row.IDLE
        self.row_idle_since, self.row_explained = None, False
        self.record_poll_failure()

    def record_poll_failure(self) -> None:
        """Record that a poll failed: until the next good one, no beginning and no end is seen."""
        self.good_polls_since = None
        self.row_seen_idle = False

    def _add_type(self, uuid: str, type_: str) -> None:
        self.types[uuid] = type_
        if listed := self._of_type.get(type_):
            listed.add(uuid, row_shows_work=self.row_shows_work)

    def _remove_type(self, uuid: str) -> None:
        if listed := self._of_type.get(self.types.pop(uuid)):
            listed.remove(uuid)

    def _replace_rows(self, rows: dict[str, int | None], now: datetime) -> None:
        for uuid in self._progress.keys() - rows.keys():
            self._remove_row(uuid)
        for uuid, progress in rows.items():
            self._set_row(uuid, progress)
        self._read_rows(now)

    def _change_row(self, activity: Activity, now: datetime) -> bool:
        self._set_row(activity.uuid, activity.progress)
        self._read_rows(now)
        return True

    def _set_row(self, uuid: str, progress: int | None) -> None:
        """Record the progress of a row; without a progress, the last one still holds."""
        if progress is None:
            progress = self._progress.get(uuid)
        self._remove_row(uuid)
        self._progress[uuid] = progress
        if progress is None:
            self._rows_without_progress.add(uuid)
        elif progress < _IDLE_PROGRESS:
            self._busy_rows.add(uuid)

    def _remove_row(self, uuid: str) -> None:
        self._progress.pop(uuid, None)
        self._busy_rows.discard(uuid)
        self._rows_without_progress.discard(uuid)

    def _read_rows(self, now: datetime) -> None:
        """Set the state of Butler's row, which is busy if any row is."""
        if self._progress and len(self._progress) == len(self._rows_without_progress):
            return
        if not self._busy_rows:
            if self.row_shows_work:
                self.row_idle_since, self.row_explained = now, False
            return
        if self.row_shows_work:
            return
        for listed in self._of_type.values():
            # As long as the row was unproven, all of these may have begun while it was busy.
            listed.beside_busy_row |= listed.counted if self.row is Row.UNPROVEN else listed.unclear
        self._decide_unclear()
        self.row, self.row_busy_since, self.row_idle_since = Row.BUSY, now, None

    def _decide_unclear(self) -> None:
        for listed in self._of_type.values():
            listed.unclear.clear()
