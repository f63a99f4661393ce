"""Models of what a Plex Media Server sends.

An optional field is None if the server has left it out.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

BUTLER_ROW: Final = "butler"
"""The type of the activity that stands for Butler as a whole (seen); its progress is 100 if idle."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity of the server at an address (`GET /identity`, seen on 1.43)."""

    machine_identifier: str
    version: str | None
    claimed: bool | None


@dataclass(frozen=True, slots=True)
class Server:
    """A server's description of itself (`GET /`, seen on 1.20).

    The answer also contains the owner's user name, which is not read.
    """

    machine_identifier: str
    friendly_name: str | None
    version: str | None
    platform: str | None
    platform_version: str | None
    plex_pass: bool | None


@dataclass(frozen=True, slots=True)
class ButlerTask:
    """A task and its schedule, but not whether it runs (a row of `GET /butler`, OpenAPI).

    `name` identifies the task in requests; `title` and `description` are the server's texts, in
    English. `interval_days` is 1 for every day, 7 for every week. `enabled` refers to the schedule.
    """

    name: str
    title: str
    description: str | None
    interval_days: int | None
    schedule_randomized: bool | None
    enabled: bool | None


@dataclass(frozen=True, slots=True)
class Activity:
    """An activity of the server (a row of `GET /activities`, OpenAPI; seen on 1.43).

    `progress` is 0 to 100, or -1 if the server does not know it. Titles, subtitles and contexts
    contain the names of people's films and are not read.
    """

    uuid: str
    type: str
    progress: int | None


@dataclass(frozen=True, slots=True)
class ActivityChanged:
    """An activity began, went on or ended (seen on 1.15 to 1.43)."""

    activity: Activity
    ended: bool


@dataclass(frozen=True, slots=True)
class PreferencesChanged:
    """Preferences of the server changed, and with them perhaps the schedule (seen)."""


@dataclass(frozen=True, slots=True)
class ChangesDropped:
    """A frame had more changes than are read: only a poll shows what the others were."""


@dataclass(frozen=True, slots=True)
class SessionChanged:
    """A player reported its state, which need not have changed: each does so every few seconds (seen).

    `key` is the number under which the server lists the session. A paused session is not `playing`.
    Frames contain what is played as well, which is not read.
    """

    key: str
    playing: bool
    ended: bool


type Notification = ActivityChanged | PreferencesChanged | SessionChanged | ChangesDropped


class StartResult(StrEnum):
    """The answer of a server to the start of a task (OpenAPI)."""

    STARTED = "started"
    ALREADY_RUNNING = "already_running"


class StopResult(StrEnum):
    """The answer of a server to the stop of a task (OpenAPI)."""

    STOPPED = "stopped"
    NOT_RUNNING = "was_not_running"
