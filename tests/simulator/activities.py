"""What `/activities` lists, and the frames that tell of its changes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
import random
from typing import Any, Final
import uuid

from .faults import Faults

type Publish = Callable[[str, str, list[dict[str, Any]]], None]

ROW: Final = "butler"
"""The type of Butler's own row."""

_TITLES: Final = {
    "library.refresh.items": "Refreshing",
    "library.update.section": "Scanning Movies",
    "media.generate.credits": "Detecting Credits",
    "media.generate.intros": "Detecting intros",
    "media.generate.loudness": "Generating loudness data",
    "provider.epg.load": "Refreshing EPG",
    "provider.subscriptions.process": "Processing subscriptions",
}
"""The titles that were seen; nobody has published the others."""
_CONTEXTS: Final = {
    "library.refresh.items": {"key": "/library/metadata/8201"},
    "library.update.section": {"librarySectionID": "12"},
}
"""The types that were seen with a Context."""
_INDETERMINATE: Final = frozenset({"media.generate.credits"})
"""The types that were seen with a progress of -1."""


class Frames(StrEnum):
    """How a change of many activities at once is told."""

    EACH = "each"
    """By a frame for each of them, as every server does."""
    ONE = "one"
    """By one frame with a row for each of them."""
    NONE = "none"
    """Not at all: only the list shows it."""


@dataclass(slots=True)
class Activity:
    """One activity. Titles and subtitles name what a server's owner has on the disks."""

    uuid: str
    type: str
    title: str
    subtitle: str
    progress: int = 0
    cancellable: bool = False
    context: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return its row, as seen on 1.43."""
        row: dict[str, Any] = {
            "uuid": self.uuid,
            "type": self.type,
            "cancellable": self.cancellable,
            "userID": 1,
            "title": self.title,
            "subtitle": self.subtitle,
            "progress": self.progress,
        }
        return row | ({"Context": self.context} if self.context else {})


class Activities:
    """The activities of a server."""

    def __init__(self, faults: Faults, publish: Publish, seed: int) -> None:
        """Begin with none but Butler's permanent row."""
        self._faults = faults
        self._publish = publish
        self._random = random.Random(seed)
        self._listed: dict[str, Activity] = {}
        self._row = Activity(self._uuid(), ROW, "Butler", "", 100)
        self._share: int | None = None

    def begin(self, type_: str, subtitle: str, *, cancellable: bool = False) -> Activity:
        """List a new one. Its Context is missing in the frame that tells so, as was seen."""
        activity = self._list(type_, subtitle, cancellable=cancellable)
        self._tell("started", activity, context=False)
        return activity

    def begin_many(self, type_: str, count: int, frames: Frames) -> None:
        """List `count` new ones."""
        begun = [self._list(type_, f"Private Movie {number}") for number in range(count)]
        self._tell_many("started", begun, frames, context=False)

    def end_many(self, count: int, frames: Frames) -> None:
        """Take the `count` newest ones from the list; Butler's row stays."""
        ended = [self._listed.popitem()[1] for _ in range(count)]
        self._tell_many("ended", ended, frames)

    def is_listed(self, activity: Activity) -> bool:
        """Tell whether one has not ended yet."""
        return activity.uuid in self._listed

    def progress(self, activity: Activity, progress: int, subtitle: str | None = None) -> None:
        """Show how far one has got, and what with; after its end nothing is shown any more."""
        if self.is_listed(activity):
            activity.subtitle = activity.subtitle if subtitle is None else subtitle
            if activity.progress >= 0:
                activity.progress = progress
            self._tell("updated", activity)

    def end(self, activity: Activity, progress: int | None = 100) -> None:
        """Take one from the list; None leaves the progress as it was: it was stopped."""
        if self._listed.pop(activity.uuid, None):
            activity.progress = activity.progress if progress is None else progress
            self._tell("ended", activity)

    def cancel(self, uuid_: str) -> int:
        """Answer to `DELETE /activities/{uuid}` with a status (OpenAPI)."""
        activity = self._listed.get(uuid_)
        if activity is None:
            return 400 if self._is_row_listed and uuid_ == self._row.uuid else 404
        if not activity.cancellable:
            return 400
        self.end(activity, None)
        return 200

    def work(self, share: int | None) -> None:
        """Show in Butler's row that Butler works, and what share is done; None: it rests."""
        began, ended = self._share is None, share is None
        if began and ended:
            return
        self._share = share
        if self._faults.row_per_run and began:
            self._row = Activity(self._uuid(), ROW, "Butler", "")
        before, self._row.progress = self._row.progress, self._row_progress
        if self._faults.no_row:
            return
        if self._faults.row_per_run and (began or ended):
            self._tell("started" if began else "ended", self._row)
        elif self._row.progress != before:
            self._tell("updated", self._row)

    def rows(self) -> list[dict[str, Any]]:
        """Return the list, Butler's row last."""
        self._row.progress = self._row_progress
        listed = [*self._listed.values(), *([self._row] if self._is_row_listed else [])]
        rows = [self._quirky(activity.as_dict()) for activity in listed]
        if self._faults.malformed_rows:
            return [{"title": "no uuid"}, {"uuid": None, "type": 7}, *rows]
        return rows

    def reset(self) -> None:
        """Forget everything: the server restarts, and nobody is told."""
        self._listed.clear()
        self._row = Activity(self._row.uuid, ROW, "Butler", "", 100)
        self._share = None

    @property
    def _is_row_listed(self) -> bool:
        faults = self._faults
        return not faults.no_row and not (faults.row_per_run and self._share is None)

    @property
    def _row_progress(self) -> int:
        if self._share is None or self._faults.row_always_100:
            return 100
        return -1 if self._faults.row_indeterminate else self._share

    def _list(self, type_: str, subtitle: str, *, cancellable: bool = False) -> Activity:
        activity = Activity(
            self._uuid(),
            type_,
            _TITLES.get(type_, "Working"),
            subtitle,
            -1 if type_ in _INDETERMINATE else 0,
            cancellable,
            _CONTEXTS.get(type_, {}),
        )
        self._listed[activity.uuid] = activity
        return activity

    def _tell(self, event: str, activity: Activity, *, context: bool = True) -> None:
        self._tell_many(event, [activity], Frames.ONE, context=context)

    def _tell_many(
        self, event: str, activities: list[Activity], frames: Frames, *, context: bool = True
    ) -> None:
        if frames is Frames.NONE or not activities:
            return
        rows = [self._notification(event, activity, context=context) for activity in activities]
        for told in [rows] if frames is Frames.ONE else [[row] for row in rows]:
            self._publish("activity", "ActivityNotification", told)

    def _notification(self, event: str, activity: Activity, *, context: bool) -> dict[str, Any]:
        row = self._quirky(activity.as_dict())
        if not context:
            row.pop("Context", None)
        return {"event": event, "uuid": row["uuid"], "Activity": row}

    def _quirky(self, row: dict[str, Any]) -> dict[str, Any]:
        if self._faults.numeric_uuids:
            row["uuid"] = int(row["uuid"][:8], 16)
        if self._faults.no_context:
            row.pop("Context", None)
        return row

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))
