"""What the server lists: its activities, and the row that stands for Butler as a whole.

Polls bring the whole list, frames of the notification stream one change at a time. What a frame
costs does not depend on how much is listed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final

from ..plex import BUTLER_ROW, MOST_ACTIVITIES, Activity
from .tasks import BY_ACTIVITY_TYPE, BY_AMBIGUOUS_TYPE, KnownTask

_IDLE_PROGRESS: Final = 100


class Row(Enum):
    """What Butler's row says."""

    MUTE = "mute"
    """Nothing: there is none, or it was never seen busy on this version of the server."""
    IDLE = "idle"
    BUSY = "busy"


@dataclass(slots=True)
class ListedOfType:
    """The listed activities of one type, by their uuids.

    `counted` are those that can be evidence: all but those of which the server has said that they
    are not Butler's. Of these, `beside_busy_row` began while the row was busy, and `unclear` beside
    a row that may have changed since: the next poll decides.
    """

    counted: set[str] = field(default_factory=set)
    beside_busy_row: set[str] = field(default_factory=set)
    unclear: set[str] = field(default_factory=set)

    def remove(self, uuid: str) -> None:
        """Remove an activity."""
        for uuids in (self.counted, self.beside_busy_row, self.unclear):
            uuids.discard(uuid)

    def keep(self, uuids: set[str]) -> None:
        """Remove all activities but these."""
        self.counted &= uuids
        self.beside_busy_row &= uuids
        self.unclear &= uuids

    def deny(self) -> None:
        """Let no activity that is listed now be evidence."""
        self.counted.clear()
        self.beside_busy_row.clear()
        self.unclear.clear()


@dataclass(slots=True)
class ActivityList:
    """The activities that the server lists, and what Butler's row says since when.

    `types` holds the type of every activity but the row. `watched_since` is the first good poll
    after the last one that failed; `row_rested` whether the row was seen idle since then.
    `row_explained`: an activity has shown which task the row is busy for.
    """

    types: dict[str, str] = field(default_factory=dict)
    row: Row = Row.MUTE
    row_busy_since: datetime | None = None
    row_explained: bool = False
    row_rested: bool = False
    watched_since: datetime | None = None
    _of_type: dict[str, ListedOfType] = field(
        default_factory=lambda: {
            type_: ListedOfType() for type_ in (*BY_ACTIVITY_TYPE, *BY_AMBIGUOUS_TYPE)
        }
    )
    # By the uuid of each row, for there may be a second one: its progress, and whether it is busy.
    _progress: dict[str, int | None] = field(default_factory=dict)
    _busy_rows: set[str] = field(default_factory=set)
    _rows_without_progress: set[str] = field(default_factory=set)

    def of_type(self, type_: str) -> ListedOfType:
        """Return the listed activities of a type that some task causes."""
        return self._of_type[type_]

    def of_task(self, task: KnownTask) -> set[str]:
        """Return the uuids of the listed activities that can be evidence for a task."""
        return set[str]().union(*(self._of_type[type_].counted for type_ in task.types))

    def replace(self, activities: Iterable[Activity], now: datetime) -> None:
        """Replace the list by the answer to a poll: what is missing from it has ended."""
        rows: dict[str, int | None] = {}
        types: dict[str, str] = {}
        for activity in activities:
            if activity.type == BUTLER_ROW:
                rows[activity.uuid] = activity.progress
            elif len(types) < MOST_ACTIVITIES:
                types[activity.uuid] = activity.type
        self._remove_all_but(set(types))
        self._replace_rows(rows, now)
        for uuid, type_ in types.items():
            if uuid not in self.types:
                self._add_type(uuid, type_)
        for listed in self._of_type.values():
            listed.unclear.clear()

    def watch(self, now: datetime) -> None:
        """Record that a poll succeeded: what begins from now on is seen to begin."""
        self.watched_since = self.watched_since or now
        self.row_rested |= bool(self._progress) and self.row is not Row.BUSY

    def add(self, activity: Activity, now: datetime) -> bool:
        """Add an activity that was not listed, or change the row; return False if it is too many."""
        if len(self.types) + len(self._progress) >= MOST_ACTIVITIES:
            return activity.uuid in self._progress and self._change_row(activity, now)
        if activity.type == BUTLER_ROW:
            return self._change_row(activity, now)
        self._add_type(activity.uuid, activity.type)
        return True

    def remove(self, activity: Activity, now: datetime) -> None:
        """Remove an activity that has ended; a row that has ended is idle."""
        if activity.type == BUTLER_ROW:
            self._remove_row(activity.uuid)
            self._read_rows(now)
        elif (type_ := self.types.pop(activity.uuid, None)) and type_ in self._of_type:
            self._of_type[type_].remove(activity.uuid)

    def deny(self, task: KnownTask) -> None:
        """Let no activity that is listed now be evidence for a task."""
        if task.activity_type:
            self._of_type[task.activity_type].deny()

    def clear(self) -> None:
        """Remove everything: the server is gone."""
        self.types.clear()
        for listed in self._of_type.values():
            listed.keep(set())
        self._progress.clear()
        self._busy_rows.clear()
        self._rows_without_progress.clear()
        if self.row is Row.BUSY:
            self.row = Row.IDLE
        self.row_explained = False
        self.stop_watching()

    def stop_watching(self) -> None:
        """Record that a poll failed: what begins or ends until the next one is not seen."""
        self.watched_since = None
        self.row_rested = False

    def _add_type(self, uuid: str, type_: str) -> None:
        self.types[uuid] = type_
        if listed := self._of_type.get(type_):
            listed.counted.add(uuid)
            (listed.beside_busy_row if self.row is Row.BUSY else listed.unclear).add(uuid)

    def _remove_all_but(self, uuids: set[str]) -> None:
        if gone := self.types.keys() - uuids:
            for uuid in gone:
                del self.types[uuid]
            for listed in self._of_type.values():
                listed.keep(uuids)

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
        """Record the progress of a row; one without a progress says nothing new."""
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
        """Conclude from the rows whether Butler is busy."""
        if self._progress and len(self._progress) == len(self._rows_without_progress):
            return
        before = self.row
        if self._busy_rows:
            self.row = Row.BUSY
        elif before is Row.BUSY:
            self.row, self.row_explained = Row.IDLE, False
        if self.row is not Row.BUSY or before is Row.BUSY:
            return
        self.row_busy_since = now
        for listed in self._of_type.values():
            # A row that was mute until now did not say that these are not Butler's.
            listed.beside_busy_row |= listed.counted if before is Row.MUTE else listed.unclear
            listed.unclear.clear()
