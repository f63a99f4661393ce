"""The same conclusions from frames of the notification stream, and what a restart must keep."""

from datetime import timedelta

import pytest

from custom_components.plex_butler.plex import MOST_ACTIVITIES, Activity, ActivityChanged
from custom_components.plex_butler.runs.activities import MOST_DENIED
from custom_components.plex_butler.runs.models import EndedRun, KnownBy, Outcome, Run
from custom_components.plex_butler.runs.rules import (
    GAP_NO_ROW,
    GRACE,
    ROW_EXPLAINED,
    ROW_STAYS_IDLE,
)
from custom_components.plex_butler.runs.tracker import RunTracker
from tests.runs.server import (
    BUSY,
    IDLE,
    INTRO_ITEM,
    LOUDNESS_ITEM,
    NIGHT,
    SCAN_ITEM,
    Server,
    item,
    seconds,
)
from tests.task_names import BACKUP, DEEP, INTROS, LOUDNESS, OPTIMIZE, SCAN


class Telling(Server):
    """A server that tells: `frame` is what it tells some seconds later."""

    def frame(self, activity: Activity, *, ended: bool = False, after: float = 0) -> bool:
        self.now += timedelta(seconds=after)
        return self.runs.record_change(ActivityChanged(activity, ended), self.now)

    def news(self) -> list[str | Outcome]:
        return [
            news.outcome if isinstance(news, EndedRun) else f"{news.task} {news.known_by}"
            for news in self.runs.take_events()
        ]


@pytest.mark.parametrize("row_proven", [False, True])
def test_item_of_our_own_run_is_observed_as_soon_as_it_is_told(*, row_proven: bool) -> None:
    server = Telling(row_proven=row_proven)
    server.accept(INTROS, server.now)
    assert server.frame(item(INTRO_ITEM)) is not row_proven or server.running
    assert server.running == {INTROS: KnownBy.OBSERVED}


def test_item_beside_a_busy_row_is_observed_as_soon_as_it_is_told() -> None:
    server = Telling()
    server.frame(BUSY)
    assert not server.running
    assert server.runs.maintenance
    assert not server.frame(item(INTRO_ITEM), after=1)
    assert server.runs.running == {INTROS: Run(INTROS, server.now, KnownBy.OBSERVED)}


def test_item_that_is_told_before_the_row_is_observed_as_well() -> None:
    server = Telling(row_proven=True)
    assert server.frame(item(INTRO_ITEM))
    assert not server.running
    server.frame(BUSY, after=1)
    assert server.running == {INTROS: KnownBy.OBSERVED}


@pytest.mark.parametrize(("row", "running"), [(BUSY, {INTROS: KnownBy.OBSERVED}), (IDLE, {})])
def test_poll_tells_what_an_item_beside_a_row_means_that_was_idle_when_last_seen(
    row: Activity, running: dict[str, KnownBy]
) -> None:
    server = Telling(row_proven=True)
    assert server.frame(item(INTRO_ITEM))
    assert not server.frame(item(INTRO_ITEM))
    server.poll(row, item(INTRO_ITEM))
    assert server.running == running
    server.frame(BUSY)
    assert server.running == running


@pytest.mark.parametrize("polled", [False, True])
def test_item_beside_a_busy_row_that_has_ended_leaves_somebody_elses_item(*, polled: bool) -> None:
    server = Telling(row_proven=True, first=(IDLE, item(INTRO_ITEM)))
    server.poll(BUSY, item(INTRO_ITEM))
    server.frame(item(INTRO_ITEM, "2"))
    assert server.running == {INTROS: KnownBy.OBSERVED}
    if not polled:
        server.frame(item(INTRO_ITEM, "2"), ended=True)
    server.polls(310, BUSY, item(INTRO_ITEM))
    assert server.outcomes() == [(INTROS, Outcome.FINISHED)]


@pytest.mark.parametrize("polled", [False, True])
def test_item_that_ended_before_the_row_was_busy_leaves_somebody_elses_item(
    *, polled: bool
) -> None:
    server = Telling(row_proven=True, first=(IDLE, item(INTRO_ITEM)))
    server.frame(item(INTRO_ITEM, "2"))
    if not polled:
        server.frame(item(INTRO_ITEM, "2"), ended=True)
    server.poll(BUSY, item(INTRO_ITEM))
    assert not server.running


def test_item_that_the_server_denied_is_no_evidence_with_another_item() -> None:
    server = Telling(row_proven=True)
    server.poll(BUSY, item(INTRO_ITEM))
    server.runs.record_not_running(INTROS)
    server.rest(item(INTRO_ITEM), item(INTRO_ITEM, "2"))
    server.poll(BUSY, item(INTRO_ITEM), item(INTRO_ITEM, "2"))
    assert not server.running


@pytest.mark.parametrize("type_", [SCAN_ITEM, "media.download"])
def test_no_poll_is_needed_for_an_item_that_begins_nothing(type_: str) -> None:
    server = Telling(row_proven=True)
    assert not server.frame(item(type_))
    assert not server.runs.unsettled


def test_item_without_a_row_is_likely_only_and_needs_no_poll() -> None:
    server = Telling(first=())
    assert not server.frame(item(INTRO_ITEM))
    assert server.running == {INTROS: KnownBy.ASSUMED}


@pytest.mark.parametrize("row_first", [False, True])
def test_run_is_over_when_the_row_turns_idle_beside_its_last_item(*, row_first: bool) -> None:
    server = Telling()
    server.frame(BUSY)
    server.frame(item(INTRO_ITEM))
    server.frame(item(INTRO_ITEM), ended=True, after=60)
    server.frame(item(INTRO_ITEM, "2"), after=30)
    server.frame(item(INTRO_ITEM, "2") if not row_first else IDLE, ended=not row_first, after=60)
    server.frame(IDLE if not row_first else item(INTRO_ITEM, "2"), ended=row_first)
    server.poll(IDLE, after=10)
    ended = server.ended()
    assert (ended.started, ended.ended, ended.duration, ended.outcome) == (
        NIGHT,
        NIGHT + seconds(150),
        seconds(150),
        Outcome.FINISHED,
    )


def test_row_that_ends_is_idle() -> None:
    server = Telling(first=())
    server.frame(BUSY)
    server.frame(item(INTRO_ITEM))
    server.frame(item(INTRO_ITEM), ended=True, after=60)
    server.frame(Activity("other row", "butler", None), after=1)
    assert server.runs.maintenance
    server.frame(BUSY, ended=True, after=1)
    server.frame(Activity("other row", "butler", None), ended=True, after=1)
    server.poll(after=10)
    assert server.outcomes() == [(INTROS, Outcome.FINISHED)]
    assert not server.runs.maintenance


def test_row_that_lost_its_progress_is_as_busy_as_before_but_not_after_a_loss() -> None:
    server = Telling(first=(BUSY,))
    server.poll(Activity("other row", "butler", None))
    assert server.runs.maintenance
    server.poll(BUSY)
    server.runs.record_server_gone()
    server.poll(Activity("row", "butler", None))
    assert not server.runs.maintenance


def test_second_row_that_is_busy_keeps_maintenance_on() -> None:
    server = Telling()
    server.frame(BUSY)
    server.frame(Activity("second", "butler", 10))
    server.frame(IDLE)
    assert server.runs.maintenance
    server.frame(Activity("second", "butler", 100))
    server.poll(IDLE, after=10)
    assert not server.runs.maintenance


def test_ended_frame_that_was_missed_is_made_up_for_by_a_poll() -> None:
    server = Telling(first=())
    server.frame(item(INTRO_ITEM))
    server.frame(item(INTRO_ITEM, "2"), after=10)
    server.frame(item(INTRO_ITEM, "2"), ended=True, after=10)
    last_seen = server.now
    server.polls(130)
    assert server.ended().ended == last_seen


def test_end_of_an_item_that_was_never_listed_is_no_news() -> None:
    server = Telling(first=())
    server.frame(item(INTRO_ITEM), ended=True)
    assert not server.running


def test_updates_of_a_listed_item_keep_its_run() -> None:
    server = Telling(first=())
    server.polls(120)
    server.runs.take_events()
    server.frame(item(INTRO_ITEM))
    began = server.now
    server.poll(after=1)
    server.frame(item(INTRO_ITEM), after=200)
    server.frame(item(INTRO_ITEM), after=200)
    assert server.frame(item(INTRO_ITEM), ended=True, after=10) is False
    last_seen = server.now
    server.polls(130)
    assert server.ended().duration == last_seen - began


def test_night_of_forty_episodes_is_one_start_and_one_end() -> None:
    server = Telling(row_proven=True)
    server.frame(BUSY)
    for episode in range(40):
        server.frame(item(INTRO_ITEM, f"{episode}"))
        server.frame(item(INTRO_ITEM, f"{episode}"), ended=True, after=60)
        server.polls(280, BUSY)
    server.rest()
    assert server.news() == [f"{INTROS} observed", Outcome.FINISHED]


def test_instant_task_that_frames_show_ended_before_the_answer_to_its_start() -> None:
    server = Telling()
    server.send(BACKUP)
    server.frame(BUSY, after=0.1)
    assert not server.running
    server.frame(IDLE, after=0.1)
    assert not server.runs.take_events()
    server.now += seconds(0.1)
    server.accept(BACKUP, server.now)
    server.poll(IDLE, after=10)
    assert not server.running
    news = server.runs.take_events()
    assert news[0] == Run(BACKUP, NIGHT, KnownBy.ASSUMED, ours=True)
    assert news[1] == EndedRun(
        BACKUP,
        NIGHT,
        NIGHT + seconds(0.2),
        seconds(0.2),
        Outcome.FINISHED,
        KnownBy.ASSUMED,
        NIGHT + seconds(0.2),
        ours=True,
    )


def test_instant_task_that_frames_show_ends_as_seen() -> None:
    server = Telling()
    server.send(BACKUP)
    server.accept(BACKUP, server.now)
    server.frame(BUSY, after=1)
    server.frame(IDLE, after=3)
    server.poll(IDLE, after=10)
    ended = server.ended()
    assert (ended.outcome, ended.duration) == (Outcome.FINISHED, seconds(4))


def test_row_turned_busy_for_what_the_next_frame_tells() -> None:
    server = Telling()
    server.send(BACKUP)
    server.accept(BACKUP, server.now)
    server.frame(BUSY, after=1)
    server.frame(item(INTRO_ITEM), after=ROW_EXPLAINED.total_seconds() - 0.1)
    server.polls(30, BUSY, item(INTRO_ITEM))
    assert server.outcomes() == [(BACKUP, Outcome.END_NOT_SEEN)]


def test_row_that_is_explained_later_was_busy_for_us_until_then() -> None:
    server = Telling()
    server.send(BACKUP)
    server.accept(BACKUP, server.now)
    server.frame(BUSY, after=1)
    server.frame(item(INTRO_ITEM), after=ROW_EXPLAINED.total_seconds())
    server.polls(60, BUSY, item(INTRO_ITEM))
    assert BACKUP in server.running


def test_row_alone_confirms_no_unanswered_start_before_a_poll_does() -> None:
    server = Telling()
    server.send(BACKUP)
    server.leave_unanswered(BACKUP, server.now)
    server.frame(BUSY, after=1)
    assert not server.running
    server.poll(BUSY)
    assert server.running == {BACKUP: KnownBy.ASSUMED}


def test_row_keeps_an_unanswered_start_that_a_poll_after_its_grace_confirms() -> None:
    server = Telling()
    server.leave_unanswered(BACKUP, server.now)
    server.frame(BUSY, after=28)
    server.poll(BUSY, after=6)
    assert server.running == {BACKUP: KnownBy.ASSUMED}


def test_start_that_an_item_has_shown_is_one_run_with_its_answer() -> None:
    server = Telling()
    server.send(INTROS)
    server.frame(item(INTRO_ITEM))
    server.accept(INTROS)
    server.poll(IDLE, item(INTRO_ITEM))
    assert server.news() == [f"{INTROS} observed"]
    assert server.running == {INTROS: KnownBy.OBSERVED}


def test_item_that_began_before_the_answer_shows_the_new_run() -> None:
    server = Telling()
    server.accept(SCAN, server.now)
    server.send(SCAN)
    server.frame(item(SCAN_ITEM), after=1)
    server.accept(SCAN)
    server.frame(item(SCAN_ITEM), ended=True, after=1)
    server.runs.take_events()
    server.polls(180, IDLE)
    assert server.outcomes() == [(SCAN, Outcome.FINISHED)]


def test_run_does_not_end_by_what_is_seen_while_it_is_started_again() -> None:
    server = Telling()
    server.accept(INTROS, server.now)
    server.poll(BUSY, item(INTRO_ITEM))
    server.send(INTROS)
    server.frame(item(INTRO_ITEM), ended=True, after=1)
    server.frame(IDLE)
    assert INTROS in server.running


def test_item_that_began_before_a_start_was_left_unanswered_shows_its_run() -> None:
    server = Telling(row_proven=True)
    server.send(INTROS)
    server.runs.record_server_gone()
    server.frame(item(INTRO_ITEM), after=1)
    server.leave_unanswered(INTROS)
    assert not server.running
    server.frame(item(INTRO_ITEM))
    assert server.running == {INTROS: KnownBy.OBSERVED}


def test_refused_start_holds_no_later_run() -> None:
    server = Telling()
    server.send(INTROS)
    server.refuse(INTROS)
    server.poll(BUSY, item(INTRO_ITEM))
    server.rest()
    assert server.outcomes() == [(INTROS, Outcome.FINISHED)]


def test_stop_that_got_no_answer_holds_no_run() -> None:
    server = Telling()
    server.poll(BUSY, item(INTRO_ITEM))
    with server.runs.sending_stop([INTROS]):
        pass
    server.rest()
    assert server.outcomes() == [(INTROS, Outcome.FINISHED)]


def test_frames_confirm_no_unanswered_start_by_a_busy_row() -> None:
    server = Telling()
    server.leave_unanswered(BACKUP, server.now)
    server.frame(BUSY, after=1)
    server.frame(item("media.download"), after=ROW_EXPLAINED.total_seconds())
    assert not server.running


def test_row_confirms_no_start_that_waits_for_its_answer() -> None:
    server = Telling()
    server.send(BACKUP)
    server.polls(15, BUSY)
    assert not server.running


def test_frames_without_an_item_are_no_polls() -> None:
    server = Telling(first=())
    server.frame(item(INTRO_ITEM))
    server.frame(item(INTRO_ITEM), ended=True)
    for number in range(3):
        server.frame(item("media.download", f"{number}"), after=GAP_NO_ROW.total_seconds())
    assert INTROS in server.running


def test_foreign_item_that_is_listed_again_is_still_foreign() -> None:
    server = Telling(first=(IDLE, item(INTRO_ITEM)))
    server.accept(INTROS, server.now)
    server.frame(item(INTRO_ITEM), ended=True, after=1)
    server.frame(item(INTRO_ITEM), after=1)
    assert server.running == {INTROS: KnownBy.ASSUMED}


def test_item_that_was_listed_shows_at_once_what_was_already_running() -> None:
    server = Telling(row_proven=True, first=(IDLE, item(INTRO_ITEM)))
    server.answer_already_running(INTROS, server.now)
    server.frame(item(INTRO_ITEM), after=1)
    assert server.running == {INTROS: KnownBy.OBSERVED}


def test_answer_that_it_was_running_says_nothing_of_the_start_that_an_item_has_shown() -> None:
    server = Telling()
    server.send(INTROS)
    server.frame(item(INTRO_ITEM))
    server.answer_already_running(INTROS)
    assert server.runs.running[INTROS].started is None


def test_answer_that_it_was_running_counts_after_a_loss_of_the_server() -> None:
    server = Telling()
    server.send(INTROS)
    server.runs.record_server_gone()
    server.answer_already_running(INTROS)
    assert server.running == {INTROS: KnownBy.ASSUMED}


def test_foreign_item_does_not_keep_a_run_when_it_is_told_again() -> None:
    server = Telling(first=(IDLE, item(SCAN_ITEM)))
    server.accept(SCAN, server.now)
    server.frame(item(SCAN_ITEM), after=1)
    server.polls(GRACE.total_seconds(), IDLE, item(SCAN_ITEM))
    assert server.outcomes() == [(SCAN, Outcome.END_NOT_SEEN)]


def test_item_that_has_ended_does_not_keep_a_run_beside_other_items() -> None:
    server = Telling()
    server.accept(SCAN, server.now)
    server.frame(item(SCAN_ITEM))
    server.frame(item(SCAN_ITEM), ended=True, after=1)
    ended = server.now
    server.frame(item("media.download", "2"), after=3)
    server.polls(180, IDLE)
    assert server.ended().ended == ended


def test_update_of_an_item_is_the_last_that_is_known_of_a_run_before_a_loss() -> None:
    server = Telling()
    server.poll(BUSY, item(INTRO_ITEM))
    server.frame(item(INTRO_ITEM), after=3)
    server.runs.record_server_gone()
    assert server.ended().last_known == server.now


def test_start_that_is_refused_leaves_nothing() -> None:
    server = Telling()
    server.send(BACKUP)
    unsettled = server.runs.unsettled
    server.refuse(BACKUP)
    assert (unsettled, server.runs.unsettled) == (True, False)
    assert server.news() == []


def test_refused_start_takes_nothing_from_a_run_that_goes_on() -> None:
    server = Telling()
    server.accept(BACKUP, server.now)
    server.send(BACKUP)
    server.refuse(BACKUP)
    assert BACKUP in server.running


@pytest.mark.parametrize("answered", [False, True])
def test_run_that_has_ended_does_not_come_back_with_the_answer_to_its_start(
    *, answered: bool
) -> None:
    server = Telling()
    server.send(INTROS)
    server.frame(item(INTRO_ITEM))
    assert server.news() == [f"{INTROS} observed"]
    server.runs.record_server_gone()
    assert server.news() == [Outcome.END_NOT_SEEN]
    if answered:
        server.answer_already_running(INTROS)
    else:
        server.leave_unanswered(INTROS)
    assert server.running == ({INTROS: KnownBy.ASSUMED} if answered else {})
    assert server.news() == []


def test_items_that_were_denied_are_not_those_of_our_next_start_after_a_restart() -> None:
    server = Telling(first=(IDLE, item(INTRO_ITEM)))
    assert INTROS in server.running
    server.runs.record_not_running(INTROS)
    server.accept(INTROS)
    stored = server.runs.to_store()
    server.runs = RunTracker()
    server.runs.restore(stored, row_proven=False, denied={})
    server.poll(IDLE, item(INTRO_ITEM))
    assert server.running == {INTROS: KnownBy.ASSUMED}


def test_start_that_is_sent_while_a_run_goes_on_counts_from_when_it_was_sent() -> None:
    server = Telling(first=())
    server.accept(INTROS, server.now)
    server.frame(item(INTRO_ITEM))
    server.frame(item(INTRO_ITEM), ended=True, after=60)
    server.send(INTROS)
    sent = server.now
    server.now += seconds(1)
    server.accept(INTROS, server.now)
    assert server.news() == [f"{INTROS} observed", Outcome.FINISHED, f"{INTROS} assumed"]
    assert server.runs.running[INTROS].started == sent


def test_answer_that_it_was_running_says_nothing_of_the_start() -> None:
    server = Telling(first=(item(INTRO_ITEM),))
    server.runs.record_task_list([BACKUP, INTROS])
    server.send(BACKUP)
    server.answer_already_running(BACKUP, server.now)
    assert server.runs.running[BACKUP] == Run(
        BACKUP, server.now, KnownBy.ASSUMED, ours=True, start_known=False
    )
    assert server.news() == []
    assert server.runs.unsettled


def test_run_whose_start_was_not_seen_is_no_news_but_its_end_is() -> None:
    server = Telling(first=(BUSY, item(INTRO_ITEM)))
    assert server.news() == []
    server.frame(item(INTRO_ITEM), ended=True)
    server.rest()
    assert server.news() == [Outcome.FINISHED]


def test_run_is_told_once_it_is_observed_or_assumed_and_not_again() -> None:
    server = Telling()
    server.accept(INTROS, server.now)
    assert server.news() == [f"{INTROS} assumed"]
    server.frame(item(INTRO_ITEM))
    assert server.news() == []


def test_loss_of_the_server_in_the_middle_of_a_start() -> None:
    server = Telling()
    server.send(BACKUP)
    server.runs.record_server_gone()
    server.accept(BACKUP, server.now)
    assert BACKUP in server.running


def test_poll_during_a_start_that_is_refused_announces_nothing() -> None:
    server = Telling()
    server.send(BACKUP)
    server.poll(BUSY)
    server.poll(BUSY)
    server.refuse(BACKUP)
    assert server.news() == []
    assert not server.running


def test_unanswered_start_counts_for_nothing_after_its_grace() -> None:
    for told in (False, True):
        server = Telling(row_proven=True)
        server.send(INTROS)
        server.leave_unanswered(INTROS, server.now)
        server.runs.record_poll_failure()
        server.now += GRACE
        if told:
            server.frame(item(INTRO_ITEM))
        server.poll(IDLE, item(INTRO_ITEM))
        assert not server.running


def test_row_that_an_item_explains_confirms_no_unanswered_start() -> None:
    server = Telling()
    server.send(BACKUP)
    server.leave_unanswered(BACKUP, server.now)
    server.poll(BUSY)
    assert BACKUP not in server.running
    server.poll(BUSY, item(INTRO_ITEM), after=4)
    server.polls(60, BUSY, item(INTRO_ITEM))
    assert server.running == {INTROS: KnownBy.OBSERVED}


def test_nothing_ends_by_what_is_seen_while_its_stop_is_under_way() -> None:
    server = Telling()
    server.frame(BUSY)
    server.frame(item(INTRO_ITEM))
    server.runs.take_events()
    with server.runs.sending_stop([INTROS]):
        server.frame(item(INTRO_ITEM), ended=True, after=1)
        server.frame(IDLE)
        assert INTROS in server.running
        server.runs.record_stop(INTROS, server.now)
    assert server.news() == [Outcome.STOPPED]


def test_list_that_is_too_long_is_cut_and_a_poll_is_asked_for() -> None:
    rows = [item("media.download", f"{number}") for number in range(MOST_ACTIVITIES + 5)]
    server = Telling(first=rows)
    assert len(server.runs.listed) == MOST_ACTIVITIES
    assert server.frame(item(INTRO_ITEM, "one more"))
    assert not server.running
    assert not server.frame(rows[0])
    server.frame(rows[0], ended=True)
    assert not server.frame(item(INTRO_ITEM, "one more"))
    assert server.running == {INTROS: KnownBy.ASSUMED}


def test_row_is_heard_beside_a_list_that_is_too_long() -> None:
    rows = [item("media.download", f"{number}") for number in range(MOST_ACTIVITIES)]
    server = Telling(first=(IDLE, *rows))
    assert not server.frame(BUSY)
    assert server.runs.maintenance


def test_unanswered_start_shortly_after_a_stop_has_its_evidence() -> None:
    server = Telling(first=())
    server.accept(INTROS)
    server.poll(item(INTRO_ITEM))
    server.runs.record_stop(INTROS, server.now)
    server.leave_unanswered(INTROS)
    server.poll(item(INTRO_ITEM))
    assert not server.running
    server.poll(item(INTRO_ITEM), item(INTRO_ITEM, "2"))
    assert server.running == {INTROS: KnownBy.OBSERVED}


def test_item_that_was_stopped_is_remembered_when_it_is_not_listed_for_a_while() -> None:
    server = Telling(first=())
    server.poll(item(INTRO_ITEM))
    server.runs.record_stop(INTROS, server.now)
    server.poll()
    server.poll(item(INTRO_ITEM))
    server.runs.record_server_gone()
    server.poll(item(INTRO_ITEM))
    assert not server.running


def test_only_the_latest_stopped_items_are_remembered() -> None:
    server = Telling(first=())
    server.poll(item(INTRO_ITEM, "first"))
    server.runs.record_stop(INTROS, server.now)
    server.poll(*(item(INTRO_ITEM, f"{number}") for number in range(MOST_DENIED)))
    server.runs.record_stop(INTROS, server.now)
    server.poll(*(item(INTRO_ITEM, f"{number}") for number in range(MOST_DENIED)))
    assert not server.running
    server.poll(item(INTRO_ITEM, "first"))
    assert server.running


def test_row_that_is_idle_for_a_moment_between_two_tasks_ends_nothing() -> None:
    server = Telling(row_proven=True)
    server.frame(BUSY)
    server.frame(item(INTRO_ITEM))
    server.runs.take_events()
    server.frame(IDLE, after=60)
    server.poll(IDLE, item(INTRO_ITEM), after=ROW_STAYS_IDLE.total_seconds() - 0.1)
    assert (INTROS in server.running, server.runs.maintenance) == (True, True)
    server.frame(BUSY)
    server.polls(60, BUSY, item(INTRO_ITEM))
    assert (INTROS in server.running, server.runs.maintenance) == (True, True)
    assert server.news() == []


@pytest.mark.parametrize(
    "listed",
    [item(INTRO_ITEM), item(INTRO_ITEM, "2"), item("media.unheard.of", "3"), item(SCAN_ITEM, "4")],
)
@pytest.mark.parametrize("restarted", [False, True])
def test_row_that_is_idle_for_a_moment_just_after_an_outage_or_a_restart_ends_nothing(
    listed: Activity, *, restarted: bool
) -> None:
    server = Telling(row_proven=True)
    server.frame(BUSY)
    server.frame(item(INTRO_ITEM))
    server.accept(DEEP)
    server.poll(BUSY, item(INTRO_ITEM))
    server.runs.take_events()
    if restarted:
        stored, server.runs = server.runs.to_store(), RunTracker()
        server.runs.restore(stored, row_proven=True, denied={})
    else:
        server.runs.record_poll_failure()
    server.poll(IDLE, listed)
    assert ({*server.running}, server.runs.maintenance) == ({INTROS, DEEP}, True)
    server.poll(BUSY, listed)
    assert ({*server.running}, server.runs.maintenance) == ({INTROS, DEEP}, True)
    assert server.news() == []


def test_row_that_is_idle_after_a_failed_poll_ends_everything_at_once_if_nothing_is_listed() -> (
    None
):
    server = Telling(row_proven=True)
    server.frame(BUSY)
    server.frame(item(INTRO_ITEM))
    server.runs.record_poll_failure()
    server.poll(IDLE)
    assert (server.running, server.runs.maintenance) == ({}, False)
    assert server.ended().outcome is Outcome.END_NOT_SEEN


def test_row_that_stays_idle_ends_a_run_as_of_its_turn_whatever_is_listed_since() -> None:
    server = Telling(row_proven=True)
    server.frame(BUSY)
    server.frame(item(INTRO_ITEM))
    server.frame(IDLE, after=60)
    turned = server.now
    server.poll(IDLE, item(INTRO_ITEM))
    server.poll(IDLE, item(INTRO_ITEM))
    ended = server.ended()
    assert (ended.outcome, ended.ended, ended.duration) == (
        Outcome.FINISHED,
        turned,
        seconds(60),
    )
    assert not server.runs.maintenance


def test_item_that_begins_while_the_row_is_idle_for_a_moment_is_unclear_until_it_is_busy() -> None:
    for row, running in ((IDLE, {}), (BUSY, {LOUDNESS: KnownBy.OBSERVED})):
        server = Telling(row_proven=True)
        server.frame(BUSY)
        server.frame(IDLE, after=60)
        assert not server.frame(item(LOUDNESS_ITEM), after=1)
        server.poll(IDLE, item(LOUDNESS_ITEM), after=1)
        assert not server.running
        server.frame(row)
        assert server.running == running
        server.poll(row, item(LOUDNESS_ITEM), after=20)
        assert server.running == running


def test_start_while_the_row_is_idle_for_a_moment_has_its_evidence_from_it() -> None:
    server = Telling(row_proven=True)
    server.frame(BUSY)
    server.frame(item(INTRO_ITEM))
    server.frame(item(INTRO_ITEM), ended=True)
    server.frame(IDLE, after=60)
    server.accept(BACKUP)
    server.frame(BUSY, after=1)
    server.polls(60, BUSY)
    assert BACKUP in server.running
    server.rest()
    assert (BACKUP, Outcome.FINISHED) in server.outcomes()


def test_start_while_the_row_is_idle_for_a_moment_is_not_ended_by_it() -> None:
    server = Telling(row_proven=True)
    server.frame(BUSY)
    server.frame(IDLE, after=60)
    server.accept(BACKUP)
    server.polls(25, IDLE)
    assert BACKUP in server.running
    server.polls(5, IDLE)
    assert server.outcomes() == [(BACKUP, Outcome.END_NOT_SEEN)]


def test_idle_row_ends_a_run_that_never_saw_it_busy_at_its_grace_time() -> None:
    server = Telling(row_proven=True)
    server.accept(OPTIMIZE)
    server.now += GRACE
    server.runs.record_server_busy(server.now)
    assert OPTIMIZE in server.running
    server.poll(IDLE)
    assert server.outcomes() == [(OPTIMIZE, Outcome.END_NOT_SEEN)]


def test_empty_list_of_tasks_is_no_reason_to_forget_but_a_short_one_is() -> None:
    server = Telling(first=())
    server.poll(item(INTRO_ITEM), item(LOUDNESS_ITEM, "2"))
    server.runs.record_task_list([INTROS, LOUDNESS])
    server.runs.record_task_list([])
    assert server.running.keys() == {INTROS, LOUDNESS}
    server.runs.record_task_list([LOUDNESS])
    assert server.running.keys() == {LOUDNESS}


def test_start_that_breaks_off_unexpectedly_is_forgotten_after_its_grace() -> None:
    server = Telling()

    def break_off() -> None:
        with server.runs.sending_start(BACKUP, server.now):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    before = server.runs.unsettled
    server.poll(IDLE, after=GRACE.total_seconds())
    assert (before, server.runs.unsettled) == (True, False)
    assert server.news() == []


# --- out of sight, restarts


def test_row_that_turned_idle_while_nobody_looked_is_no_end_that_was_seen() -> None:
    server = Telling()
    server.poll(BUSY, item(INTRO_ITEM))
    server.runs.record_poll_failure()
    server.rest()
    assert server.outcomes() == [(INTROS, Outcome.END_NOT_SEEN)]


def test_evidence_after_a_failed_poll_makes_good_for_it() -> None:
    server = Telling()
    server.poll(BUSY, item(INTRO_ITEM))
    server.runs.record_poll_failure()
    server.poll(BUSY, item(INTRO_ITEM))
    server.rest()
    assert server.outcomes() == [(INTROS, Outcome.FINISHED)]


def test_row_evidence_after_a_failed_poll_makes_good_for_it() -> None:
    server = Telling()
    server.accept(OPTIMIZE, server.now)
    server.poll(BUSY)
    server.runs.record_poll_failure()
    server.poll(BUSY)
    server.rest()
    assert server.outcomes() == [(OPTIMIZE, Outcome.FINISHED)]


def test_servers_word_after_a_failed_poll_is_no_end_that_was_seen() -> None:
    server = Telling()
    server.poll(BUSY, item(INTRO_ITEM))
    server.runs.record_poll_failure()
    server.runs.record_not_running(INTROS)
    assert server.outcomes() == [(INTROS, Outcome.END_NOT_SEEN)]


def restarted(server: Server, *, row_proven: bool | None = None) -> Telling:
    """Return what Home Assistant knows of the server after a restart, before the first poll."""
    before = server.runs
    after = Telling()
    after.runs = RunTracker()
    after.now = server.now
    after.runs.restore(
        before.to_store(),
        row_proven=before.row_proven if row_proven is None else row_proven,
        denied=before.denied_to_store(),
    )
    return after


def test_run_that_goes_on_over_a_restart_keeps_its_start_and_is_no_news() -> None:
    server = Telling()
    server.poll(BUSY, item(INTRO_ITEM))
    started = server.now
    server = restarted(server)
    server.poll(BUSY, item(INTRO_ITEM), after=40)
    assert server.runs.running == {INTROS: Run(INTROS, started, KnownBy.OBSERVED)}
    assert server.news() == []
    server.rest()
    ended = server.ended()
    assert (ended.outcome, ended.duration) == (Outcome.FINISHED, seconds(40))


def test_run_that_is_over_after_a_restart_has_no_end() -> None:
    server = Telling()
    server.polls(30, BUSY, item(INTRO_ITEM))
    server = restarted(server)
    server.poll(IDLE, after=40)
    ended = server.ended()
    assert (ended.outcome, ended.ended, ended.duration) == (Outcome.END_NOT_SEEN, None, None)
    assert ended.last_known == NIGHT + seconds(30)


def test_pause_between_items_survives_a_restart() -> None:
    server = Telling(first=())
    server.polls(120)
    server.poll(item(INTRO_ITEM))
    began = server.now
    server.poll()
    server = restarted(server)
    server.poll(after=60)
    server.poll(item(INTRO_ITEM, "2"), after=30)
    assert server.runs.running[INTROS].started == began


def test_item_that_was_stopped_is_remembered_over_a_restart() -> None:
    server = Telling(first=())
    server.poll(item(INTRO_ITEM))
    server.runs.record_stop(INTROS, server.now)
    server = restarted(server)
    server.poll(item(INTRO_ITEM))
    assert not server.running
    server.poll(item(INTRO_ITEM), item(INTRO_ITEM, "2"))
    assert INTROS in server.running


def test_long_restart_ends_a_run_at_the_first_poll() -> None:
    server = Telling(first=())
    server.poll(item(INTRO_ITEM))
    server = restarted(server)
    server.poll(after=GAP_NO_ROW.total_seconds())
    assert server.outcomes() == [(INTROS, Outcome.END_NOT_SEEN)]


@pytest.mark.parametrize(("after", "running"), [(29, True), (30, False)])
def test_grace_goes_on_over_a_restart(after: float, *, running: bool) -> None:
    server = Telling(first=())
    server.accept(BACKUP, server.now)
    server = restarted(server)
    server.poll(after=after)
    assert (BACKUP in server.running) is running
    assert [outcome for _, outcome in server.outcomes()] == [Outcome.END_NOT_SEEN] * (not running)


def test_unconfirmed_start_is_not_remembered() -> None:
    server = Telling()
    server.leave_unanswered(BACKUP, server.now)
    assert not restarted(server).runs.unsettled


def test_items_from_before_our_start_stay_others_over_a_restart() -> None:
    server = Telling(first=(item(INTRO_ITEM),))
    server.accept(INTROS, server.now)
    server = restarted(server)
    server.polls(GRACE.total_seconds(), item(INTRO_ITEM))
    assert server.outcomes() == [(INTROS, Outcome.END_NOT_SEEN)]


def test_row_that_was_proven_stays_so_over_a_restart() -> None:
    server = restarted(Telling(row_proven=True))
    server.poll(IDLE, item(INTRO_ITEM))
    assert not server.running
    server = restarted(Telling(row_proven=True), row_proven=False)
    server.poll(IDLE, item(INTRO_ITEM))
    assert server.running == {INTROS: KnownBy.ASSUMED}


def test_row_that_was_explained_before_a_restart_is_so_after_it() -> None:
    server = Telling()
    server.accept(BACKUP, server.now)
    server.poll(BUSY, item(INTRO_ITEM), item(LOUDNESS_ITEM, "2"))
    assert server.running.keys() == {BACKUP, INTROS, LOUDNESS}
    server = restarted(server)
    server.polls(GRACE.total_seconds(), BUSY)
    assert server.outcomes() == [(BACKUP, Outcome.END_NOT_SEEN)]


def test_run_beside_which_no_row_was_busy_explains_none_after_a_restart() -> None:
    server = Telling()
    server.accept(INTROS, server.now)
    server.poll(IDLE, item(INTRO_ITEM))
    server = restarted(server)
    server.poll(IDLE)
    server.leave_unanswered(BACKUP, server.now)
    server.polls(15, BUSY)
    assert server.running == {INTROS: KnownBy.OBSERVED, BACKUP: KnownBy.ASSUMED}


def test_optimization_goes_on_over_a_restart_by_its_row() -> None:
    server = Telling()
    server.accept(OPTIMIZE, server.now)
    server.poll(BUSY)
    server = restarted(server)
    server.polls(600, BUSY)
    assert server.running == {OPTIMIZE: KnownBy.ASSUMED}
    server.rest()
    assert server.outcomes() == [(OPTIMIZE, Outcome.FINISHED)]


def test_update_of_the_server_ends_every_run_without_an_end() -> None:
    server = Telling()
    server.accept(SCAN, server.now)
    server.poll(BUSY, item(SCAN_ITEM))
    server.runs.record_server_update()
    assert server.outcomes() == [(SCAN, Outcome.END_NOT_SEEN)]
    assert not server.runs.maintenance
    assert not server.runs.row_proven


def test_row_that_an_outage_has_turned_idle_counts_at_once() -> None:
    """What an outage has ended is no news, so it must be known with the first good poll."""
    server = Telling(row_proven=True)
    server.frame(BUSY)
    server.frame(item(INTRO_ITEM))
    server.runs.record_poll_failure()
    server.poll(IDLE)
    assert server.outcomes() == [(INTROS, Outcome.END_NOT_SEEN)]
    assert not server.runs.maintenance
