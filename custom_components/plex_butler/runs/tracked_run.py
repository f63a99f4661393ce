"""One run, and the evidence for it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from .models import EndedRun, KnownBy, Origin, Outcome, Run


@dataclass(slots=True)
class TrackedRun:
    """A run that goes on, or a start that may have become one.

    `since`: when the run began, or was first seen if not `start_known`.
    `ours`: it began with a start of ours, or the server answered to one that it runs already.
    `grace_until`: until then it needs no evidence; None once an activity was evidence.
    `confirmed`: it counts as running. An unanswered start does not until there is evidence.
    `row_idle_at_command`: Butler's row was not busy when our start was sent.
    `row_seen_busy`: the row was seen busy while the run went on.
    `foreign`: the activities that were listed before our start, so that they are no evidence.
    `activity_seen`, `row_seen`: when an activity, or the row, was last evidence.
    `polls_without`: how many polls since the last activity have shown no evidence.
    `polls_failed`: a poll has failed since the last evidence, so that the end may have been missed.
    `announced`: the event of the start was collected, or there is none.
    `started_by`: who asked for the start that began it.
    `activities`: the listed ones that are evidence; kept only for a run whose `start_certain`.
    `log_started`, `log_seen`: when the server's log said that the task starts, and last named it.
    `log_gap`: the log was not read all the time since then, so that its word may have been missed.
    `log_error`: the log reported an exception that can only be this task's.
    `said`, `said_at`: how the run ended by the word of the log, and when that came.
    """

    since: datetime
    start_known: bool
    ours: bool = False
    grace_until: datetime | None = None
    confirmed: bool = True
    known_by: KnownBy = KnownBy.ASSUMED
    row_idle_at_command: bool = False
    row_seen_busy: bool = False
    foreign: frozenset[str] = frozenset()
    activity_seen: datetime | None = None
    row_seen: datetime | None = None
    polls_without: int = 0
    polls_failed: bool = False
    announced: bool = False
    started_by: Origin | None = None
    activities: set[str] = field(default_factory=set)
    log_started: datetime | None = None
    log_seen: datetime | None = None
    log_gap: bool = False
    log_error: bool = False
    said: Outcome | None = None
    said_at: datetime | None = None

    @property
    def start_certain(self) -> bool:
        """Return whether it is certain that the task was started: by us, or by the server's log."""
        return self.ours or self.log_started is not None

    @property
    def last_seen(self) -> datetime | None:
        """Return when there was last evidence: an activity or, before the first one, the row.

        A line of the log that names the task is evidence at any time.
        """
        seen = self.activity_seen or self.row_seen
        return max(seen, self.log_seen) if seen and self.log_seen else seen or self.log_seen

    def record_activity(self, now: datetime, known_by: KnownBy) -> None:
        """Record an activity as evidence; from now on only activities keep the run going."""
        self.activity_seen, self.confirmed, self.grace_until = now, True, None
        self.polls_failed = False
        self.polls_without = 0
        if known_by is KnownBy.OBSERVED:
            self.known_by = known_by

    def record_row(self, now: datetime) -> None:
        """Record a busy row, or a server that answers nothing, as evidence."""
        self.row_seen, self.polls_failed = now, False

    def record_log(self, now: datetime) -> None:
        """Record a line of the log that names the task as evidence."""
        self.log_seen, self.polls_without = now, 0

    def record_start_in_log(self, now: datetime, grace: timedelta) -> None:
        """Record the line of the log that says that the task starts: its true start, if no other."""
        if self.log_started is None and self.activity_seen is None:
            # What the row has shown before was not this task's.
            self.since, self.start_known = now, True
            self.row_seen, self.row_seen_busy = None, False
            self.grace_until = max(self.grace_until or now, now + grace)
        self.log_started = self.log_started or now
        self.confirmed, self.known_by = True, KnownBy.OBSERVED
        self.record_log(now)

    def record_word(self, outcome: Outcome, now: datetime) -> None:
        """Record the line of the log that says how the run has ended."""
        self.said, self.said_at = outcome, now
        self.confirmed, self.known_by = True, KnownBy.OBSERVED
        self.record_log(now)

    def moved(self, move: Callable[[datetime], datetime]) -> TrackedRun:
        """Return a copy whose times are those of another clock."""
        return replace(
            self,
            since=move(self.since),
            grace_until=self.grace_until and move(self.grace_until),
            activity_seen=self.activity_seen and move(self.activity_seen),
            row_seen=self.row_seen and move(self.row_seen),
            log_started=self.log_started and move(self.log_started),
            log_seen=self.log_seen and move(self.log_seen),
            said_at=self.said_at and move(self.said_at),
        )

    def as_run(self, task: str) -> Run:
        """Return what is shown of the run."""
        return Run(
            task=task,
            since=self.since,
            known_by=self.known_by,
            ours=self.ours,
            start_known=self.start_known,
            started_by=self.started_by,
            plex_log=self.log_started is not None,
        )

    def as_ended(
        self,
        task: str,
        outcome: Outcome,
        ended: datetime | None,
        stopped_by: Origin | None = None,
    ) -> EndedRun:
        """Return what is kept of the run once it has ended."""
        if outcome is Outcome.END_NOT_SEEN:
            ended = None
        return EndedRun(
            task=task,
            since=self.since,
            ended=ended,
            duration=max(ended - self.since, timedelta()) if ended and self.start_known else None,
            outcome=outcome,
            known_by=self.known_by,
            last_known=ended or self.last_seen or self.since,
            ours=self.ours,
            start_known=self.start_known,
            started_by=self.started_by,
            stopped_by=stopped_by,
            plex_log=self.log_started is not None or self.said is not None,
        )
