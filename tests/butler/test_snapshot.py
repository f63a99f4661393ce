"""What differs between two snapshots, and whose doing that is."""

from datetime import timedelta
from typing import Any

import pytest

from custom_components.plex_butler.butler.snapshot import MAINTENANCE, Snapshot
from custom_components.plex_butler.plex import Server
from custom_components.plex_butler.runs.models import EndedRun, KnownBy, Origin, Outcome, Run
from tests.runs.server import NIGHT
from tests.task_names import BACKUP, INTROS, THUMBS

SERVER = Server("id", "Cellar", "1.43", "Linux", "6", plex_pass=True)
ONE, OTHER = Origin("one"), Origin("other")


def snapshot(*runs: Run | EndedRun, maintenance: bool = True) -> Snapshot:
    """Return what is shown while some runs go on and others have ended."""
    return Snapshot(
        SERVER,
        {},
        {run.task: run for run in runs if isinstance(run, Run)},
        {run.task: run for run in runs if isinstance(run, EndedRun)},
        maintenance,
    )


def going(task: str, minute: int = 0, **changes: Any) -> Run:
    return Run(task, NIGHT + timedelta(minutes=minute), KnownBy.ASSUMED, **changes)


def over(task: str, minute: int = 0, **changes: Any) -> EndedRun:
    end = NIGHT + timedelta(minutes=minute)
    return EndedRun(
        task, NIGHT, end, end - NIGHT, Outcome.FINISHED, KnownBy.ASSUMED, end, **changes
    )


def test_nothing_has_changed() -> None:
    shown = snapshot(going(BACKUP, started_by=ONE), over(INTROS, started_by=OTHER))
    assert shown.origins(shown, ONE) == {}
    assert shown.differences(snapshot(*shown.running.values(), maintenance=False)) >= {MAINTENANCE}


def test_run_that_is_gone_without_an_end_is_nobodys_doing() -> None:
    assert snapshot().origins(snapshot(going(BACKUP, started_by=ONE)), ONE) == {}


def test_latest_change_comes_last() -> None:
    before = snapshot(going(INTROS, 1, started_by=OTHER))
    after = snapshot(going(BACKUP, 5, started_by=ONE), over(INTROS, 4, started_by=OTHER))
    assert list(after.origins(before, None).items()) == [(INTROS, OTHER), (BACKUP, ONE)]
    after = snapshot(going(BACKUP, 3, started_by=ONE), over(INTROS, 4, started_by=OTHER))
    assert list(after.origins(before, None).items()) == [(BACKUP, ONE), (INTROS, OTHER)]


def test_who_stops_a_run_has_ended_it() -> None:
    after = snapshot(over(INTROS, 4, started_by=OTHER, stopped_by=ONE))
    assert after.origins(snapshot(), None) == {INTROS: ONE}


def test_task_that_ended_and_began_anew_is_the_doing_of_who_began_it() -> None:
    after = snapshot(over(INTROS, 4, started_by=OTHER), going(INTROS, 5, started_by=ONE))
    assert after.origins(snapshot(going(INTROS)), None) == {INTROS: ONE}


@pytest.mark.parametrize(
    ("run", "origin"),
    [
        (going(THUMBS), None),
        (going(THUMBS, ours=True, start_known=False), ONE),
        (going(THUMBS, ours=True, started_by=OTHER), OTHER),
    ],
)
def test_command_makes_a_run_ours_that_went_on_before(run: Run, origin: Origin | None) -> None:
    assert snapshot(run).origins(snapshot(), ONE) == {THUMBS: origin}
