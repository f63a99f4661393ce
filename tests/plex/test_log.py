"""What the lines of a server's log are read as, and what is dropped."""

from collections import Counter
from datetime import datetime
import json
import random
from typing import Any, Final

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.plex_butler.plex import (
    BackupCompleted,
    BackupRefused,
    DatabaseCorrupted,
    LogLine,
    LogReader,
    LogSign,
    OptimizationCompleted,
    TaskEnded,
    TaskException,
    TaskMentioned,
    TaskScheduled,
    TaskStarted,
)
from custom_components.plex_butler.plex.errors import FloodError
from custom_components.plex_butler.plex.log import (
    LONGEST_FRAME,
    MOST_LINES,
    MOST_ROWS,
    MOST_SIGNS,
)
from custom_components.plex_butler.plex.log_activities import MOST_OPEN
from tests.bare_http import FIXTURES
from tests.task_names import BACKUP, OPTIMIZE

TASKS: Final = {BACKUP, OPTIMIZE, "Brew, & 'Coffee'", "Brew coffee"}
STARTED: Final = f"Butler: Starting task '{BACKUP}'"
UUID: Final = "11111111-0000-4000-8000-000000000001"
PARENT: Final = "22222222-0000-4000-8000-000000000002"
BEGUN: Final = f'Activity: registered new sub-activity {UUID} - "{BACKUP}" parent: {PARENT}'
AT_START: Final = "DatabaseFixups/25DatabaseFixupsOfSomething"
DAMAGED: Final = "database disk image is malformed"
MONOTONIC: Final = "custom_components.plex_butler.plex.flood.monotonic"


def row(message: Any, **fields: Any) -> dict[str, Any]:
    """Return a line as a server sends it (seen)."""
    time = "Nov 29, 2024 11:00:09.977"
    return {"level": 3, "thread": "6536", "time": time, "message": message, **fields}


def frame(*rows: Any) -> bytes:
    """Return a frame of the log."""
    container = {"type": "log", "size": len(rows), "LogSentNotification": rows}
    return json.dumps({"NotificationContainer": container}).encode()


class Reading:
    """A reader, what it has read, and what it has counted."""

    def __init__(self) -> None:
        """Initialize a server with some tasks."""
        self.counts: Counter[str] = Counter()
        self.reader = LogReader(lambda: TASKS, self.counts)

    def signs(self, *messages: Any, **fields: Any) -> list[LogSign]:
        """Return the signs in one frame with these lines."""
        rows = [row(message, **fields) for message in messages]
        return [line.sign for line in self.reader.read(frame(*rows)) or ()]


@pytest.fixture(name="log")
def log_fixture() -> Reading:
    return Reading()


def test_lines_of_a_night() -> None:
    """The shapes that other tools' patterns describe, as a file holds them and as a frame does."""
    lines = (FIXTURES / "log-lines.txt").read_text().splitlines()
    texts = [line.split(" - ", 1)[1] for line in lines]
    expected = [
        TaskScheduled(BACKUP),
        TaskStarted(BACKUP),
        BackupCompleted(0),
        TaskStarted(OPTIMIZE),
        OptimizationCompleted(),
        BackupRefused(),
        BackupRefused(),
        TaskException(),
    ]
    assert Reading().signs(*texts) == Reading().signs(*lines) == expected
    one_by_one = Reading()
    assert [sign for text in texts for sign in one_by_one.signs(text)] == expected
    assert one_by_one.counts == {
        "frames": 15,
        "task scheduled": 1,
        "task started": 2,
        "backup completed": 1,
        "optimization completed": 1,
        "backup refused": 2,
        "exception": 1,
        "lines of Butler with no listed tasks": 1,
    }


@pytest.mark.parametrize(
    ("message", "sign"),
    [
        (f"Butler: Starting task {BACKUP}", TaskStarted(BACKUP)),
        (f'Butler: Running task "{BACKUP}"', TaskStarted(BACKUP)),
        (f"[Req#1f] Butler: Running delayed task '{BACKUP}'.", TaskStarted(BACKUP)),
        (f"[Butler] [x]Butler:  Running eager task: {BACKUP}", TaskStarted(BACKUP)),
        (
            f"Sep  4, 2026 02:00:00 [0x80ac] Debug - Butler: Starting task {BACKUP}",
            TaskStarted(BACKUP),
        ),
        (f"[140001] DEBUG -  [Req#1c90/{'x' * 200}]  Butler: {BACKUP}", TaskMentioned(BACKUP)),
        (f" Butler: starting Task '{BACKUP}'", TaskStarted(BACKUP)),
        (f"Butler: scheduling Randomized task '{BACKUP}'", TaskScheduled(BACKUP)),
        ("Butler: Starting task 'Brew coffee'", TaskStarted("Brew coffee")),
        (f"Butler: Scheduling task '{BACKUP}'", TaskScheduled(BACKUP)),
        (f"Butler: Running late, leaving out task '{BACKUP}'", TaskMentioned(BACKUP)),
        (f"Butler: Finished task '{BACKUP}'", TaskMentioned(BACKUP)),
        (f"Butler: {BACKUP}", TaskMentioned(BACKUP)),
        (f"Butler: restarting task '{BACKUP}'", TaskMentioned(BACKUP)),
        ("Database backup completed: 0", BackupCompleted(0)),
        ("Database backup completed: -11 (Captured session 0)", BackupCompleted(-11)),
        ("Database backup completed: 10", BackupCompleted(10)),
        ("[Db] Something failed its integrity check, not backing up", BackupRefused()),
        ("Plex Media Server wasn\u2019t able to back up your database", BackupRefused()),
        ("Database optimization: complete.", OptimizationCompleted()),
        ("Uncaught exception starting generator: x", TaskException()),
        ("Fixup threw an exception", TaskException()),
        ("[Butler] Fixup threw an exception: x", TaskException()),
        ("Exception inside transaction (inside=1)", TaskException()),
        ("[Req#1f] Uncaught exception running subtask: x", TaskException()),
    ],
)
def test_sign(log: Reading, message: str, sign: LogSign) -> None:
    assert log.signs(message) == [sign]


def test_activities_within_that_of_butler_begin_and_end_tasks(log: Reading) -> None:
    """The lines of a user's log of 2025, with other uuids: no other line tells of these tasks."""
    other = UUID.replace("1", "9")
    lines = [
        f"Activity: updated activity {PARENT} - completed 100.0% - Butler tasks",
        "Butler: Performed sonic analysis on 0 batches of albums.",
        f"{BEGUN} overall progress: 83.3% (5/6)",
        f"Activity: updated activity {PARENT} - completed 83.3% - Butler tasks",
        f"Activity: ended sub-activity {UUID} parent: {PARENT} overall progress: 100.0% (6/6)",
        f"Activity: updated activity {PARENT} - completed 100.0% - Butler tasks",
        "The butler processed 0 assets.",
        f"{BEGUN.replace(UUID, other).replace(BACKUP, OPTIMIZE)} overall progress: 85.7% (6/7)",
    ]
    expected = [TaskStarted(BACKUP), TaskEnded(BACKUP), TaskStarted(OPTIMIZE)]
    assert log.signs(*lines) == expected
    assert log.counts["task ended"] == 1
    in_file = [f"Nov 24, 2026 03:05:39.500 [140001] DEBUG - {line}" for line in lines]
    assert [sign for line in in_file for sign in Reading().signs(line)] == [
        TaskStarted(BACKUP),
        TaskStarted(OPTIMIZE),
    ]


@pytest.mark.parametrize(
    "message",
    [
        f"Activity: ended sub-activity {UUID} parent: {PARENT}",
        f"Activity: updated sub-activity {UUID} parent: {PARENT}",
        BEGUN.replace(BACKUP, "Private Film"),
        BEGUN.replace(BACKUP, f"{BACKUP} of a film"),
        BEGUN.replace(f'"{BACKUP}"', f'"{BACKUP}"s'),
        BEGUN.replace(f'"{BACKUP}"', f'"A "{BACKUP}" film"'),
    ],
)
def test_activity_of_no_task_is_no_sign(log: Reading, message: str) -> None:
    assert log.signs(message) == []
    assert log.counts == {"frames": 1, "activities of no listed task": 1}


def test_activities_whose_end_is_missed_are_forgotten_one_day(log: Reading) -> None:
    for number in range(MOST_OPEN + 1):
        assert log.signs(BEGUN.replace(UUID, f"{number}")) == [TaskStarted(BACKUP)]
    assert log.signs("Activity: ended sub-activity 0 parent: 2") == []
    assert log.signs("Activity: ended sub-activity 1 parent: 2") == [TaskEnded(BACKUP)]
    assert log.signs("Activity: ended sub-activity 1 parent: 2") == []


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Butler: Starting task 'PolishSilverware'", "lines of Butler with no listed tasks"),
        ("Butler: ", "lines of Butler with no listed tasks"),
        (f"Butler: Starting task '{BACKUP}s'", "lines of Butler with no listed tasks"),
        (
            f"Butler: Starting task '{BACKUP}' after {OPTIMIZE}",
            "lines of Butler with several tasks",
        ),
        (f"The Butler: Starting task '{BACKUP}'", "other lines"),
        (f"GET /library?q=Butler: Starting task '{BACKUP}'", "other lines"),
        (f"{'x' * 400}Butler: Starting task '{BACKUP}'", "other lines"),
        ("Database backup completed", "other lines"),
        ("Database backup completed: 12345678901", "other lines"),
        ("Matched 'A film that failed its integrity check, not backing up'", "other lines"),
        ("/films/I was able to back up your database.mkv", "other lines"),
        ("Not Database optimization: complete", "other lines"),
        ("Uncaught exception somewhere else", "other lines"),
        ("A film: Fixup threw an exception", "other lines"),
        ("[DatabaseFixups] Fixup threw an exception", "other lines"),
        ("[Req#1f] [DatabaseFixups/9Fixups] Fixup threw an exception: x", "other lines"),
        ("[Req#1f] Exception inside transaction (inside=1): database is locked", "other lines"),
        (None, "lines without a text"),
        (["Butler: "], "lines without a text"),
    ],
)
def test_line_that_is_no_sign_is_counted_by_kind(log: Reading, message: Any, kind: str) -> None:
    assert log.signs(message, title="Butler:") == []
    assert log.counts == {"frames": 1, kind: 1}


@pytest.mark.parametrize(
    "message",
    [
        "SQLITE3:0x80000001, 11, database corruption at line 78267 of [abc]",
        "[Db] Statement: database disk image is malformed",
    ],
)
@pytest.mark.parametrize(("level", "counts"), [(0, True), ("2", True), (None, True), (3, False)])
def test_corruption_counts_unless_somebody_may_have_typed_it(
    log: Reading, message: str, level: Any, *, counts: bool
) -> None:
    assert log.signs(message, level=level) == [DatabaseCorrupted()] * counts
    assert log.counts["corruption"] is not counts
    assert log.counts["corruption at the level of debug"] == (not counts)


@pytest.mark.parametrize(
    ("message", "counts"),
    [
        ("Error opening '/db/library.db': database disk image is malformed", True),
        ("Couldn't load (/db/library.db) database disk image is malformed", True),
        ("/db/library.db: database disk image is malformed for SQL: select 'x'", True),
        ("Scanning the film 'The database disk image is malformed'", False),
        ('Matched "database corruption at line 7"', False),
        ("No thumbnail of /films/database disk image is malformed (2019).mkv", False),
        (r"Cannot read C:\films\A database disk image is malformed.mkv", False),
    ],
)
def test_corruption_in_a_name_is_none(log: Reading, message: str, *, counts: bool) -> None:
    assert log.signs(message, level=0) == [DatabaseCorrupted()] * counts
    assert log.counts["corruption in quotation marks"] is not counts


@pytest.mark.parametrize(
    "message",
    [
        f"[{AT_START}] SQLITE3:0x1, 11, statement aborts at 7: [x like '%a^%3A=1%' escape '^'] {DAMAGED}",
        f"[{AT_START}] Exception inside transaction (inside=1) (/src/Library/A.cpp:80): {DAMAGED}",
        f"[{AT_START}] Fixup threw an exception: {DAMAGED}",
        f"[Req#4a2/Database optimization/a.b.db] Exception inside transaction (/src/B.cpp:7): {DAMAGED}",
        f"[Req#4a3] Failed to commit transaction (/src/C.cpp:90) (tries=1): Cannot commit. {DAMAGED}",
        f"Thread: Uncaught exception running async task which was spawned by thread 14: {DAMAGED}",
    ],
)
def test_damage_that_others_meet_is_no_exception_of_a_task(log: Reading, message: str) -> None:
    """The shapes of lines that users have published, with other numbers and shortened."""
    assert log.signs(message, level=0) == [DatabaseCorrupted()]


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("Butler: {", "frames not decoded"),
        ("[" * 60_000 + "Butler:", "frames not decoded"),
        ('"Butler:"', "frames of another kind"),
        ('{"NotificationContainer": "Butler:"}', "frames of another kind"),
        ('{"ActivityNotification": [{"title": "Butler:"}]}', "frames of another kind"),
        ('{"LogSentNotification": ["Butler:", 7]}', "lines without a text"),
    ],
)
def test_frame_that_is_none_of_the_log_is_counted_by_kind(
    log: Reading, content: str, kind: str
) -> None:
    assert log.reader.read(content.encode()) is None
    assert log.counts.keys() == {"frames", kind}


def test_frame_without_a_phrase_is_not_even_decoded(log: Reading) -> None:
    assert log.reader.read(b'{"LogSentNotification": [{"message": "\xff') is None
    assert log.counts == {"frames": 1}


@pytest.mark.parametrize("rows", [row(STARTED), [row(STARTED)]])
def test_bare_objects_and_characters_that_are_none_do_no_harm(log: Reading, rows: Any) -> None:
    content = json.dumps({"LogSentNotification": rows, "thread": "?"}).encode()
    lines = log.reader.read(content.replace(b"?", b"\xff\x04"))
    assert lines == (LogLine(TaskStarted(BACKUP), datetime(2024, 11, 29, 11, 0, 9)),)


@pytest.mark.parametrize(
    "time", [None, 7, "", "Nov 29", "Foo 29, 2024 11:00:09", "Feb 30, 2024 11:00:09.977"]
)
def test_line_without_a_time_is_a_sign_all_the_same(log: Reading, time: Any) -> None:
    assert log.reader.read(frame(row(STARTED, time=time))) == (LogLine(TaskStarted(BACKUP), None),)


def test_day_may_be_padded(log: Reading) -> None:
    lines = log.reader.read(frame(row(STARTED, time="Nov  4, 2024 11:00:09.977")))
    assert lines == (LogLine(TaskStarted(BACKUP), datetime(2024, 11, 4, 11, 0, 9)),)


def test_tasks_are_those_that_the_server_lists_now(log: Reading) -> None:
    listed: set[str] = set()
    reader = LogReader(lambda: listed, log.counts)
    assert reader.read(frame(row(STARTED))) is None
    listed.add(BACKUP)
    assert reader.read(frame(row(STARTED)))


def test_limits_of_a_frame(log: Reading) -> None:
    for over in (0, 1):
        lines = [{"message": "Butler:"}] * (MOST_LINES + over)
        assert log.reader.read(json.dumps({"LogSentNotification": lines}).encode()) is None
        assert log.counts["lines dropped"] == over
    assert log.counts["lines of Butler with no listed tasks"] == 2 * MOST_LINES

    longest = frame(row(STARTED)).ljust(LONGEST_FRAME)
    assert log.reader.read(longest)
    assert log.reader.read(longest + b" ") is None
    assert log.counts["frames too long"] == 1


@pytest.mark.parametrize(
    ("content", "most"),
    [(frame(*[row("Butler:")] * 100), MOST_ROWS // 100), (frame(row(STARTED)), MOST_SIGNS)],
    ids=["lines", "signs"],
)
def test_flood_is_cut_off(log: Reading, content: bytes, most: int) -> None:
    for _ in range(most - 1):
        log.reader.read(content)
    with pytest.raises(FloodError):
        log.reader.read(content)


def test_lines_of_a_damaged_database_are_no_flood(log: Reading) -> None:
    for _ in range(3 * MOST_SIGNS):
        assert log.signs("Uncaught exception running subtask") == [TaskException()]
        assert log.signs("database disk image is malformed", level=0) == [DatabaseCorrupted()]


PARTS: Final = (
    "Butler: ",
    BEGUN,
    f"Activity: ended sub-activity {UUID} parent: 2",
    "Butler: Starting task ",
    "Butler: Running delayed task ",
    "Butler: Scheduling randomized task ",
    "[Req#1] ",
    f"'{BACKUP}'",
    f" {OPTIMIZE} ",
    "Database backup completed: ",
    "0",
    "-7",
    "failed its integrity check, not backing up",
    "Database optimization: complete",
    "Uncaught exception running subtask",
    "database disk image is malformed",
    "Sep 14, 2026 02:00:00.412 [140001] DEBUG - ",
    "\\",
    "\u2019",
    "\U0001f3ac",
    '"',
    "\x00",
)


def fuzzed(source: random.Random) -> bytes:
    """Return a frame that is nearly one: parts in any order, some bytes changed, cut anywhere."""
    text = "".join(source.choices(PARTS, k=source.randrange(1, 7)))
    content = bytearray(frame(row(text, level=source.choice((0, 3, "1", None, [])))))
    for _ in range(source.choice((0, 0, 1, 3))):
        content[source.randrange(len(content))] = source.randrange(256)
    return bytes(content[: source.choice((len(content), source.randrange(len(content))))])


def test_reader_bears_a_hundred_thousand_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is raised, and nothing comes of a frame but the signs of listed tasks."""
    times = iter(range(0, 10_000_000, 100))
    monkeypatch.setattr(MONOTONIC, lambda: next(times))
    log = Reading()
    source = random.Random(11)
    lines: Counter[type[LogSign]] = Counter()
    for _ in range(100_000):
        for line in log.reader.read(fuzzed(source)) or ():
            lines[type(line.sign)] += 1
            if isinstance(line.sign, TaskStarted | TaskScheduled | TaskMentioned | TaskEnded):
                assert line.sign.task in TASKS
    assert len(lines) == 9
    assert min(lines.values()) > 100, lines
    assert log.counts["frames"] == 100_000


JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(PARTS) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(("LogSentNotification", "message", "time", "level", "x")), inner
        )
    ),
    max_leaves=8,
)


@settings(max_examples=300)
@given(content=JSON, wrapped=st.booleans())
def test_reader_bears_any_json(content: Any, *, wrapped: bool) -> None:
    rows = {"LogSentNotification": content, "x": "Butler:"}
    Reading().reader.read(json.dumps({"NotificationContainer": rows} if wrapped else rows).encode())
    Reading().reader.read(json.dumps([content, "Butler:"]).encode())


@settings(max_examples=300)
@given(content=st.binary())
def test_reader_bears_any_bytes(content: bytes) -> None:
    Reading().reader.read(content + b"Butler:")
