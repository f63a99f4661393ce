"""What `/activities` lists, and the frames that tell of its changes."""

from collections.abc import Callable
from dataclasses import dataclass, field
import random
from typing import Any
import uuid

from .faults import Faults

type Publish = Callable[[str, str, list[dict[str, Any]]], None]

ROW = "butler"


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

    def as_dict(self, *, context: bool = True) -> dict[str, Any]:
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
        if self.context and context:
            row["Context"] = self.context
        return row


class Activities:
    """The activities of a server."""

    def __init__(self, faults: Faults, publish: Publish, seed: int) -> None:
        """Begin with none but Butler's permanent row."""
        self._faults = faults
        self._publish = publish
        self._random = random.Random(seed)
        self._listed: dict[str, Activity] = {}
        self._row = Activity(self._uuid(), ROW, "Butler", "", 100)
        self._working = False

    def begin(
        self,
        type_: str,
        title: str,
        subtitle: str,
        *,
        cancellable: bool = False,
        context: dict[str, str] | None = None,
    ) -> Activity:
        """List a new one. Its Context is missing in the frame that tells so, as was seen."""
        activity = Activity(
            self._uuid(), type_, title, subtitle, cancellable=cancellable, context=context or {}
        )
        self._listed[activity.uuid] = activity
        self._tell("started", activity, context=False)
        return activity

    def progress(self, activity: Activity, progress: int) -> None:
        """Show how far one has got; after its end nothing is shown any more."""
        if activity.uuid in self._listed:
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
            return 404
        if not activity.cancellable:
            return 400
        self.end(activity, None)
        return 200

    def work(self, progress: int | None) -> None:
        """Show in Butler's row that Butler works, and how far it has got, or that it rests."""
        if self._faults.no_row or self._faults.row_always_100:
            return
        began, self._working = not self._working, progress is not None
        if self._faults.row_per_run and began and self._working:
            self._row = Activity(self._uuid(), ROW, "Butler", "")
        shown = 100 if progress is None else -1 if self._faults.row_indeterminate else progress
        if shown != self._row.progress:
            self._row.progress = shown
            permanent = self._working or not self._faults.row_per_run
            self._tell("updated" if permanent else "ended", self._row)

    def rows(self) -> list[dict[str, Any]]:
        """Return the list, Butler's row last."""
        listed = list(self._listed.values())
        hidden = self._faults.no_row or (self._faults.row_per_run and not self._working)
        rows = [a.as_dict() for a in (listed if hidden else [*listed, self._row])]
        for row in rows:
            if self._faults.numeric_uuids:
                row["uuid"] = int(row["uuid"][:8], 16)
            if self._faults.no_context:
                row.pop("Context", None)
        if self._faults.malformed_rows:
            return [{"title": "no uuid"}, {"uuid": None, "type": 7}, *rows]
        return rows

    def reset(self) -> None:
        """Forget everything: the server restarts, and nobody is told."""
        self._listed.clear()
        self._row = Activity(self._row.uuid, ROW, "Butler", "", 100)
        self._working = False

    def _tell(self, event: str, activity: Activity, *, context: bool = True) -> None:
        row = activity.as_dict(context=context)
        self._publish(
            "activity",
            "ActivityNotification",
            [{"event": event, "uuid": activity.uuid, "Activity": row}],
        )

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))
