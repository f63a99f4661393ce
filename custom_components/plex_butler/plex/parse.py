"""The one parser: bytes from the wire in, models out, the wire's quirks in between.

One bad row never costs the others.

Every function raises NotPlexError, and nothing else, for bytes that are not the answer it reads;
a frame of the notification stream that cannot be read is no news, and no error.
"""

from collections.abc import Iterator, Mapping
import json
import re
from typing import Any, Final
from xml.etree import ElementTree as ET

from .decoding import UnreadableError, bool_of, decode, each, int_of, text_of
from .errors import NotPlexError
from .models import (
    Activity,
    ActivityChanged,
    ButlerTask,
    Identity,
    Notification,
    PreferencesChanged,
    Server,
)

_WORD_STARTS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
# Only one old interface and invented documents show seconds; no interval is ten years long.
_INTERVAL_IN_SECONDS: Final = 3600
_LONGEST_INTERVAL: Final = 3650
# What an activity's frame says of it (seen). Each of them tells that it was there.
_EVENTS: Final = ("started", "updated", "ended")
_ACTIVITY_ROWS: Final = "ActivityNotification"
_PREFERENCE_ROWS: Final = "Setting"


def parse_identity(body: bytes) -> Identity:
    """Read the answer to `GET /identity`. Only the machineIdentifier has to be there."""
    container = _container(_decode(body))
    if not (machine_identifier := text_of(container.get("machineIdentifier"))):
        raise NotPlexError("The answer holds no machineIdentifier: no Plex Media Server sent it")
    return Identity(
        machine_identifier, text_of(container.get("version")), bool_of(container.get("claimed"))
    )


def parse_server(body: bytes, identity: Identity) -> Server:
    """Read the answer to `GET /`; what it leaves out is taken from the identity."""
    container = _container(_decode(body))
    return Server(
        machine_identifier=text_of(container.get("machineIdentifier"))
        or identity.machine_identifier,
        friendly_name=text_of(container.get("friendlyName")),
        version=text_of(container.get("version")) or identity.version,
        platform=text_of(container.get("platform")),
        platform_version=text_of(container.get("platformVersion")),
        plex_pass=bool_of(container.get("myPlexSubscription")),
    )


def parse_tasks(body: bytes) -> tuple[ButlerTask, ...]:
    """Read the answer to `GET /butler`, in the server's order.

    The JSON root is ButlerTasks (OpenAPI); that of XML is inferred. Of two rows of one name the
    first counts. Rows without a sendable name are dropped; a list of nothing but such rows is no
    list of tasks.
    """
    rows = list(_rows(_decode(body), "ButlerTask"))
    tasks: dict[str, ButlerTask] = {}
    for row in rows:
        name = row.get("name")
        if isinstance(name, str) and is_task_name(name):
            tasks.setdefault(name, _task(name, row))
    if rows and not tasks:
        raise NotPlexError("The answer lists things that are no Butler tasks")
    return tuple(tasks.values())


def parse_activities(body: bytes) -> tuple[Activity, ...]:
    """Read the answer to `GET /activities`. An idle server leaves the rows out (seen)."""
    activities: dict[str, Activity] = {}
    for row in _rows(_decode(body), "Activity"):
        if activity := _activity(row):
            activities.setdefault(activity.uuid, activity)
    return tuple(activities.values())


def parse_notifications(frame: str) -> tuple[Notification, ...]:
    """Read a frame of the notification stream; what is not ours to know is left out.

    A frame holds a NotificationContainer with a list (websocket, seen), or a bare object (event
    source, seen). Most frames of a busy server are about something else, so that only those that
    hold one of our words are decoded.
    """
    if f'"{_ACTIVITY_ROWS}"' not in frame and f'"{_PREFERENCE_ROWS}"' not in frame:
        return ()
    try:
        content = json.loads(frame)
    except ValueError, RecursionError:
        return ()
    if isinstance(content, dict):
        content = content.get("NotificationContainer", content)
    if not isinstance(content, dict):
        return ()
    changes: list[Notification] = [
        ActivityChanged(activity, ended=row["event"] == "ended")
        for row in each(content.get(_ACTIVITY_ROWS))
        if row.get("event") in _EVENTS
        for told in each(row.get("Activity"))
        if (activity := _activity(told))
    ]
    if _PREFERENCE_ROWS in content and text_of(content.get("type")) in (None, "preference"):
        changes.append(PreferencesChanged())
    return tuple(changes)


def is_task_name(name: str) -> bool:
    """Tell whether a name can be sent without reaching anything but the task of that name.

    Empty and dotted parts could become `/butler` itself, which starts everything; a server may
    decode before it looks for them, and stop at a NUL.
    """
    parts = name.replace("\\", "/").split("/")
    return name.isprintable() and all(part.strip() not in ("", ".", "..") for part in parts)


def _activity(row: Mapping[str, Any]) -> Activity | None:
    """Read one row; None where it does not say which activity it is, or of what type."""
    if not ((uuid := text_of(row.get("uuid"))) and (kind := text_of(row.get("type")))):
        return None
    progress = int_of(row.get("progress"))
    return Activity(uuid, kind, None if progress is None else max(-1, min(100, progress)))


def _task(name: str, row: Mapping[str, Any]) -> ButlerTask:
    """Read one row. A missing title is made from the name: `DeepMediaAnalysis` has three words."""
    words = _WORD_STARTS.sub(" ", name.removeprefix("ButlerTask") or name)
    interval = int_of(row.get("interval"))
    if interval is not None:
        if interval >= _INTERVAL_IN_SECONDS:
            interval = max(1, round(interval / 86400))
        if not 0 <= interval <= _LONGEST_INTERVAL:
            interval = None
    return ButlerTask(
        name=name,
        title=text_of(row.get("title")) or words,
        description=text_of(row.get("description")),
        interval_days=interval,
        schedule_randomized=bool_of(row.get("scheduleRandomized")),
        enabled=bool_of(row.get("enabled")),
    )


def _decode(body: bytes) -> Any:
    try:
        return decode(body, _read_xml)
    except UnreadableError as err:
        failure = NotPlexError(str(err))
    raise failure


def _read_xml(root: ET.Element) -> dict[str, Any]:
    """Turn XML into the JSON of the same answer: attributes are fields, children are rows."""
    rows: dict[str, list[dict[str, str]]] = {}
    for child in root:
        rows.setdefault(child.tag, []).append(child.attrib)
    return {root.tag: {**root.attrib, **rows}}


def _container(answer: Any) -> Mapping[str, Any]:
    """Return what stands inside the answer's root."""
    if isinstance(answer, dict):
        for root in ("ButlerTasks", "MediaContainer"):
            if isinstance(container := answer.get(root), dict):
                return container
    raise NotPlexError("The answer is not one that a Plex Media Server gives")


def _rows(answer: Any, key: str) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of a list: below a root, or bare; many, one alone, or none."""
    return each(answer if isinstance(answer, list) else _container(answer).get(key))
