"""What the stream brings while a poll is under way is younger than the answer."""

from custom_components.plex_butler.butler.changes_during_poll import ChangesDuringPoll
from custom_components.plex_butler.plex import MOST_ACTIVITIES, Activity, ActivityChanged

FIRST = Activity("1", "media.download", 10)
SECOND = Activity("2", "media.download", 10)


def test_changes_are_applied_to_the_answer() -> None:
    changes = ChangesDuringPoll()
    changes.begin()
    assert changes.record(ActivityChanged(FIRST, ended=True))
    assert changes.record(ActivityChanged(SECOND, ended=False))
    assert list(changes.apply([FIRST])) == [SECOND]


def test_of_one_activity_the_last_change_counts() -> None:
    changes = ChangesDuringPoll()
    changes.begin()
    changes.record(ActivityChanged(FIRST, ended=False))
    changes.record(ActivityChanged(FIRST, ended=True))
    assert list(changes.apply([FIRST])) == []


def test_changes_before_and_after_a_poll_are_not_kept() -> None:
    changes = ChangesDuringPoll()
    assert changes.record(ActivityChanged(FIRST, ended=True))
    changes.begin()
    assert list(changes.apply([FIRST])) == [FIRST]
    changes.record(ActivityChanged(FIRST, ended=True))
    changes.begin()
    assert list(changes.apply([FIRST])) == [FIRST]
    changes.record(ActivityChanged(FIRST, ended=True))
    changes.end()
    assert list(changes.apply([FIRST])) == [FIRST]


def test_too_many_changes_are_not_kept() -> None:
    changes = ChangesDuringPoll()
    changes.begin()
    for number in range(MOST_ACTIVITIES):
        activity = Activity(f"{number}", "media.download", 10)
        assert changes.record(ActivityChanged(activity, ended=False))
    assert not changes.record(ActivityChanged(Activity("x", "media.download", 10), ended=False))
    assert changes.record(ActivityChanged(FIRST, ended=True))
    assert len(list(changes.apply([]))) == MOST_ACTIVITIES - 1
