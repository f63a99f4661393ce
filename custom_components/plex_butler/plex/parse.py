"""The parser of a server's answers and notifications: bytes in, models out.

Rows that cannot be read are left out; they do not affect the others. A notification that cannot be
read is ignored.

Every function for an answer raises NotPlexError, and nothing else, for bytes that are not that
answer.
"""

from collections.abc import Iterator, Mapping
from itertools import islice
import json
import re
from typing import Any, Final

from .decoding import LONGEST_TEXT, bool_of, decode, int_of, rows_of, text_of
from .errors import NotPlexError
from .models import (
    Activity,
    ActivityChanged,
    ButlerTask,
    ChangesDropped,
    Identity,
    Notification,
    PreferencesChanged,
    Server,
    SessionChanged,
)

MOST_TASKS: Final = 500
"""How many tasks a server has at most; real ones have about 22 (OpenAPI, seen)."""
MOST_ACTIVITIES: Final = 10_000
"""How many rows of an answer to `GET /activities` are read; a server lists a few dozen at most."""
MOST_SESSIONS: Final = 1_000
"""How many rows of an answer to `GET /status/sessions` are read."""
MOST_CHANGES: Final = 1_000
"""How many rows of one notification are read; a server sends one or a few at a time (seen)."""

# A uuid has 36 characters and the longest type 30 (seen): longer ones could only fill the memory.
_LONGEST_KEY: Final = 255
_WORD_STARTS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
# In days (OpenAPI): no schedule has an interval of more than ten years.
_LONGEST_INTERVAL: Final = 3650
# The events of an activity (seen). "ended" is its last one.
_EVENTS: Final = ("started", "updated", "ended")
_ACTIVITY_ROWS: Final = "ActivityNotification"
_PREFERENCE_ROWS: Final = "Setting"
_SESSION_ROWS: Final = "PlaySessionStateNotification"
_QUOTED_ROWS: Final = tuple(
    f'"{rows}"' for rows in (_ACTIVITY_ROWS, _PREFERENCE_ROWS, _SESSION_ROWS)
)
# The states of a session (seen), and whether something is played.
_SESSION_STATES: Final = {"buffering": True, "playing": True, "paused": False, "stopped": False}


def parse_identity(body: bytes) -> Identity:
    """Parse the answer to `GET /identity`. Everything but the machineIdentifier is optional."""
    container = _container(_decode(body))
    if not (machine_identifier := text_of(container.get("machineIdentifier"))):
        raise NotPlexError("The answer holds no machineIdentifier: no Plex Media Server sent it")
    return Identity(
        machine_identifier, text_of(container.get("version")), bool_of(container.get("claimed"))
    )


def parse_server(body: bytes, identity: Identity) -> Server:
    """Parse the answer to `GET /`. Missing fields are filled in from the identity."""
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


def server_without_description(identity: Identity) -> Server:
    """Return what the identity tells of a server."""
    return Server(
        machine_identifier=identity.machine_identifier,
        friendly_name=None,
        version=identity.version,
        platform=None,
        platform_version=None,
        plex_pass=None,
    )


def parse_tasks(body: bytes) -> tuple[ButlerTask, ...]:
    """Parse the answer to `GET /butler`, in the server's order.

    The JSON root is ButlerTasks (OpenAPI), that of XML is inferred. The first of two rows with the
    same name counts. Rows without a name that can be sent are left out; a list that has only such
    rows is not a list of tasks. Of more than MOST_TASKS tasks, one more than that is returned.
    """
    rows = list(rows_in(body, "ButlerTask"))
    tasks: dict[str, ButlerTask] = {}
    for row in rows:
        name = row.get("name")
        if isinstance(name, str) and is_task_name(name):
            tasks.setdefault(name, _task(name, row))
        if len(tasks) > MOST_TASKS:
            break
    if rows and not tasks:
        raise NotPlexError("The answer lists things that are not Butler tasks")
    return tuple(tasks.values())


def parse_activities(body: bytes) -> tuple[Activity, ...]:
    """Parse the answer to `GET /activities`; only the first MOST_ACTIVITIES rows are read.

    An idle server leaves the rows out (seen).
    """
    activities: dict[str, Activity] = {}
    for row in islice(rows_in(body, "Activity"), MOST_ACTIVITIES):
        if activity := _activity(row):
            activities.setdefault(activity.uuid, activity)
    return tuple(activities.values())


def parse_sessions(body: bytes) -> int:
    """Count the sessions in the answer to `GET /status/sessions` in which something is played.

    Paused ones are listed too, but do not count (JSON, seen). In XML only the size of the list is
    read, so that they count. Nothing else of the rows is read: they name people and their films.
    """
    container = _container(_decode(body))
    size, rows = int_of(container.get("size")), container.get("Metadata")
    if size is None and rows is None:
        raise NotPlexError("The answer is not a list of sessions")
    if rows is None:
        return max(0, min(size or 0, MOST_SESSIONS))
    sessions = (row for row in islice(rows_of(rows), MOST_SESSIONS) if row)
    players = (next(rows_of(session.get("Player")), {}) for session in sessions)
    states = (text_of(player.get("state")) or "playing" for player in players)
    return sum(_SESSION_STATES.get(state, True) for state in states)


def parse_notifications(frame: str) -> tuple[Notification, ...]:
    """Parse one frame of the notification stream; notifications of other types are ignored.

    A frame is a NotificationContainer with a list (websocket, seen), or a bare object (event
    source, seen). Of more than MOST_CHANGES activities the rest is replaced by one ChangesDropped.
    """
    # Most frames are of other types, and need not be decoded.
    if not any(rows in frame for rows in _QUOTED_ROWS):
        return ()
    try:
        content = json.loads(frame, strict=False)
    except ValueError, RecursionError:
        return ()
    if isinstance(content, dict):
        content = content.get("NotificationContainer", content)
    if not isinstance(content, dict):
        return ()
    rows = _activity_rows(content)
    changes: list[Notification] = [
        ActivityChanged(activity, ended=event == "ended")
        for event, row in islice(rows, MOST_CHANGES)
        if event in _EVENTS and (activity := _activity(row))
    ]
    if next(rows, None):
        changes.append(ChangesDropped())
    if _PREFERENCE_ROWS in content and text_of(content.get("type")) in (None, "preference"):
        changes.append(PreferencesChanged())
    for row in islice(rows_of(content.get(_SESSION_ROWS)), MOST_CHANGES):
        key, state = (text_of(row.get(field)) or "" for field in ("sessionKey", "state"))
        if (playing := _SESSION_STATES.get(state)) is not None:
            changes.append(SessionChanged(key, playing, ended=state == "stopped"))
    return tuple(changes)


def is_task_name(name: str) -> bool:
    """Return whether a name can be sent without any risk of reaching something else.

    Empty and dotted segments could lead to `/butler` itself, which starts every task. A server may
    decode a path before it splits it, and stop at a NUL. No name is longer than LONGEST_TEXT.
    """
    if len(name) > LONGEST_TEXT:
        return False
    parts = name.replace("\\", "/").split("/")
    return name.isprintable() and all(part.strip() not in ("", ".", "..") for part in parts)


def rows_in(body: bytes, key: str) -> Iterator[Mapping[str, Any]]:
    """Return the rows of an answer; they are inside its root, or are the whole answer."""
    answer = _decode(body)
    return rows_of(answer if isinstance(answer, list) else _container(answer).get(key))


def _activity_rows(content: Mapping[str, Any]) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    """Yield the event and the activity of each row of a notification."""
    for row in rows_of(content.get(_ACTIVITY_ROWS)):
        event = row.get("event")
        for activity in rows_of(row.get("Activity")):
            yield event, activity


def _activity(row: Mapping[str, Any]) -> Activity | None:
    """Parse one row; None without a uuid or a type."""
    uuid, type_ = (text_of(row.get(key), longest=None) for key in ("uuid", "type"))
    if not (uuid and type_):
        return None
    if len(uuid) > _LONGEST_KEY or len(type_) > _LONGEST_KEY:
        return None
    progress = int_of(row.get("progress"))
    return Activity(uuid, type_, None if progress is None else max(-1, min(100, progress)))


def _task(name: str, row: Mapping[str, Any]) -> ButlerTask:
    """Parse one row. A missing title is made of the words of the name, such as DeepMediaAnalysis."""
    words = _WORD_STARTS.sub(" ", name.removeprefix("ButlerTask") or name)
    interval = int_of(row.get("interval"))
    if interval is not None and not 0 <= interval <= _LONGEST_INTERVAL:
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
    return decode(body, NotPlexError, xml=True)


def _container(answer: Any) -> Mapping[str, Any]:
    """Return the object inside the root of an answer."""
    if isinstance(answer, dict):
        for root in ("ButlerTasks", "MediaContainer"):
            if isinstance(container := answer.get(root), dict):
                return container
    raise NotPlexError("The answer is not one that a Plex Media Server gives")
