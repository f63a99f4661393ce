"""What is made of Plex's own reports of good backups, and of their absence."""

from datetime import UTC, datetime, timedelta
from typing import Final

import pytest

from custom_components.plex_butler.butler.backups import (
    BACKUP_TASK,
    SAME_BACKUP,
    SAME_REPORT,
    Backups,
    BackupSource,
    GoodBackup,
    StoredBackups,
)
from custom_components.plex_butler.butler.clock import SteadyClock
from custom_components.plex_butler.plex import ButlerTask
from custom_components.plex_butler.runs.models import EndedRun, KnownBy, Outcome

START: Final = datetime(2026, 11, 23, 20, tzinfo=UTC)
TASK: Final = ButlerTask(BACKUP_TASK, "Backup database", None, 3, False, True)
LIMIT: Final = timedelta(days=7)
"""Twice three days, and one."""
INSTANT: Final = timedelta(seconds=1)
LOG, WEBHOOK = BackupSource.LOG, BackupSource.WEBHOOK


class Time:
    """The time of a machine; it can be set."""

    def __init__(self) -> None:
        """Begin at START."""
        self.utc = START
        self.passed = 0.0
        self.clock = SteadyClock(utcnow=lambda: self.utc, monotonic=lambda: self.passed)

    def passes(self, time: timedelta) -> None:
        self.utc += time
        self.passed += time.total_seconds()


@pytest.fixture(name="time")
def time_fixture() -> Time:
    return Time()


@pytest.fixture(name="backups")
def backups_fixture(time: Time) -> Backups:
    return Backups(time.clock)


def run(ended: datetime, outcome: Outcome) -> EndedRun:
    return EndedRun(BACKUP_TASK, ended, None, None, outcome, KnownBy.ASSUMED, ended)


def overdue(backups: Backups, last_run: EndedRun | None = None) -> bool | None:
    return backups.report(TASK, last_run).overdue


def test_report_is_shown_with_its_source(time: Time, backups: Backups) -> None:
    report = backups.report(TASK, None)
    assert (report.last, report.silent_since, report.overdue) == (None, START, None)
    time.passes(timedelta(hours=6))
    backup = GoodBackup(START + timedelta(hours=6), WEBHOOK)
    assert backups.record_good_backup(WEBHOOK) == backup
    report = backups.report(TASK, None)
    assert (report.last, report.silent_since, report.overdue) == (backup, backup.time, False)
    assert backup.as_dict() == {"reported": "2026-11-24T02:00:00+00:00", "source": "webhook"}


@pytest.mark.parametrize(
    ("after", "source", "is_news"),
    [
        (SAME_BACKUP, LOG, False),
        (SAME_BACKUP + INSTANT, LOG, True),
        (SAME_REPORT, WEBHOOK, False),
        (SAME_REPORT + INSTANT, WEBHOOK, True),
    ],
)
def test_webhook_and_log_report_one_backup(
    time: Time, backups: Backups, after: timedelta, source: BackupSource, *, is_news: bool
) -> None:
    first = backups.record_good_backup(WEBHOOK)
    time.passes(after)
    second = backups.record_good_backup(source)
    assert (second is not None) is is_news
    assert backups.last == (second or first)


def test_overdue_after_twice_the_interval_and_a_day(time: Time, backups: Backups) -> None:
    backups.record_good_backup(WEBHOOK)
    time.passes(LIMIT)
    assert overdue(backups) is False
    time.passes(INSTANT)
    assert overdue(backups) is True
    backups.record_good_backup(WEBHOOK)
    assert overdue(backups) is False


def test_unknown_until_it_was_listened_for_long_enough(time: Time, backups: Backups) -> None:
    time.passes(LIMIT)
    assert overdue(backups) is None
    time.passes(INSTANT)
    assert overdue(backups) is True


@pytest.mark.parametrize(
    ("outcome", "counts"),
    [(Outcome.FINISHED, True), (Outcome.END_NOT_SEEN, True), (Outcome.STOPPED, False)],
)
def test_run_that_may_be_good_is_no_proof_and_no_silence(
    time: Time, backups: Backups, outcome: Outcome, *, counts: bool
) -> None:
    last_run = run(START + INSTANT, outcome)
    assert overdue(backups, last_run) is None
    time.passes(LIMIT + INSTANT)
    assert overdue(backups, last_run) is (None if counts else True)
    time.passes(INSTANT)
    assert overdue(backups, last_run) is True


@pytest.mark.parametrize("interval", [None, 0])
def test_task_without_an_interval_is_never_overdue(
    time: Time, backups: Backups, interval: int | None
) -> None:
    time.passes(timedelta(days=100))
    task = ButlerTask(BACKUP_TASK, "Backup database", None, interval, False, True)
    assert backups.report(task, None).overdue is None
    assert backups.report(None, None).overdue is None


def test_time_without_home_assistant_is_no_silence(time: Time, backups: Backups) -> None:
    time.passes(timedelta(hours=1))
    backups.record_good_backup(LOG)
    time.passes(LIMIT - timedelta(days=1))
    stored = backups.to_store()
    assert stored == StoredBackups(START, timedelta(days=6), START + timedelta(hours=1), LOG)
    time.passes(timedelta(days=30))
    backups = Backups(time.clock, stored)
    assert backups.last == GoodBackup(START + timedelta(hours=1), LOG)
    # Long ago, but perhaps it only was not reported to anybody.
    assert overdue(backups) is None
    time.passes(timedelta(days=1))
    assert overdue(backups) is None
    time.passes(INSTANT)
    assert overdue(backups) is True


def test_what_is_stored_before_the_first_report(time: Time, backups: Backups) -> None:
    time.passes(timedelta(days=2))
    stored = backups.to_store()
    assert stored == StoredBackups(START, timedelta(days=2))
    time.passes(timedelta(days=9))
    assert Backups(time.clock, stored).report(TASK, None).silent_since == START


def test_clock_that_is_set_makes_no_silence(time: Time, backups: Backups) -> None:
    """A small computer learns the time only after its start."""
    time.utc += timedelta(days=365)
    time.passes(timedelta(minutes=1))
    assert overdue(backups) is None
    backups.record_good_backup(WEBHOOK)
    assert backups.last == GoodBackup(time.utc, WEBHOOK)
    assert overdue(backups) is False


def test_clock_that_is_set_back_does_not_hide_the_silence(time: Time, backups: Backups) -> None:
    """The last report lies ahead then, and so may the last run."""
    backups.record_good_backup(WEBHOOK)
    time.utc -= timedelta(days=365)
    time.passes(LIMIT)
    assert overdue(backups) is False
    time.passes(INSTANT)
    assert overdue(backups) is True
    assert overdue(backups, run(START, Outcome.FINISHED)) is True


def test_silence_while_nobody_listens_does_not_count(time: Time, backups: Backups) -> None:
    time.passes(timedelta(days=1))
    for _ in range(2):
        backups.listen(listening=False)
        time.passes(timedelta(days=30))
    assert backups.to_store().silence == timedelta(days=1)
    backups.listen(listening=True)
    time.passes(timedelta(days=6))
    assert overdue(backups) is None
    backups.listen(listening=True)
    time.passes(INSTANT)
    assert overdue(backups) is True
    backups.listen(listening=False)
    backups.record_good_backup(WEBHOOK)
    time.passes(LIMIT + INSTANT)
    assert overdue(backups) is None
