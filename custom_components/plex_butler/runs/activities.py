"""What the server lists: the items that it works on, and Butler's own row among them.

Polls bring the whole list, frames of the notification stream one change at a time.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from ..plex import BUTLER_ROW, Activity
from .tasks import TASK_OF_ACTIVITY

_ROW_IDLE: Final = 100


@dataclass(frozen=True, slots=True)
class Item:
    """An activity that the server lists.

    `butlers`: it began while Butler's row was busy; None until a poll has told what the row said.
    `denied`: the server said, while it was listed, that the task of this type was not running.
    """

    type: str
    butlers: bool | None = None
    denied: bool = False


@dataclass(slots=True)
class Listing:
    """The items by their uuids, and what the row says.

    The row counts only once it was seen busy: `row_proven`. On a server without such a row
    neither `row_busy` nor `row_idle` is ever true.
    """

    items: dict[str, Item] = field(default_factory=dict)
    row_busy: bool = False
    row_proven: bool = False
    _rows: dict[str, int | None] = field(default_factory=dict)

    @property
    def row_idle(self) -> bool:
        """Whether there is a row that tells something, and it shows no work."""
        return self.row_proven and not self.row_busy

    @property
    def row_rests(self) -> bool:
        """Whether a row is listed that shows no work, be it proven or not."""
        return bool(self._rows) and not self.row_busy

    def read(self, activities: Iterable[Activity]) -> None:
        """Take in the whole list: what is not there has ended, whether a frame told so or not."""
        activities = tuple(activities)
        self._show_rows({row.uuid: row.progress for row in activities if row.type == BUTLER_ROW})
        items = {}
        for row in activities:
            if row.type != BUTLER_ROW:
                item = self.items.get(row.uuid) or Item(row.type)
                if item.butlers is None:
                    item = replace(item, butlers=self.row_busy)
                items[row.uuid] = item
        self.items = items

    def show(self, activity: Activity) -> Item | None:
        """Take in that an activity is there which was not listed; return it unless it is a row."""
        if activity.type == BUTLER_ROW:
            self._show_rows(self._rows | {activity.uuid: activity.progress})
            return None
        item = self.items[activity.uuid] = Item(activity.type, self.row_busy or None)
        return item

    def drop(self, activity: Activity) -> None:
        """Take in that an activity has ended."""
        if activity.type == BUTLER_ROW:
            self._show_rows({u: p for u, p in self._rows.items() if u != activity.uuid})
        else:
            self.items.pop(activity.uuid, None)

    def deny(self, tasks: Container[str]) -> None:
        """Let what is listed now count for none of these tasks any more."""
        for uuid, item in self.items.items():
            known = TASK_OF_ACTIVITY.get(item.type)
            if known and known.name in tasks:
                self.items[uuid] = replace(item, denied=True)

    def clear(self) -> None:
        """Forget what was listed: the server is away."""
        self.items.clear()
        self._rows.clear()
        self.row_busy = False

    def _show_rows(self, rows: dict[str, int | None]) -> None:
        """Take in what the rows say; one without a progress says nothing new."""
        self._rows = {u: self._rows.get(u) if p is None else p for u, p in rows.items()}
        told = [progress for progress in self._rows.values() if progress is not None]
        if told or not self._rows:
            self.row_busy = any(progress < _ROW_IDLE for progress in told)
        if self.row_busy:
            # Until it was proven the row told nothing, so it said nothing against these either.
            for uuid, item in self.items.items():
                if item.butlers is None or not self.row_proven:
                    self.items[uuid] = replace(item, butlers=True)
            self.row_proven = True
