"""What the server's own log adds to what is known of runs."""

from dataclasses import replace
from datetime import timedelta

import pytest

from custom_components.plex_butler.plex import (
    BackupCompleted,
    BackupRefused,
    DatabaseCorrupted,
    LogSign,
    OptimizationCompleted,
    TaskEnded,
    TaskException,
    TaskMentioned,
    TaskScheduled,
    TaskStarted,
)
from custom_components.plex_butler.runs.models import EndedRun, KnownBy, Outcome, Run
from custom_components.plex_butler.runs.rules import GRACE, LOG_AT_MOST, SAME_BACKUP
from custom_components.plex_butler.runs.tracker import RunTracker
from tests.runs.server import BUSY, IDLE, INTRO_ITEM, NIGHT, SCAN_ITEM, Server, item, seconds
from tests.task_names import BACKUP, DEEP, INTROS, OPTIMIZE, SCAN


class LoggingServer(Server):
    """A server whose log is read."""

    def log(self, *signs: LogSign, after: float = 0) -> None:
        """Write lines some seconds later."""
        self.now += timedelta(seconds=after)
        for sign in signs:
            self.runs.log.record(sign, self.now)


def run(task: str, since: float = 0, **fields: object) -> Run:
    """Return a run that began by the log, some seconds after the server's first poll."""
    begun = Run(task, NIGHT + seconds(since), KnownBy.OBSERVED, plex_log=True)
    return replace(begun, **fields)  # type: ignore[arg-type]


def test_start_in_the_log_is_observed_and_seen() -> None:
    server = LoggingServer()
    server.log(TaskStarted(DEEP), after=7)
    assert server.runs.running == {DEEP: run(DEEP, 7)}
    assert server.runs.maintenance
    assert server.runs.take_events() == (run(DEEP, 7),)
    server.log(TaskStarted(DEEP), after=1)
    assert server.runs.take_events() == ()


def test_it_ends_with_the_row_like_any_other() -> None:
    server = LoggingServer(row_proven=True)
    began = server.now
    server.log(TaskStarted(DEEP))
    server.polls(180, BUSY)
    assert server.running == {DEEP: KnownBy.OBSERVED}
    last = server.now
    server.rest()
    assert server.ended() == EndedRun(
        task=DEEP,
        since=began,
        ended=last,
        duration=last - began,
        outcome=Outcome.FINISHED,
        known_by=KnownBy.OBSERVED,
        last_known=last,
        plex_log=True,
    )


def test_it_ends_by_its_grace_if_the_row_never_turns_busy() -> None:
    server = LoggingServer(row_proven=True)
    server.log(TaskStarted(DEEP))
    server.poll(IDLE, after=29)
    assert server.running
    server.poll(IDLE, after=1)
    assert server.outcomes() == [(DEEP, Outcome.END_NOT_SEEN)]


def test_without_a_row_it_ends_when_nothing_was_heard_for_a_while() -> None:
    server = LoggingServer(first=())
    server.log(TaskStarted(DEEP))
    server.polls(100)
    server.log(TaskMentioned(DEEP))
    server.polls(115)
    assert server.running
    server.poll()
    ended = server.ended()
    assert (ended.outcome, ended.last_known) == (Outcome.END_NOT_SEEN, NIGHT + seconds(100))


def test_one_behind_the_other_none_is_seen_to_end() -> None:
    """The row does not say whether the first still goes on beside the second."""
    server = LoggingServer(row_proven=True)
    server.log(TaskStarted(DEEP))
    server.polls(60, BUSY)
    second = server.now
    server.log(TaskStarted(SCAN))
    server.polls(60, BUSY)
    last = server.now
    server.rest()
    ended = [event for event in server.runs.take_events() if isinstance(event, EndedRun)]
    assert [(each.task, each.outcome, each.last_known) for each in ended] == [
        (DEEP, Outcome.END_NOT_SEEN, second),
        (SCAN, Outcome.END_NOT_SEEN, last),
    ]


def test_row_is_busy_for_the_last_that_the_log_has_named() -> None:
    server = LoggingServer(row_proven=True)
    server.log(TaskStarted(DEEP))
    server.polls(60, BUSY)
    server.log(TaskStarted(SCAN))
    server.polls(1000, BUSY)
    assert server.running == {SCAN: KnownBy.OBSERVED}
    server.rest()
    assert server.outcomes() == [(DEEP, Outcome.END_NOT_SEEN), (SCAN, Outcome.FINISHED)]


def test_row_that_activities_have_explained_is_busy_for_the_next_one() -> None:
    server = LoggingServer(row_proven=True)
    server.log(TaskStarted(INTROS))
    server.polls(60, BUSY, item(INTRO_ITEM))
    server.log(TaskStarted(DEEP))
    server.polls(1000, BUSY)
    assert server.running == {DEEP: KnownBy.OBSERVED}
    server.rest()
    assert server.outcomes() == [(INTROS, Outcome.FINISHED), (DEEP, Outcome.FINISHED)]


def test_row_that_activities_explain_is_no_evidence_for_another_task() -> None:
    server = LoggingServer(row_proven=True)
    server.log(TaskStarted(INTROS), TaskStarted(DEEP))
    began = server.now
    server.polls(400, BUSY, item(INTRO_ITEM))
    assert server.running == {INTROS: KnownBy.OBSERVED}
    ended = server.ended()
    assert (ended.task, ended.outcome) == (DEEP, Outcome.END_NOT_SEEN)
    assert ended.last_known == began


def test_items_that_follow_are_its_own_and_end_it() -> None:
    server = LoggingServer(row_proven=True, first=(IDLE, item(INTRO_ITEM, "before")))
    server.log(TaskStarted(INTROS))
    began = server.now
    server.poll(IDLE, item(INTRO_ITEM, "before"), item(INTRO_ITEM))
    server.polls(30, IDLE, item(INTRO_ITEM, "before"))
    assert server.running == {INTROS: KnownBy.OBSERVED}
    server.polls(120, IDLE)
    ended = server.ended()
    assert (ended.outcome, ended.ended) == (Outcome.FINISHED, began + seconds(5))


def test_item_that_arrives_just_before_its_line_is_its_own() -> None:
    server = LoggingServer(row_proven=True)
    server.poll(IDLE, item(INTRO_ITEM))
    server.log(TaskStarted(INTROS))
    server.poll(BUSY, item(INTRO_ITEM))
    assert server.runs.running == {INTROS: run(INTROS, (server.now - NIGHT).total_seconds() - 5)}


def test_items_of_users_keep_it_running() -> None:
    server = LoggingServer(first=())
    server.log(TaskStarted(SCAN))
    server.polls(300, item(SCAN_ITEM))
    assert server.running == {SCAN: KnownBy.OBSERVED}


def test_run_that_shows_items_goes_on_when_its_line_comes() -> None:
    server = LoggingServer(row_proven=True)
    server.poll(BUSY, item(INTRO_ITEM))
    before = server.runs.running[INTROS]
    server.log(TaskStarted(INTROS), after=90)
    assert server.runs.running == {INTROS: replace(before, plex_log=True)}
    server.log(TaskStarted(INTROS), after=90)
    assert server.runs.running == {INTROS: replace(before, plex_log=True)}


def test_line_gives_our_start_its_true_time() -> None:
    server = LoggingServer()
    server.accept(BACKUP)
    server.log(TaskStarted(BACKUP), after=20)
    assert server.runs.running == {BACKUP: run(BACKUP, 20, ours=True)}
    server.poll(IDLE, after=29)
    assert server.running


def test_line_confirms_a_start_without_an_answer() -> None:
    server = LoggingServer()
    server.leave_unanswered(DEEP)
    server.log(TaskMentioned(DEEP))
    assert not server.running
    server.log(TaskStarted(DEEP), after=2)
    assert server.runs.running == {DEEP: run(DEEP, 2, ours=True)}


@pytest.mark.parametrize("answer", ["accept", "answer_already_running", "leave_unanswered"])
def test_line_may_be_faster_than_the_answer(answer: str) -> None:
    server = LoggingServer()
    server.send(BACKUP)
    server.log(TaskStarted(BACKUP), after=1)
    assert server.runs.running == {BACKUP: run(BACKUP, 1, ours=True)}
    server.log(BackupCompleted(0), after=1)
    assert server.running
    getattr(server, answer)(BACKUP)
    server.poll(IDLE)
    ended = server.ended()
    assert (ended.outcome, ended.since, ended.ended) == (
        Outcome.SUCCEEDED,
        NIGHT + seconds(1),
        NIGHT + seconds(2),
    )


def test_second_line_much_later_is_another_run() -> None:
    server = LoggingServer(first=())
    server.log(TaskStarted(DEEP))
    server.log(TaskStarted(DEEP), after=GRACE.total_seconds() - 1)
    assert server.runs.running == {DEEP: run(DEEP)}
    server.log(TaskStarted(DEEP), after=1)
    assert server.runs.running == {DEEP: run(DEEP, GRACE.total_seconds())}
    assert server.outcomes() == [(DEEP, Outcome.END_NOT_SEEN)]


def test_second_line_after_a_busy_row_ends_the_first_run_as_seen() -> None:
    server = LoggingServer(row_proven=True)
    server.log(TaskStarted(DEEP))
    server.polls(60, BUSY)
    server.log(TaskStarted(DEEP))
    assert server.outcomes() == [(DEEP, Outcome.FINISHED)]


# How it ended


@pytest.mark.parametrize(
    ("task", "sign", "outcome"),
    [
        (BACKUP, BackupCompleted(0), Outcome.SUCCEEDED),
        (BACKUP, BackupCompleted(5), Outcome.FAILED),
        (BACKUP, BackupRefused(), Outcome.FAILED),
        (OPTIMIZE, OptimizationCompleted(), Outcome.SUCCEEDED),
    ],
)
@pytest.mark.parametrize("began", ["by itself", "by us"])
def test_log_says_how_it_ended(task: str, sign: LogSign, outcome: Outcome, began: str) -> None:
    server = LoggingServer(row_proven=True)
    since = server.now
    if began == "by us":
        server.accept(task)
    server.log(TaskStarted(task))
    server.poll(BUSY)
    server.log(sign, after=2)
    assert server.ended() == EndedRun(
        task=task,
        since=since,
        ended=server.now,
        duration=seconds(7),
        outcome=outcome,
        known_by=KnownBy.OBSERVED,
        last_known=server.now,
        ours=began == "by us",
        plex_log=True,
    )
    server.log(sign, after=2)
    server.rest()
    assert server.outcomes() == []


def test_only_the_end_of_a_backup_was_seen() -> None:
    server = LoggingServer()
    server.log(BackupRefused())
    server.log(BackupRefused(), after=0.1)
    ended = server.ended()
    assert (ended.outcome, ended.started, ended.ended) == (Outcome.FAILED, None, NIGHT)
    assert (ended.duration, ended.last_known, ended.plex_log) == (None, NIGHT, True)
    server.log(BackupCompleted(0), after=SAME_BACKUP.total_seconds())
    assert server.outcomes() == [(BACKUP, Outcome.SUCCEEDED)]


def test_optimization_without_a_run_is_no_task_of_butlers() -> None:
    server = LoggingServer()
    server.log(OptimizationCompleted(), DatabaseCorrupted())
    assert not server.runs.take_events()


def test_task_that_is_not_listed_does_not_end_either() -> None:
    server = LoggingServer()
    server.runs.record_task_list([DEEP])
    server.log(BackupCompleted(0))
    assert not server.runs.take_events()


def test_log_that_has_said_when_it_began_will_say_when_it_ends() -> None:
    """Its silence is no end; but a line can be lost."""
    server = LoggingServer(first=())
    server.log(TaskStarted(OPTIMIZE))
    at_most = LOG_AT_MOST.total_seconds()
    server.polls(at_most - 60, every=60)
    assert server.running == {OPTIMIZE: KnownBy.OBSERVED}
    server.poll(after=60)
    ended = server.ended()
    assert (ended.outcome, ended.last_known) == (Outcome.END_NOT_SEEN, NIGHT)


def test_gap_in_the_log_ends_the_waiting_for_its_word() -> None:
    server = LoggingServer(first=())
    server.log(TaskStarted(BACKUP))
    server.runs.log.record_gap()
    server.polls(120)
    assert server.outcomes() == [(BACKUP, Outcome.END_NOT_SEEN)]


def test_word_of_the_log_waits_for_the_answer_to_a_stop() -> None:
    server = LoggingServer()
    server.log(TaskStarted(BACKUP))
    with server.runs.sending_stop([BACKUP]):
        server.log(BackupCompleted(0))
        server.runs.record_stop(BACKUP, server.now + seconds(1))
    ended = server.ended()
    assert (ended.outcome, ended.ended) == (Outcome.SUCCEEDED, NIGHT)


def test_answer_that_it_does_not_run_shows_no_end_without_other_evidence() -> None:
    server = LoggingServer()
    server.log(TaskStarted(DEEP))
    server.runs.record_not_running(DEEP)
    assert server.outcomes() == [(DEEP, Outcome.END_NOT_SEEN)]


# Activities within Butler's own, which end


def test_end_of_its_activity_ends_a_task_of_which_nothing_else_is_known() -> None:
    server = LoggingServer(row_proven=True)
    began = server.now
    server.log(TaskStarted(DEEP))
    server.poll(BUSY)
    server.log(TaskEnded(DEEP), after=90)
    ended = server.ended()
    assert (ended.outcome, ended.known_by) == (Outcome.FINISHED, KnownBy.OBSERVED)
    assert ended.ended == server.now
    assert ended.duration == server.now - began
    server.log(TaskEnded(DEEP), after=1)
    assert server.runs.take_events() == ()


def test_end_of_its_activity_after_an_exception_is_a_failure() -> None:
    server = LoggingServer()
    server.log(TaskStarted(DEEP), TaskException())
    server.log(TaskEnded(DEEP), after=3)
    ended = server.ended()
    assert (ended.outcome, ended.ended) == (Outcome.FAILED, server.now)


def test_end_of_its_activity_is_none_where_items_or_more_words_may_follow() -> None:
    server = LoggingServer(row_proven=True)
    began = server.now
    server.log(TaskStarted(INTROS), TaskStarted(BACKUP), TaskStarted(SCAN))
    server.poll(BUSY)
    server.log(TaskEnded(INTROS), TaskEnded(BACKUP), TaskEnded(SCAN), after=3)
    assert server.runs.running.keys() == {INTROS, BACKUP, SCAN}
    server.log(BackupCompleted(0), after=1)
    assert server.outcomes() == [(BACKUP, Outcome.SUCCEEDED)]
    server.poll(BUSY, item(INTRO_ITEM))
    assert server.runs.running[INTROS].since == began


def test_end_of_an_activity_whose_begin_was_not_read_ends_nothing() -> None:
    server = LoggingServer()
    server.accept(DEEP)
    server.log(TaskEnded(DEEP), after=1)
    assert server.runs.running.keys() == {DEEP}


# Exceptions, whose lines name no task


def test_exception_of_the_only_task_makes_it_fail_when_it_ends() -> None:
    server = LoggingServer(row_proven=True)
    server.log(TaskStarted(DEEP))
    server.poll(BUSY)
    server.log(TaskException())
    assert server.running
    server.rest()
    ended = server.ended()
    assert ended.outcome is Outcome.FAILED
    assert ended.ended == ended.last_known


def test_exception_and_an_end_that_was_not_seen() -> None:
    server = LoggingServer(first=())
    server.log(TaskStarted(DEEP), TaskException())
    server.polls(120)
    ended = server.ended()
    assert (ended.outcome, ended.ended, ended.last_known) == (Outcome.FAILED, None, NIGHT)


def test_exception_of_a_run_that_is_stopped_or_succeeds_after_all() -> None:
    server = LoggingServer()
    server.log(TaskStarted(DEEP), TaskException())
    server.runs.record_stop(DEEP, server.now)
    server.log(TaskStarted(BACKUP), TaskException(), BackupCompleted(0))
    assert server.outcomes() == [(DEEP, Outcome.STOPPED), (BACKUP, Outcome.SUCCEEDED)]


def test_exception_whose_task_is_not_certain_changes_nothing() -> None:
    server = LoggingServer(first=())
    server.log(TaskException())
    server.log(TaskStarted(DEEP), TaskStarted(SCAN), TaskException())
    server.polls(120)
    server.accept(OPTIMIZE)
    server.log(TaskException())
    server.polls(30)
    server.log(TaskStarted(DEEP))
    server.runs.log.record_gap()
    server.log(TaskException())
    server.polls(120)
    assert {outcome for _, outcome in server.outcomes()} == {Outcome.END_NOT_SEEN}


# What waits for its time


def test_scheduled_tasks() -> None:
    server = LoggingServer()
    log = server.runs.log
    server.log(TaskScheduled(BACKUP), TaskScheduled(DEEP), TaskScheduled(SCAN))
    assert log.scheduled == {BACKUP, DEEP, SCAN}
    assert not server.runs.unsettled
    server.log(TaskStarted(DEEP))
    server.runs.record_stop(SCAN, server.now)
    assert log.scheduled == {BACKUP}
    server.runs.record_stop_all(server.now)
    assert not log.scheduled
    server.log(TaskScheduled(BACKUP))
    log.record_gap()
    assert not log.scheduled
    server.log(TaskScheduled(BACKUP))
    server.runs.record_server_gone()
    assert not log.scheduled


def test_run_of_the_log_goes_on_over_a_restart() -> None:
    server = LoggingServer(row_proven=True)
    server.log(TaskStarted(BACKUP))
    server.poll(BUSY)
    later = LoggingServer(first=())
    later.runs = RunTracker()
    later.now = server.now
    later.runs.restore(server.runs.to_store(), row_proven=True, denied={})
    assert later.runs.running == server.runs.running
    later.log(BackupCompleted(0), after=30)
    assert later.outcomes() == [(BACKUP, Outcome.SUCCEEDED)]
