"""What is concluded from which evidence: one test for each row of the table."""

from datetime import timedelta

import pytest

from custom_components.plex_butler.plex import Activity
from custom_components.plex_butler.runs.models import EndedRun, KnownBy, Outcome, Run
from custom_components.plex_butler.runs.rules import ROW_STAYS_IDLE
from custom_components.plex_butler.runs.tracker import RunTracker
from tests.runs.server import (
    BUSY,
    IDLE,
    INDETERMINATE,
    INTRO_ITEM,
    LOUDNESS_ITEM,
    NIGHT,
    SCAN_ITEM,
    Server,
    item,
    seconds,
    take_ended,
)
from tests.task_names import BACKUP, INTROS, LOUDNESS, OPTIMIZE, SCAN


def test_nothing_is_known_before_the_first_poll() -> None:
    runs = RunTracker()
    assert not runs.running
    assert not runs.maintenance
    assert not runs.unsettled


def test_accepted_start_runs_assumed_since_now() -> None:
    server = Server()
    server.accept(BACKUP, server.now)
    assert server.runs.running == {BACKUP: Run(BACKUP, NIGHT, KnownBy.ASSUMED, ours=True)}
    assert server.runs.maintenance


def test_start_without_evidence_ends_as_end_not_seen_after_its_grace() -> None:
    server = Server()
    server.accept(BACKUP, server.now)
    server.poll(IDLE, after=29)
    assert server.running == {BACKUP: KnownBy.ASSUMED}
    server.poll(IDLE, after=1)
    assert not server.running
    assert server.ended() == EndedRun(
        BACKUP, NIGHT, None, None, Outcome.END_NOT_SEEN, KnownBy.ASSUMED, NIGHT, ours=True
    )


def test_already_running_is_believed_for_ten_minutes_without_a_start() -> None:
    server = Server()
    server.answer_already_running(BACKUP, server.now)
    assert server.runs.running == {
        BACKUP: Run(BACKUP, server.now, KnownBy.ASSUMED, ours=True, start_known=False)
    }
    server.poll(IDLE, after=599)
    assert server.running
    server.poll(IDLE, after=1)
    ended = server.ended()
    assert (ended.outcome, ended.started) == (Outcome.END_NOT_SEEN, None)


def test_already_running_counts_items_that_were_there_before() -> None:
    server = Server(row_proven=True, first=(IDLE, item(INTRO_ITEM)))
    assert not server.running
    server.answer_already_running(INTROS, server.now)
    server.poll(IDLE, item(INTRO_ITEM))
    assert server.running == {INTROS: KnownBy.OBSERVED}


def test_already_running_prolongs_our_own_run() -> None:
    server = Server()
    server.accept(BACKUP, server.now)
    server.poll(IDLE, after=20)
    server.answer_already_running(BACKUP, server.now)
    server.polls(500, IDLE)
    assert server.runs.running[BACKUP].started == NIGHT


def test_servers_word_does_not_outlive_the_items_that_follow() -> None:
    server = Server(first=())
    server.answer_already_running(INTROS, server.now)
    server.poll(item(INTRO_ITEM))
    server.polls(120)
    assert server.outcomes() == [(INTROS, Outcome.FINISHED)]


def test_servers_word_turns_a_likely_run_into_an_observed_one() -> None:
    server = Server(first=())
    server.poll(item(INTRO_ITEM))
    assert server.running == {INTROS: KnownBy.ASSUMED}
    server.answer_already_running(INTROS, server.now)
    server.poll(item(INTRO_ITEM))
    assert server.running == {INTROS: KnownBy.OBSERVED}


def test_unconfirmed_start_runs_only_with_evidence() -> None:
    server = Server()
    server.leave_unanswered(INTROS, server.now)
    assert not server.running
    assert not server.runs.maintenance
    assert server.runs.unsettled
    server.poll(IDLE, item(INTRO_ITEM))
    assert server.runs.running == {INTROS: Run(INTROS, NIGHT, KnownBy.OBSERVED, ours=True)}


def test_unconfirmed_start_without_evidence_is_forgotten_silently() -> None:
    server = Server()
    server.leave_unanswered(BACKUP, server.now)
    server.polls(35, IDLE)
    assert not server.runs.unsettled
    assert server.outcomes() == []


def test_unconfirmed_start_of_a_running_task_changes_nothing() -> None:
    server = Server()
    server.accept(INTROS, server.now)
    server.leave_unanswered(INTROS, server.now + seconds(5))
    assert server.runs.running[INTROS].started == NIGHT


def test_unconfirmed_start_is_confirmed_by_the_servers_word() -> None:
    server = Server()
    server.leave_unanswered(BACKUP, server.now)
    server.answer_already_running(BACKUP, server.now)
    assert server.runs.running == {
        BACKUP: Run(BACKUP, server.now, KnownBy.ASSUMED, ours=True, start_known=False)
    }


@pytest.mark.parametrize("row_proven", [False, True])
@pytest.mark.parametrize("row", [(), (IDLE,), (BUSY,), (INDETERMINATE,)])
def test_new_item_of_our_own_run_is_observed_whatever_the_row_says(
    row: tuple[Activity, ...], *, row_proven: bool
) -> None:
    server = Server(row_proven=row_proven)
    server.accept(INTROS, server.now)
    server.poll(*row, item(INTRO_ITEM))
    assert server.running == {INTROS: KnownBy.OBSERVED}


def test_item_from_before_our_start_says_nothing_about_it() -> None:
    server = Server(row_proven=True, first=(IDLE, item(INTRO_ITEM)))
    server.accept(INTROS, server.now)
    server.polls(30, IDLE, item(INTRO_ITEM))
    assert server.outcomes() == [(INTROS, Outcome.END_NOT_SEEN)]


@pytest.mark.parametrize("row", [BUSY, INDETERMINATE])
def test_mapped_item_with_a_busy_row_is_observed(row: Activity) -> None:
    server = Server(row_proven=True)
    server.poll(row, item(INTRO_ITEM))
    assert server.runs.running == {INTROS: Run(INTROS, server.now, KnownBy.OBSERVED)}


def test_run_that_was_there_at_first_contact_has_no_start_and_no_duration() -> None:
    server = Server(first=(BUSY, item(INTRO_ITEM)))
    assert server.runs.running == {
        INTROS: Run(INTROS, server.now, KnownBy.OBSERVED, start_known=False)
    }
    server.rest()
    ended = server.ended()
    assert (ended.outcome, ended.ended, ended.duration) == (Outcome.FINISHED, NIGHT, None)


def test_mapped_item_without_a_row_is_likely_only() -> None:
    server = Server(first=())
    server.poll(item(INTRO_ITEM))
    assert server.running == {INTROS: KnownBy.ASSUMED}


def test_row_that_never_leaves_100_is_no_row() -> None:
    server = Server()
    assert not server.runs.row_proven
    server.poll(IDLE, item(INTRO_ITEM))
    assert server.running == {INTROS: KnownBy.ASSUMED}


def test_row_counts_once_it_was_seen_busy_until_the_server_is_updated() -> None:
    server = Server(row_proven=True)
    server.poll(IDLE, item(INTRO_ITEM))
    assert not server.running
    server.runs.record_server_update()
    server.poll(IDLE, item(INTRO_ITEM, "2"))
    assert server.running == {INTROS: KnownBy.ASSUMED}


@pytest.mark.parametrize("type_", [INTRO_ITEM, SCAN_ITEM])
def test_items_beside_an_idle_row_are_somebody_elses(type_: str) -> None:
    server = Server(row_proven=True)
    server.poll(IDLE, item(type_))
    assert not server.running
    assert not server.runs.maintenance


def test_item_that_began_beside_an_idle_row_stays_somebody_elses() -> None:
    server = Server(row_proven=True)
    server.poll(IDLE, item(INTRO_ITEM))
    server.poll(BUSY, item(INTRO_ITEM))
    assert not server.running
    assert server.runs.maintenance


def test_ambiguous_item_starts_no_task() -> None:
    for first in ((), (BUSY,)):
        server = Server(first=first)
        server.poll(*first, item(SCAN_ITEM))
        assert not server.running


def test_ambiguous_item_keeps_our_own_task_running_assumed() -> None:
    server = Server(first=())
    server.accept(SCAN, server.now)
    server.polls(600, item(SCAN_ITEM))
    assert server.running == {SCAN: KnownBy.ASSUMED}
    last_seen = server.now
    server.polls(130, IDLE)
    assert server.ended() == EndedRun(
        SCAN,
        NIGHT,
        last_seen,
        seconds(600),
        Outcome.FINISHED,
        KnownBy.ASSUMED,
        last_seen,
        ours=True,
    )


def test_ambiguous_item_from_before_our_start_does_not_keep_it() -> None:
    server = Server(first=(item(SCAN_ITEM),))
    server.accept(SCAN, server.now)
    server.polls(30, item(SCAN_ITEM))
    assert server.outcomes() == [(SCAN, Outcome.END_NOT_SEEN)]


def test_ambiguous_item_keeps_our_task_beside_a_row_that_was_idle_all_along() -> None:
    server = Server(row_proven=True)
    server.accept(SCAN, server.now)
    server.polls(60, IDLE, item(SCAN_ITEM))
    assert server.running == {SCAN: KnownBy.ASSUMED}


def test_ambiguous_item_does_not_outlive_the_row_that_was_busy_for_our_task() -> None:
    server = Server()
    server.accept(SCAN, server.now)
    server.poll(BUSY, item(SCAN_ITEM))
    server.rest(item(SCAN_ITEM, "2"))
    ended = server.ended()
    turned = server.now - ROW_STAYS_IDLE
    assert (ended.outcome, ended.ended) == (Outcome.FINISHED, turned)


def test_busy_row_alone_is_maintenance_without_a_task() -> None:
    server = Server()
    server.poll(BUSY)
    assert not server.running
    assert (server.runs.maintenance, server.runs.unsettled) == (True, True)
    server.rest()
    assert (server.runs.maintenance, server.runs.unsettled) == (False, False)


@pytest.mark.parametrize(("first", "busy"), [(IDLE, False), (BUSY, True)])
def test_row_without_progress_says_nothing_new(first: Activity, *, busy: bool) -> None:
    server = Server(first=(first,))
    server.poll(Activity("row", "butler", None))
    assert server.runs.maintenance is busy


def test_row_that_becomes_busy_after_our_start_is_evidence_for_it() -> None:
    server = Server()
    server.accept(OPTIMIZE, server.now)
    server.poll(IDLE)
    server.polls(1200, BUSY)
    assert server.running == {OPTIMIZE: KnownBy.ASSUMED}
    last_seen = server.now
    server.rest()
    assert server.ended() == EndedRun(
        OPTIMIZE,
        NIGHT,
        last_seen,
        seconds(1205),
        Outcome.FINISHED,
        KnownBy.ASSUMED,
        last_seen,
        ours=True,
    )


def test_row_that_was_busy_before_our_start_is_no_evidence_for_it() -> None:
    server = Server(first=(BUSY,))
    server.accept(BACKUP, server.now)
    server.polls(30, BUSY)
    assert server.outcomes() == [(BACKUP, Outcome.END_NOT_SEEN)]


def test_row_that_a_mapped_item_explains_is_no_evidence_for_another_task() -> None:
    server = Server()
    server.accept(BACKUP, server.now)
    server.accept(INTROS, server.now)
    server.polls(30, BUSY, item(INTRO_ITEM))
    assert server.running == {INTROS: KnownBy.OBSERVED}
    assert server.outcomes() == [(BACKUP, Outcome.END_NOT_SEEN)]


def test_only_a_mapped_item_that_is_listed_now_explains_the_row() -> None:
    server = Server()
    server.accept(INTROS, server.now)
    server.accept(SCAN, server.now)
    server.poll(IDLE, item(INTRO_ITEM))
    server.accept(OPTIMIZE, server.now)
    server.polls(60, BUSY, item(SCAN_ITEM, "2"))
    assert OPTIMIZE in server.running


def test_row_that_is_explained_just_after_it_turned_busy_has_shown_no_other_run() -> None:
    server = Server()
    server.accept(BACKUP, server.now)
    server.poll(BUSY)
    server.poll(BUSY, item(INTRO_ITEM), after=4)
    server.rest()
    assert (BACKUP, Outcome.END_NOT_SEEN) in server.outcomes()


def test_freeze_from_before_the_row_turned_busy_stays_evidence() -> None:
    server = Server()
    server.accept(OPTIMIZE, server.now)
    server.now += seconds(10)
    server.freeze(server.now)
    server.poll(BUSY, item(INTRO_ITEM))
    server.rest()
    assert (OPTIMIZE, Outcome.FINISHED) in server.outcomes()


def test_row_that_others_explain_later_does_not_hold_our_run_for_ever() -> None:
    server = Server()
    server.accept(OPTIMIZE, server.now)
    server.polls(60, BUSY)
    server.polls(295, BUSY, item(INTRO_ITEM))
    assert OPTIMIZE in server.running
    server.poll(BUSY, item(INTRO_ITEM))
    assert server.outcomes() == [(OPTIMIZE, Outcome.END_NOT_SEEN)]


def test_row_that_was_explained_stays_so_in_the_pauses_between_items() -> None:
    server = Server()
    server.accept(BACKUP, server.now)
    for episode in range(10):
        server.polls(30, BUSY, item(INTRO_ITEM, f"{episode}"))
        server.polls(15, BUSY)
    assert server.running == {INTROS: KnownBy.OBSERVED}
    assert server.outcomes() == [(BACKUP, Outcome.END_NOT_SEEN)]
    server.rest()
    take_ended(server.runs)
    server.accept(BACKUP, server.now)
    server.polls(60, BUSY)
    assert server.running == {BACKUP: KnownBy.ASSUMED}


def test_row_does_not_tell_which_of_two_starts_it_is_busy_for() -> None:
    server = Server()
    server.accept(BACKUP, server.now)
    server.accept(OPTIMIZE, server.now)
    server.polls(30, BUSY)
    assert sorted(server.outcomes()) == [
        (BACKUP, Outcome.END_NOT_SEEN),
        (OPTIMIZE, Outcome.END_NOT_SEEN),
    ]
    assert server.runs.maintenance


def test_item_from_before_the_first_time_that_the_row_told_something_is_butlers() -> None:
    server = Server()
    server.poll(IDLE, item(INTRO_ITEM))
    server.poll(BUSY, item(INTRO_ITEM))
    assert server.running == {INTROS: KnownBy.OBSERVED}


def test_task_that_the_server_does_not_list_cannot_run() -> None:
    server = Server(first=())
    server.poll(item(INTRO_ITEM), item(LOUDNESS_ITEM, "2"))
    server.runs.record_task_list([LOUDNESS])
    assert server.outcomes() == [(INTROS, Outcome.END_NOT_SEEN)]
    server.poll(item(INTRO_ITEM), item(LOUDNESS_ITEM, "2"))
    assert server.running == {LOUDNESS: KnownBy.ASSUMED}


def test_row_still_idle_at_the_first_poll_ends_nothing() -> None:
    server = Server(row_proven=True)
    server.accept(BACKUP, server.now)
    server.poll(IDLE)
    assert server.running == {BACKUP: KnownBy.ASSUMED}


def test_row_turning_idle_ends_a_run_without_own_evidence_as_not_seen() -> None:
    server = Server(first=(BUSY,))
    server.accept(BACKUP, server.now)
    server.poll(BUSY)
    server.rest()
    assert server.outcomes() == [(BACKUP, Outcome.END_NOT_SEEN)]


def test_row_turning_idle_does_not_end_our_run_while_its_items_are_listed() -> None:
    server = Server()
    server.accept(INTROS, server.now)
    server.poll(BUSY, item(INTRO_ITEM))
    server.poll(IDLE, item(INTRO_ITEM, "2"))
    assert server.running == {INTROS: KnownBy.OBSERVED}


def test_row_that_vanishes_after_it_was_seen_busy_is_idle() -> None:
    server = Server(row_proven=True, first=())
    server.poll(BUSY, item(INTRO_ITEM))
    server.poll()
    server.poll(after=10)
    assert server.outcomes() == [(INTROS, Outcome.FINISHED)]


@pytest.mark.parametrize(("row", "gap"), [((BUSY,), 300), ((), 120)])
def test_gap_between_items_ends_a_run_at_its_last_item(row: tuple[Activity, ...], gap: int) -> None:
    server = Server(first=row)
    server.polls(300, *row, every=60)
    server.poll(*row, item(INTRO_ITEM))
    server.polls(60, *row, item(INTRO_ITEM))
    started, last_seen = server.now - seconds(60), server.now
    server.polls(gap - 5, *row)
    assert INTROS in server.running
    server.poll(*row)
    ended = server.ended()
    assert (ended.started, ended.ended, ended.duration, ended.outcome) == (
        started,
        last_seen,
        seconds(60),
        Outcome.FINISHED,
    )


def test_end_by_gap_needs_three_polls() -> None:
    server = Server(first=())
    server.poll(item(INTRO_ITEM))
    server.poll(after=600)
    server.poll(after=600)
    assert INTROS in server.running
    server.poll(after=1)
    assert server.outcomes() == [(INTROS, Outcome.FINISHED)]


@pytest.mark.parametrize(("row", "pause"), [((BUSY,), 300), ((), 120), ((IDLE,), 120)])
@pytest.mark.parametrize("away", [False, True])
def test_run_that_may_have_been_in_a_pause_at_first_sight_has_no_start(
    row: tuple[Activity, ...], pause: float, *, away: bool
) -> None:
    for after, known in ((pause - 1, False), (pause, True)):
        server = Server(first=row)
        if away:
            server.polls(600, *row, every=60)
            server.runs.record_poll_failure()
            server.poll(*row)
        first_seen = server.now
        server.poll(*row, item(INTRO_ITEM), after=after)
        assert server.runs.running[INTROS].started == (
            first_seen + seconds(after) if known else None
        )


@pytest.mark.parametrize("lost", [False, True])
def test_row_that_rested_since_first_sight_tells_that_a_run_has_begun(*, lost: bool) -> None:
    server = Server(first=(IDLE,))
    if lost:
        server.runs.record_server_gone()
        server.poll(BUSY)
    server.poll(BUSY, item(INTRO_ITEM))
    assert (server.runs.running[INTROS].started is None) is lost


def test_polls_without_an_item_are_counted_from_the_last_item() -> None:
    server = Server(first=())
    server.poll(item(INTRO_ITEM))
    server.poll()
    server.poll()
    server.poll(item(INTRO_ITEM, "2"))
    server.poll(after=600)
    server.poll(after=600)
    assert INTROS in server.running
    server.poll(after=1)
    assert server.outcomes() == [(INTROS, Outcome.FINISHED)]


def test_night_of_forty_episodes_is_one_run() -> None:
    server = Server(row_proven=True)
    for episode in range(40):
        server.polls(60, BUSY, item(INTRO_ITEM, f"{episode}"))
        server.polls(290, BUSY)
    assert server.outcomes() == []
    server.rest()
    assert server.outcomes() == [(INTROS, Outcome.FINISHED)]


def test_items_side_by_side_are_counted_by_uuid() -> None:
    server = Server(first=())
    server.poll(item(INTRO_ITEM, "1"), item(INTRO_ITEM, "2"))
    server.polls(600, item(INTRO_ITEM, "2"))
    assert INTROS in server.running


def test_two_mapped_tasks_run_at_once() -> None:
    server = Server(row_proven=True)
    server.poll(BUSY, item(INTRO_ITEM, "1"), item(LOUDNESS_ITEM, "2"))
    assert server.running == {INTROS: KnownBy.OBSERVED, LOUDNESS: KnownBy.OBSERVED}


def test_stop_ends_at_once_and_counts_what_was_seen() -> None:
    server = Server()
    server.accept(INTROS, server.now)
    server.runs.record_stop(INTROS, server.now + seconds(90))
    assert server.ended() == EndedRun(
        INTROS,
        NIGHT,
        NIGHT + seconds(90),
        seconds(90),
        Outcome.STOPPED,
        KnownBy.ASSUMED,
        NIGHT + seconds(90),
        ours=True,
    )


def test_last_items_after_a_stop_are_no_new_run_but_later_ones_are() -> None:
    server = Server()
    server.accept(INTROS, server.now)
    server.poll(BUSY, item(INTRO_ITEM))
    server.runs.record_stop(INTROS, server.now)
    take_ended(server.runs)
    server.polls(3600, BUSY, item(INTRO_ITEM), every=60)
    assert not server.running
    server.poll(BUSY, item(INTRO_ITEM), item(INTRO_ITEM, "2"))
    assert server.running == {INTROS: KnownBy.OBSERVED}


def test_start_after_a_stop_counts_new_items_at_once() -> None:
    server = Server()
    server.poll(BUSY, item(INTRO_ITEM))
    server.runs.record_stop(INTROS, server.now)
    server.accept(INTROS, server.now)
    server.poll(BUSY, item(INTRO_ITEM))
    assert server.running == {INTROS: KnownBy.ASSUMED}
    server.poll(BUSY, item(INTRO_ITEM, "2"))
    assert server.running == {INTROS: KnownBy.OBSERVED}


def test_items_count_at_once_for_what_was_already_running_after_a_stop() -> None:
    server = Server()
    server.runs.record_stop(INTROS, server.now)
    server.answer_already_running(INTROS, server.now)
    server.poll(IDLE, item(INTRO_ITEM))
    assert server.running == {INTROS: KnownBy.OBSERVED}


def test_stop_of_what_did_not_run_for_us_reports_nothing() -> None:
    server = Server()
    server.runs.record_stop(BACKUP, server.now)
    server.leave_unanswered(OPTIMIZE, server.now)
    server.runs.record_stop(OPTIMIZE, server.now)
    assert server.outcomes() == []
    assert not server.running


def test_stop_all_ends_everything_and_its_last_items_too() -> None:
    server = Server(row_proven=True)
    server.accept(BACKUP, server.now)
    server.poll(BUSY, item(INTRO_ITEM))
    server.runs.record_stop_all(server.now)
    assert sorted(server.outcomes()) == [
        (BACKUP, Outcome.STOPPED),
        (INTROS, Outcome.STOPPED),
    ]
    server.poll(BUSY, item(INTRO_ITEM))
    assert not server.running
    server.poll(BUSY, item(INTRO_ITEM), item(LOUDNESS_ITEM, "2"))
    assert server.running == {LOUDNESS: KnownBy.OBSERVED}


def test_new_items_count_at_once_when_all_is_started_after_it_was_stopped() -> None:
    server = Server(row_proven=True)
    server.poll(BUSY, item(INTRO_ITEM), item(SCAN_ITEM, "9"))
    server.runs.record_stop_all(server.now)
    server.poll(BUSY, item(INTRO_ITEM))
    assert not server.running
    server.poll(BUSY, item(INTRO_ITEM, "2"))
    assert server.running == {INTROS: KnownBy.OBSERVED}


@pytest.mark.parametrize(
    ("row", "outcome"), [(BUSY, Outcome.FINISHED), (IDLE, Outcome.END_NOT_SEEN)]
)
def test_server_that_says_it_was_not_running_is_believed(row: Activity, outcome: Outcome) -> None:
    server = Server(first=(row,))
    server.poll(row, item(INTRO_ITEM))
    server.runs.record_not_running(INTROS)
    assert server.outcomes() == [(INTROS, outcome)]
    server.poll(row, item(INTRO_ITEM))
    assert not server.running
    server.poll(row, item(INTRO_ITEM, "2"))
    assert INTROS in server.running


def test_stop_of_an_idle_task_changes_nothing() -> None:
    server = Server()
    server.poll(IDLE, item(INTRO_ITEM))
    before = server.runs.running
    server.runs.record_not_running(BACKUP)
    server.poll(IDLE, item(INTRO_ITEM))
    assert server.runs.running == before
    assert server.outcomes() == []


def test_second_start_that_is_accepted_ends_the_first_run() -> None:
    server = Server()
    server.accept(BACKUP, server.now)
    server.accept(BACKUP, server.now + seconds(10))
    assert server.outcomes() == [(BACKUP, Outcome.END_NOT_SEEN)]
    assert server.runs.running[BACKUP].started == NIGHT + seconds(10)


def test_unknown_tasks_live_by_their_grace() -> None:
    server = Server()
    server.accept("BrewCoffee", server.now)
    server.poll(item(SCAN_ITEM), item(INTRO_ITEM, "2"))
    server.runs.record_not_running("BrewCoffee")
    assert server.outcomes() == [("BrewCoffee", Outcome.END_NOT_SEEN)]


def test_freeze_is_evidence_for_a_start_that_got_no_answer() -> None:
    server = Server()
    server.leave_unanswered(OPTIMIZE, server.now)
    assert server.freeze(server.now + seconds(29))
    assert server.running == {OPTIMIZE: KnownBy.ASSUMED}


def test_freeze_that_nothing_of_ours_explains_is_an_outage() -> None:
    server = Server()
    server.leave_unanswered(OPTIMIZE, server.now)
    server.leave_unanswered(BACKUP, server.now)
    assert not server.freeze(server.now + seconds(30))
    assert not server.running


def test_freeze_is_no_evidence_for_a_task_that_freezes_no_server() -> None:
    server = Server()
    server.leave_unanswered(BACKUP, server.now)
    assert not server.freeze(server.now)


def test_freeze_in_the_middle_of_maintenance_is_the_maintenance() -> None:
    server = Server()
    server.accept("BrewCoffee", server.now)
    assert server.freeze(server.now)
    server = Server(first=(BUSY,))
    assert server.freeze(server.now)


def test_run_that_froze_the_server_ends_without_an_end_once_it_answers() -> None:
    server = Server()
    server.accept(OPTIMIZE, server.now)
    server.now += seconds(3600)
    assert server.freeze(server.now)
    server.polls(115, IDLE)
    assert server.running == {OPTIMIZE: KnownBy.ASSUMED}
    server.poll(IDLE)
    assert server.outcomes() == [(OPTIMIZE, Outcome.END_NOT_SEEN)]


def test_outage_ends_every_run_without_an_end() -> None:
    server = Server(row_proven=True)
    server.poll(BUSY, item(INTRO_ITEM))
    server.accept(BACKUP, server.now)
    server.runs.record_server_gone()
    assert {ended.outcome for ended in take_ended(server.runs)} == {Outcome.END_NOT_SEEN}
    assert not server.runs.maintenance
    server.poll(BUSY, item(INTRO_ITEM))
    assert server.runs.running == {
        INTROS: Run(INTROS, server.now, KnownBy.OBSERVED, start_known=False)
    }


def test_nothing_of_what_was_listed_before_an_outage_is_left_after_it() -> None:
    server = Server()
    server.poll(BUSY, item(INTRO_ITEM))
    server.runs.record_server_gone()
    server.poll()
    assert not server.runs.maintenance
    server.poll(BUSY)
    assert not server.running


def test_row_that_was_explained_before_an_outage_is_evidence_after_it() -> None:
    server = Server()
    server.poll(BUSY, item(INTRO_ITEM))
    server.runs.record_server_gone()
    server.poll(IDLE)
    server.leave_unanswered(BACKUP, server.now)
    server.polls(15, BUSY)
    assert server.running == {BACKUP: KnownBy.ASSUMED}


def test_outage_proves_no_row() -> None:
    server = Server()
    server.runs.record_server_gone()
    assert not server.runs.row_proven


def test_row_that_has_a_progress_later_is_read() -> None:
    server = Server(first=(Activity("row", "butler", None),))
    server.poll(BUSY)
    assert server.runs.maintenance


def test_clock_that_is_set_back_makes_no_negative_duration() -> None:
    server = Server()
    server.accept(BACKUP, server.now)
    server.runs.record_stop(BACKUP, server.now - seconds(3600))
    assert server.ended().duration == timedelta()
