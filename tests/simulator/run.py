"""One run of a task."""

from dataclasses import dataclass, field

from .activities import Activity
from .clock import Event
from .tasks import Profile


@dataclass(slots=True)
class Run:
    """A task at work: what is due next for it, and what it shows."""

    task: str
    profile: Profile
    total: int
    done: int = 0
    scheduled: bool = False
    events: list[Event] = field(default_factory=list)
    items: list[Activity] = field(default_factory=list)
