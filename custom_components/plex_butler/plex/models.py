"""What a Plex Media Server tells, typed.

Every field that the server may leave out can be None, and None means just that: not told.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

BUTLER_ROW: Final = "butler"
"""The type of the activity that stands for Butler as a whole (seen): 100 is idle."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who answers at an address (`GET /identity`, seen on 1.43)."""

    machine_identifier: str
    version: str | None
    claimed: bool | None


@dataclass(frozen=True, slots=True)
class Server:
    """What a server tells about itself (`GET /`, seen on 1.20).

    The owner's user name stands there too; it is never read.
    """

    machine_identifier: str
    friendly_name: str | None
    version: str | None
    platform: str | None
    platform_version: str | None
    plex_pass: bool | None


@dataclass(frozen=True, slots=True)
class ButlerTask:
    """One row of `GET /butler` (OpenAPI): a task and its schedule, never whether it runs.

    `name` is what the wire uses; `title` and `description` are the server's texts, in English.
    `interval_days` is 1 for every day, 7 for every week; `enabled` is about the schedule.
    """

    name: str
    title: str
    description: str | None
    interval_days: int | None
    schedule_randomized: bool | None
    enabled: bool | None


@dataclass(frozen=True, slots=True)
class Activity:
    """One row of `GET /activities` (OpenAPI; seen on 1.43).

    `progress` is 0 to 100, or -1 where the server cannot tell. Titles, subtitles and contexts
    name people's films and are not kept.
    """

    uuid: str
    type: str
    progress: int | None


@dataclass(frozen=True, slots=True)
class ActivityChanged:
    """A frame of the notification stream about one activity (seen on 1.15 to 1.43).

    `ended` is True for the last frame of an activity; others tell that it is there.
    """

    activity: Activity
    ended: bool


@dataclass(frozen=True, slots=True)
class PreferencesChanged:
    """A frame that tells of changed preferences, which may change what is scheduled (seen)."""


type Notification = ActivityChanged | PreferencesChanged


class StartResult(StrEnum):
    """How a server answered to the start of a task (OpenAPI)."""

    STARTED = "started"
    ALREADY_RUNNING = "already_running"


class StopResult(StrEnum):
    """How a server answered to the stop of a task (OpenAPI)."""

    STOPPED = "stopped"
    NOT_RUNNING = "was_not_running"
