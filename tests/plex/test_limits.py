"""The limits of what is read of one answer and of one notification."""

import json
from typing import Any

import pytest

from custom_components.plex_butler.plex import (
    Activity,
    ActivityChanged,
    ChangesDropped,
    PreferencesChanged,
)
from custom_components.plex_butler.plex.parse import (
    MOST_ACTIVITIES,
    MOST_CHANGES,
    MOST_TASKS,
    parse_activities,
    parse_notifications,
    parse_tasks,
)


def activity(number: int) -> dict[str, Any]:
    return {"uuid": f"{number}", "type": "library.update.item", "progress": 50}


def changes(count: int) -> list[ActivityChanged]:
    return [
        ActivityChanged(Activity(f"{number}", "library.update.item", 50), ended=False)
        for number in range(count)
    ]


def activities(*rows: Any) -> bytes:
    return json.dumps({"MediaContainer": {"size": len(rows), "Activity": rows}}).encode()


def frame(*rows: Any, **more: Any) -> str:
    return json.dumps({"NotificationContainer": {"ActivityNotification": rows, **more}})


def test_the_limits() -> None:
    assert (MOST_TASKS, MOST_ACTIVITIES, MOST_CHANGES) == (500, 10_000, 1_000)


@pytest.mark.parametrize("over", [-1, 0, 1, 5_000])
def test_only_the_first_activities_are_read(over: int) -> None:
    parsed = parse_activities(activities(*map(activity, range(MOST_ACTIVITIES + over))))

    assert len(parsed) == MOST_ACTIVITIES + min(over, 0)
    assert parsed[-1].uuid == f"{len(parsed) - 1}"


def test_rows_without_an_activity_count_as_well() -> None:
    """Reading them takes time too."""
    rows = [*map(activity, range(MOST_ACTIVITIES - 1)), None, activity(-1)]

    assert parse_activities(activities(*rows))[-1].uuid == f"{MOST_ACTIVITIES - 2}"


@pytest.mark.parametrize("field", ["uuid", "type"])
def test_activities_that_would_fill_the_memory_are_left_out(field: str) -> None:
    longest, longer = (activity(1) | {field: "x" * length} for length in (255, 256))

    assert len(parse_activities(activities(longest, longer))) == 1
    rows = [{"event": "started", "Activity": row} for row in (longest, longer)]
    assert len(parse_notifications(frame(*rows))) == 1


@pytest.mark.parametrize("count", [1, MOST_CHANGES - 1, MOST_CHANGES])
def test_a_notification_within_the_limit(count: int) -> None:
    rows = [{"event": "updated", "Activity": activity(number)} for number in range(count)]

    assert parse_notifications(frame(*rows)) == tuple(changes(count))


@pytest.mark.parametrize("over", [1, 5_000])
@pytest.mark.parametrize("nested", [True, False])
def test_a_larger_notification_reports_that_rows_were_dropped(over: int, *, nested: bool) -> None:
    numbers = range(MOST_CHANGES + over)
    rows = (
        [{"event": "updated", "Activity": [*map(activity, numbers)]}]
        if nested
        else [{"event": "updated", "Activity": activity(number)} for number in numbers]
    )

    assert parse_notifications(frame(*rows)) == (*changes(MOST_CHANGES), ChangesDropped())


def test_any_dropped_row_may_have_been_a_change() -> None:
    """Rows that are no change use the limit up, and such a row may be the dropped one."""
    paused = {"event": "paused", "Activity": activity(0)}
    updated = {"event": "updated", "Activity": activity(0)}

    assert parse_notifications(frame(*[paused] * MOST_CHANGES, updated)) == (ChangesDropped(),)
    assert parse_notifications(frame(updated, *[paused] * MOST_CHANGES)) == (
        *changes(1),
        ChangesDropped(),
    )


def test_changed_preferences_are_not_dropped() -> None:
    rows = [{"event": "updated", "Activity": activity(0)}] * (MOST_CHANGES + 1)

    assert parse_notifications(frame(*rows, Setting=[{"id": "ButlerStartHour"}]))[-2:] == (
        ChangesDropped(),
        PreferencesChanged(),
    )


def test_control_characters_in_a_notification_do_not_matter() -> None:
    raw = frame({"event": "updated", "Activity": activity(0) | {"title": "?"}})

    assert parse_notifications(raw.replace("?", "\x04\n")) == tuple(changes(1))


def tasks(*rows: Any) -> bytes:
    return json.dumps({"ButlerTasks": {"ButlerTask": rows}}).encode()


def test_names_titles_and_descriptions_end() -> None:
    longest = "N" * 255
    row = {"name": longest, "title": "t\n" * 300_000, "description": "d" * 300_000}

    (task,) = parse_tasks(tasks(row, row | {"name": longest + "N"}))
    assert task.name == longest
    assert task.title == ("t " * 128).strip()
    assert task.description == "d" * 255


@pytest.mark.parametrize("count", [MOST_TASKS - 1, MOST_TASKS, MOST_TASKS + 1, 5_000])
def test_one_task_too_many_shows_that_there_are_more(count: int) -> None:
    parsed = parse_tasks(tasks(*({"name": f"Task{number}"} for number in range(count))))

    assert len(parsed) == min(count, MOST_TASKS + 1)
