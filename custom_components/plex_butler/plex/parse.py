"""The one parser: bytes from the wire in, models out, the wire's quirks in between.

A server answers in JSON if asked to, and in XML where an old one does not listen. The content
decides which of them it is, not the header. Numbers and booleans may come as strings, a list of one
as a single object, and rows may be broken: one bad row never costs the others.

Every function raises NotPlexError, and nothing else, for bytes that are not the answer it reads;
a frame of the notification stream that cannot be read is no news, and no error.
"""

from collections.abc import Iterator, Mapping
import json
import re
from typing import Any, Final
from xml.etree import ElementTree as ET

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

_BOOLEANS: Final = {"1": True, "true": True, "0": False, "false": False}
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
    if not (machine_identifier := _text(container.get("machineIdentifier"))):
        raise NotPlexError("The answer holds no machineIdentifier: no Plex Media Server sent it")
    return Identity(
        machine_identifier, _text(container.get("version")), _bool(container.get("claimed"))
    )


def parse_server(body: bytes, identity: Identity) -> Server:
    """Read the answer to `GET /`; what it leaves out is taken from the identity."""
    container = _container(_decode(body))
    return Server(
        machine_identifier=_text(container.get("machineIdentifier")) or identity.machine_identifier,
        friendly_name=_text(container.get("friendlyName")),
        version=_text(container.get("version")) or identity.version,
        platform=_text(container.get("platform")),
        platform_version=_text(container.get("platformVersion")),
        plex_pass=_bool(container.get("myPlexSubscription")),
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
        for row in _each(content.get(_ACTIVITY_ROWS))
        if row.get("event") in _EVENTS
        for told in _each(row.get("Activity"))
        if (activity := _activity(told))
    ]
    if _PREFERENCE_ROWS in content and _text(content.get("type")) in (None, "preference"):
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
    if not ((uuid := _text(row.get("uuid"))) and (kind := _text(row.get("type")))):
        return None
    progress = _int(row.get("progress"))
    return Activity(uuid, kind, None if progress is None else max(-1, min(100, progress)))


def _task(name: str, row: Mapping[str, Any]) -> ButlerTask:
    """Read one row. A missing title is made from the name: `DeepMediaAnalysis` has three words."""
    words = _WORD_STARTS.sub(" ", name.removeprefix("ButlerTask") or name)
    interval = _int(row.get("interval"))
    if interval is not None:
        if interval >= _INTERVAL_IN_SECONDS:
            interval = max(1, round(interval / 86400))
        if not 0 <= interval <= _LONGEST_INTERVAL:
            interval = None
    return ButlerTask(
        name=name,
        title=_text(row.get("title")) or words,
        description=_text(row.get("description")),
        interval_days=interval,
        schedule_randomized=_bool(row.get("scheduleRandomized")),
        enabled=_bool(row.get("enabled")),
    )


def _decode(body: bytes) -> Any:
    """Turn bytes into what JSON gives for them, XML included."""
    text = body.decode("utf-8-sig", "replace").strip()
    try:
        return _decode_xml(text) if text.startswith("<") else json.loads(text)
    except ValueError, RecursionError, ET.ParseError:
        failure = NotPlexError("The answer is neither JSON nor XML that can be read")
    # Not inside the except block: the JSON error would come along with the whole body in it.
    raise failure


def _decode_xml(text: str) -> dict[str, Any]:
    """Turn XML into the JSON of the same answer: attributes are fields, children are rows."""
    # Entities are how XML explodes and reads files; without a document type there are none.
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("document types are refused")
    root = ET.fromstring(text)  # noqa: S314 - document types are refused above
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
    return _each(answer if isinstance(answer, list) else _container(answer).get(key))


def _each(rows: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of what may be a list of them, one alone, or nothing."""
    for row in rows if isinstance(rows, list) else [rows] if rows else []:
        yield row if isinstance(row, dict) else {}


def _text(value: Any) -> str | None:
    """Read a text; numbers are taken as one, and what is no character is replaced."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).encode("utf-8", "replace").decode().strip() or None


def _int(value: Any) -> int | None:
    """Read a whole number, also from a string; not from a boolean, infinity or NaN."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        return int(float(value))
    except ValueError, OverflowError:
        return None


def _bool(value: Any) -> bool | None:
    """Read a boolean in the forms of JSON (true, 1) and XML ("1", "true")."""
    return _BOOLEANS.get(str(value).lower()) if isinstance(value, str | int) else None
