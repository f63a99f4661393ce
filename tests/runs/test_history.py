"""The history of runs: what is kept, in which order, and what belongs to a period."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from hypothesis import given, strategies as st
import pytest

from custom_components.plex_butler.runs.history import (
    KEPT_AT_MOST,
    KEPT_FOR,
    RunHistory,
    with_last_run,
)
from custom_components.plex_butler.runs.models import EndedRun, KnownBy, Outcome
from tests.runs.server import NIGHT
from tests.task_names import BACKUP

NOW = NIGHT + timedelta(days=1)


def minutes(number: float) -> timedelta:
    return timedelta(minutes=number)


def run(begin: float, end: float, task: str = BACKUP, **changes: Any) -> EndedRun:
    """Return a run between two minutes of the night."""
    return EndedRun(
        task=task,
        since=NIGHT + minutes(begin),
        ended=NIGHT + minutes(end),
        duration=minutes(end - begin),
        outcome=Outcome.FINISHED,
        known_by=KnownBy.OBSERVED,
        last_known=NIGHT + minutes(end),
        **changes,
    )


def history_of(runs: Iterable[EndedRun], now: datetime = NOW) -> RunHistory:
    history = RunHistory()
    history.add(runs, now)
    return history


def test_runs_are_kept_in_the_order_of_their_ends() -> None:
    late, early, long = run(50, 60), run(10, 20), run(0, 70)
    history = history_of([late, long, early])
    assert history.copy() == (early, late, long)
    assert history.between(NIGHT, NOW) == (long, late, early)
    assert len(history) == 3


def test_runs_that_ended_in_one_moment_are_all_kept_and_each_of_them_once() -> None:
    one, other = run(10, 20), run(10, 20, "OptimizeDatabase")
    history = history_of([one])
    history.add_missing([other, one], NOW)
    history.add_missing([one, other], NOW)
    assert history.copy() == (one, other)


@pytest.mark.parametrize(
    ("begin", "until", "found"),
    [
        (0, 10, False),
        (0, 10.1, True),
        (12, 13, True),
        (0, 60, True),
        (20, 60, True),
        (20.1, 60, False),
    ],
)
def test_run_belongs_to_each_period_in_which_it_went_on(
    begin: float, until: float, found: bool
) -> None:
    history = history_of([run(10, 20)])
    assert bool(history.between(NIGHT + minutes(begin), NIGHT + minutes(until))) is found


def test_run_that_ended_the_moment_it_began_belongs_to_a_period() -> None:
    history = history_of([run(10, 10)])
    assert history.between(NIGHT + minutes(10), NIGHT + minutes(11))
    assert not history.between(NIGHT + minutes(9), NIGHT + minutes(10))


times = st.floats(min_value=0, max_value=1000)


@given(st.lists(st.tuples(times, st.floats(min_value=0, max_value=200)), max_size=30), times, times)
def test_period_has_what_looking_at_every_run_finds(
    spans: list[tuple[float, float]], one: float, other: float
) -> None:
    begin, until = NIGHT + minutes(min(one, other)), NIGHT + minutes(max(one, other))
    runs = [run(since, since + lasted, str(number)) for number, (since, lasted) in enumerate(spans)]
    found = history_of(runs).between(begin, until)
    expected = [each for each in runs if each.since < until and each.last_known >= begin]
    assert set(found) == set(expected)
    ends = [each.last_known for each in found]
    assert ends == sorted(ends, reverse=True)


def test_only_the_runs_of_about_the_period_are_looked_at() -> None:
    class Counting:
        """Stands for the runs and counts which of them are read."""

        def __init__(self, runs: list[EndedRun]) -> None:
            self.runs, self.read = runs, 0

        def __len__(self) -> int:
            return len(self.runs)

        def __getitem__(self, at: Any) -> Any:
            self.read += len(range(*at.indices(len(self.runs)))) if isinstance(at, slice) else 1
            return self.runs[at]

    history = history_of(run(number * 10, number * 10 + 5) for number in range(2_000))
    counting = Counting(list(history.copy()))
    vars(history)["_runs"] = counting
    assert len(history.between(NIGHT, NIGHT + minutes(100))) == 10
    assert counting.read < 50


def test_what_ended_a_year_ago_is_dropped() -> None:
    old, young = run(0, 10), run(0, 11)
    now = NIGHT + minutes(10) + KEPT_FOR
    history = history_of([old, young], now)
    assert history.copy() == (old, young)
    history.add([], now + timedelta(seconds=1))
    assert history.copy() == (young,)


def test_oldest_is_dropped_first_when_there_are_too_many() -> None:
    runs = [run(number / 100, number / 100) for number in range(KEPT_AT_MOST + 3)]
    history = history_of(runs[:-1])
    assert history.copy() == tuple(runs[2:-1])
    history.add(runs[-1:], NOW)
    assert history.copy() == tuple(runs[3:])
    # One that is older than all that are kept does not push another one out.
    history.add(runs[:1], NOW)
    assert history.copy() == tuple(runs[3:])


def test_times_at_the_ends_of_the_calendar_are_periods_as_well() -> None:
    ever, for_ever = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    absurd = run(0, 10)
    absurd = EndedRun(
        BACKUP, ever, None, None, Outcome.END_NOT_SEEN, KnownBy.ASSUMED, absurd.last_known
    )
    runs = [run(10, 20), absurd]
    Random(1).shuffle(runs)
    assert len(history_of(runs).between(ever + timedelta(1), for_ever)) == 2


@pytest.mark.parametrize("clock_was_ahead", [False, True])
def test_last_runs_are_in_the_order_of_their_ends(clock_was_ahead: bool) -> None:
    now = NIGHT + minutes(60)
    first = run(400, 500, "First") if clock_was_ahead else run(0, 1, "First")
    last_runs: dict[str, EndedRun] = {}
    # The end of the third run is decided only after the fourth one has ended.
    for each in (first, run(0, 10, "Again"), run(20, 40, "Fourth"), run(20, 30, "Third")):
        last_runs = with_last_run(last_runs, each, now)
    assert [*last_runs] == ["First", "Again", "Third", "Fourth"]
    again = run(45, 50, "Again")
    last_runs = with_last_run(last_runs, again, now)
    assert [*last_runs] == ["First", "Third", "Fourth", "Again"]
    assert last_runs["Again"] is again
