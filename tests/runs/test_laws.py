"""What must hold whatever happens: commands, frames, polls, losses, freezes, restarts at random."""

from contextlib import ExitStack
from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from custom_components.plex_butler.plex import (
    Activity,
    ActivityChanged,
    BackupCompleted,
    BackupRefused,
    LogSign,
    OptimizationCompleted,
    TaskException,
    TaskMentioned,
    TaskScheduled,
    TaskStarted,
)
from custom_components.plex_butler.runs.models import EndedRun, KnownBy, Outcome, Run
from custom_components.plex_butler.runs.rules import GRACE_ALREADY_RUNNING, LOG_AT_MOST
from custom_components.plex_butler.runs.tracker import RunTracker, SentStart
from tests.runs.server import INTRO_ITEM, LOUDNESS_ITEM, NIGHT, SCAN_ITEM
from tests.task_names import BACKUP, INTROS, LOUDNESS, OPTIMIZE, SCAN

MAPPED = {INTROS, LOUDNESS}
END_IN_LOG = {BACKUP, OPTIMIZE}
"""Those that the log may say have run before it has said that they started."""
TASKS = st.sampled_from([BACKUP, OPTIMIZE, SCAN, INTROS, LOUDNESS, "BrewCoffee"])
TYPES = st.sampled_from([INTRO_ITEM, LOUDNESS_ITEM, SCAN_ITEM, "media.download"])
SIGNS = st.sampled_from(
    [
        BackupCompleted(0),
        BackupCompleted(1),
        BackupRefused(),
        OptimizationCompleted(),
        TaskException(),
    ]
) | st.builds(lambda kind, task: kind(task), st.sampled_from([TaskMentioned, TaskScheduled]), TASKS)
BY_LOG = {Outcome.SUCCEEDED, Outcome.FAILED}
ROW = "row"


class Laws(RuleBasedStateMachine):
    """A server with a list of activities, and what is concluded from what it shows of them."""

    @initialize()
    def begin(self) -> None:
        self.runs = RunTracker()
        self.now = NIGHT
        # What the server really lists: by uuid the type, and the row's progress.
        self.items: dict[str, str] = {}
        self.row: int | None = None
        # What was done and shown so far.
        self.commanded: set[str] = set()
        self.in_log: set[str] = set()
        self.sending: dict[str, tuple[ExitStack, SentStart]] = {}
        self.last_evidence = NIGHT
        self.believed: dict[str, Run] = {}
        self.uuids = 0

    # --- the server

    @property
    def activities(self) -> list[Activity]:
        rows = [Activity(uuid, type_, 50) for uuid, type_ in self.items.items()]
        return rows if self.row is None else [*rows, Activity(ROW, "butler", self.row)]

    @property
    def works(self) -> bool:
        return bool(self.items) or self.row not in (None, 100)

    def tell(self, activity: Activity, *, told: bool, ended: bool = False) -> None:
        """Send a frame, unless it gets lost."""
        if told:
            before = self.last_evidence
            self.runs.record_change(ActivityChanged(activity, ended), self.now)
            self.last_evidence = max(before, self.now)

    @rule(type_=TYPES, told=st.booleans())
    def item_begins(self, type_: str, *, told: bool) -> None:
        self.uuids += 1
        self.items[f"{self.uuids}"] = type_
        self.tell(Activity(f"{self.uuids}", type_, 0), told=told)

    @precondition(lambda self: self.items)
    @rule(data=st.data(), told=st.booleans())
    def item_ends(self, data: st.DataObject, *, told: bool) -> None:
        uuid = data.draw(st.sampled_from(sorted(self.items)))
        self.tell(Activity(uuid, self.items.pop(uuid), 100), told=told, ended=True)

    @precondition(lambda self: self.items)
    @rule(data=st.data())
    def item_is_told_again(self, data: st.DataObject) -> None:
        uuid = data.draw(st.sampled_from(sorted(self.items)))
        self.tell(Activity(uuid, self.items[uuid], 50), told=True)
        running, _ = self.runs.running, self.take_events()
        self.tell(Activity(uuid, self.items[uuid], 51), told=True)
        assert self.runs.running == running
        assert not self.take_events()

    @rule(progress=st.sampled_from([None, -1, 0, 60, 100]), told=st.booleans())
    def row_changes(self, progress: int | None, *, told: bool) -> None:
        had_one, self.row = self.row is not None, progress
        if progress is not None:
            self.tell(Activity(ROW, "butler", progress), told=told)
        elif had_one:
            self.tell(Activity(ROW, "butler", 100), told=told, ended=True)

    @rule(seconds=st.integers(0, 400))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    # --- what is asked and commanded

    @rule()
    def poll(self) -> None:
        self.runs.record_poll(self.activities, self.now)
        assert self.runs.listed == self.items.keys()
        if self.works:
            self.last_evidence = self.now

    @rule(task=TASKS)
    def start_is_sent(self, task: str) -> None:
        if task not in self.sending:
            before = self.runs.running
            waiting = ExitStack()
            sent = waiting.enter_context(self.runs.sending_start(task, self.now))
            self.sending[task] = waiting, sent
            self.commanded.add(task)
            assert self.runs.running == before

    @precondition(lambda self: self.sending)
    @rule(
        data=st.data(),
        answer=st.sampled_from(["accepted", "already_running", "none", "refused"]),
    )
    def start_is_answered(self, data: st.DataObject, answer: str) -> None:
        task = data.draw(st.sampled_from(sorted(self.sending)))
        waiting, sent = self.sending.pop(task)
        if answer == "refused":
            sent.record_refused()
            waiting.close()
            self.believed.pop(task, None)  # a start that is refused has shown nothing of its own
            return
        if answer != "none":
            if self.runs.listed or self.runs.maintenance:
                self.last_evidence = self.now  # what is listed counts until an answer comes
            getattr(sent, f"record_{answer}")(self.now)
        waiting.close()
        events = self.take_events()
        if answer != "none":
            ended = any(isinstance(event, EndedRun) and event.task == task for event in events)
            assert task in self.runs.running or ended

    @rule(task=TASKS)
    def stop(self, task: str) -> None:
        others = {t: run for t, run in self.runs.running.items() if t != task}
        self.runs.record_stop(task, self.now)
        assert self.runs.running == others

    @rule(task=TASKS)
    def was_not_running(self, task: str) -> None:
        others = {t: run for t, run in self.runs.running.items() if t != task}
        self.runs.record_not_running(task)
        assert self.runs.running == others

    @rule()
    def stop_all(self) -> None:
        self.runs.record_stop_all(self.now)
        assert not self.runs.running

    # --- the log

    @rule(task=TASKS)
    def log_says_that_a_task_starts(self, task: str) -> None:
        self.in_log.add(task)
        self.last_evidence = self.now
        self.runs.log.record(TaskStarted(task), self.now)
        run = self.runs.running[task]
        assert (run.known_by, run.plex_log) == (KnownBy.OBSERVED, True)

    @rule(sign=SIGNS)
    def log_says_something_else(self, sign: LogSign) -> None:
        running = self.runs.running
        self.runs.log.record(sign, self.now)
        self.last_evidence = self.now
        # It begins nothing, but that a start which was not answered did arrive.
        assert self.runs.running.keys() <= running.keys() | self.commanded
        if isinstance(sign, TaskMentioned | TaskScheduled | TaskException):
            assert self.runs.running == running

    @rule()
    def log_is_lost(self) -> None:
        running = self.runs.running
        self.runs.log.record_gap()
        assert self.runs.running == running

    @rule()
    def poll_fails(self) -> None:
        self.runs.record_poll_failure()

    @rule()
    def server_is_lost(self) -> None:
        self.runs.record_server_gone()
        assert not self.runs.running
        assert not self.runs.maintenance
        assert all(
            isinstance(told, Run) or told.outcome is not Outcome.FINISHED
            for told in self.take_events()
        )

    @rule()
    def server_freezes(self) -> None:
        self.runs.record_server_busy(self.now)
        if self.runs.maintenance:
            assert self.runs.maintenance
            self.last_evidence = self.now
        else:
            assert not self.runs.running

    @rule()
    def home_assistant_restarts(self) -> None:
        self.take_events()
        before, remembered, proven = (
            self.runs.running,
            self.runs.to_store(),
            self.runs.row_proven,
        )
        self.runs = RunTracker()
        self.sending.clear()
        self.runs.restore(remembered, row_proven=proven, denied={})
        assert self.runs.running == before
        assert not self.take_events()

    @rule()
    def quiet_for_a_while(self) -> None:
        """Whatever ran: with nothing to show for it, it ends."""
        self.answer_nothing()
        self.items.clear()
        self.row = None
        self.now += LOG_AT_MOST
        for _ in range(4):
            self.now += GRACE_ALREADY_RUNNING
            self.runs.record_poll((), self.now)
        assert not self.runs.running
        assert not self.runs.unsettled

    def answer_nothing(self) -> None:
        for waiting, _ in self.sending.values():
            waiting.close()
        self.sending.clear()

    # --- the laws

    def take_events(self) -> list[Run | EndedRun]:
        """Take the news; each start has one end, and each end is one of something believed in."""
        news = list(self.runs.take_events())
        for told in news:
            if isinstance(told, Run):
                assert told.task not in self.believed
                assert told.started is not None
                self.believed[told.task] = told
            else:
                self.believed.pop(told.task, None)
                self.end_is_honest(told)
        return news

    def end_is_honest(self, ended: EndedRun) -> None:
        assert ended.last_known <= self.now
        if ended.outcome in BY_LOG:
            assert ended.plex_log
        if ended.outcome is Outcome.END_NOT_SEEN or ended.ended is None:
            assert ended.outcome in (Outcome.END_NOT_SEEN, Outcome.FAILED)
            assert (ended.ended, ended.duration) == (None, None)
            return
        assert ended.ended is not None
        assert ended.ended == ended.last_known <= self.now
        if ended.outcome is Outcome.FINISHED:
            assert ended.ended <= self.last_evidence
        if ended.started is not None:
            assert ended.duration == ended.ended - ended.started
        else:
            assert ended.duration is None

    @invariant()
    def nothing_runs_without_evidence(self) -> None:
        for task, run in self.runs.running.items():
            if run.known_by is KnownBy.OBSERVED:
                assert task in MAPPED | END_IN_LOG or run.plex_log
            assert run.plex_log <= (task in self.in_log)
            assert task in self.commanded | self.in_log | MAPPED
        assert self.runs.maintenance or not self.runs.running

    @invariant()
    def what_runs_with_a_start_was_told_once(self) -> None:
        self.take_events()
        running = self.runs.running
        assert self.believed.keys() <= running.keys()


TestLaws = Laws.TestCase
