"""What is counted of a server, and that a hostile one cannot make it grow for ever."""

from custom_components.plex_butler.butler.statistics import MOST_KINDS, Statistics
from custom_components.plex_butler.plex import Activity


def test_an_activity_is_counted_once_however_often_it_is_listed() -> None:
    statistics = Statistics()
    for _ in range(3):
        statistics.count_poll([Activity("1", "media.download", 5), Activity("row", "butler", 100)])
    statistics.count_poll([Activity("2", "media.download", 5)])
    counts = statistics.as_dict()
    assert counts["polls"] == 4
    assert counts["activities_by_type"] == {"media.download": 2}
    assert counts["butler_row"] == {
        "seen": True,
        "uuids_seen": 1,
        "polls_by_progress": {"100": 3},
    }


def test_a_server_without_the_list_is_told_from_one_that_lists_nothing() -> None:
    statistics = Statistics()
    statistics.count_poll(None)
    assert statistics.as_dict()["lists_activities"] is False
    statistics.count_poll(())
    assert statistics.as_dict()["lists_activities"] is True


def test_more_kinds_than_any_server_has_are_counted_together() -> None:
    statistics = Statistics()
    for number in range(MOST_KINDS + 10):
        statistics.count_poll(
            [Activity(f"{number}", f"type {number}", 5), Activity(f"row {number}", "butler", 100)]
        )
    statistics.count_poll([Activity("again", "type 0", 5)])
    counts = statistics.as_dict()
    assert counts["activities_by_type"]["other"] == 10
    assert counts["activities_by_type"]["type 0"] == 2
    assert counts["butler_row"]["uuids_seen"] == MOST_KINDS
