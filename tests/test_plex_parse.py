"""The parser: what servers really sent, every form that is tolerated, and nonsense."""

from dataclasses import replace
import json
from typing import Any

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.plex_butler.plex import (
    Activity,
    ButlerTask,
    Identity,
    NotPlexError,
    Server,
)
from custom_components.plex_butler.plex.parse import (
    is_task_name,
    parse_activities,
    parse_identity,
    parse_server,
    parse_tasks,
)

MACHINE = "e004a7de00000000000000000000000000000000"
IDENTITY = Identity(MACHINE, "1.43.4.10903-e5521bd8c", claimed=False)
BACKUP = ButlerTask(
    name="BackupDatabase",
    title="Backup Database",
    description="Create a backup copy of the server's database in the configured backup directory",
    interval_days=3,
    schedule_randomized=False,
    enabled=True,
)
BACKUP_ROW = {
    "name": "BackupDatabase",
    "interval": 3,
    "scheduleRandomized": False,
    "enabled": True,
    "title": "Backup Database",
    "description": BACKUP.description,
}


def body(answer: Any) -> bytes:
    return json.dumps(answer).encode()


def task(**fields: Any) -> ButlerTask:
    (parsed,) = parse_tasks(body([{"name": "BackupDatabase"} | fields]))
    return parsed


@pytest.mark.parametrize(
    "answer",
    [
        body(
            {
                "MediaContainer": {
                    "size": 0,
                    "apiVersion": "1.2.3",
                    "claimed": False,
                    "machineIdentifier": MACHINE,
                    "version": IDENTITY.version,
                }
            }
        ),
        f"""<?xml version="1.0" encoding="UTF-8"?>
<MediaContainer size="0" apiVersion="1.2.3" claimed="0" machineIdentifier="{MACHINE}"
 version="{IDENTITY.version}">
</MediaContainer>
""".encode(),
    ],
    ids=["json", "xml"],
)
def test_identity(answer: bytes) -> None:
    assert parse_identity(answer) == IDENTITY
    assert parse_identity(b"\xef\xbb\xbf \r\n" + answer) == IDENTITY


def test_identity_of_a_server_that_tells_little() -> None:
    assert parse_identity(body({"MediaContainer": {"machineIdentifier": "x"}})) == Identity(
        "x", None, None
    )


SERVER_XML = f"""<MediaContainer size="25" backgroundProcessing="1" friendlyName="Attic &amp; Co"
 machineIdentifier="{MACHINE}" myPlexSubscription="1" myPlexUsername="someone@example.org"
 platform="Linux" platformVersion="20.04.1 LTS" version="1.20.4.3517-ab5e1197c">
<Directory count="1" key="activities" title="activities" />
<Directory count="1" key="butler" title="butler" />
</MediaContainer>"""


def test_server() -> None:
    server = parse_server(SERVER_XML.encode(), IDENTITY)

    assert server == Server(
        machine_identifier=MACHINE,
        friendly_name="Attic & Co",
        version="1.20.4.3517-ab5e1197c",
        platform="Linux",
        platform_version="20.04.1 LTS",
        plex_pass=True,
    )
    assert "someone" not in repr(server)


def test_server_that_tells_nothing_has_the_identity() -> None:
    server = parse_server(b'{"MediaContainer":{}}', IDENTITY)

    assert server == Server(MACHINE, None, IDENTITY.version, None, None, None)


def test_tasks_in_json() -> None:
    assert parse_tasks(body({"ButlerTasks": {"ButlerTask": [BACKUP_ROW]}})) == (BACKUP,)


def test_tasks_in_xml() -> None:
    assert parse_tasks(
        f"""<ButlerTasks>
  <ButlerTask name="BackupDatabase" interval="3" scheduleRandomized="0" enabled="1"
              title="Backup Database" description="{BACKUP.description}"/>
  <ButlerTask name="NewTask" enabled="0"/>
</ButlerTasks>""".encode()
    ) == (BACKUP, ButlerTask("NewTask", "New Task", None, None, None, enabled=False))


@pytest.mark.parametrize(
    "answer",
    [
        {"ButlerTasks": {"ButlerTask": BACKUP_ROW}},
        {"MediaContainer": {"size": 1, "ButlerTask": [BACKUP_ROW]}},
        [BACKUP_ROW],
    ],
    ids=["single", "MediaContainer", "bare"],
)
def test_other_shapes_of_the_list(answer: Any) -> None:
    assert parse_tasks(body(answer)) == (BACKUP,)


@pytest.mark.parametrize(
    "answer",
    [b'{"ButlerTasks":{}}', b'{"ButlerTasks":{"ButlerTask":null}}', b"<ButlerTasks/>", b"[]"],
)
def test_no_tasks(answer: bytes) -> None:
    assert parse_tasks(answer) == ()


BOOLEANS: dict[bool | None, list[Any]] = {
    True: [True, 1, "1", "true", "TRUE"],
    False: [False, 0, "0", "false", "False"],
    None: [None, "", "yes", 2, 1.5, [], {}],
}


@pytest.mark.parametrize("meaning", BOOLEANS)
def test_booleans(meaning: bool | None) -> None:
    for value in BOOLEANS[meaning]:
        assert task(enabled=value).enabled is meaning
        assert task(scheduleRandomized=value).schedule_randomized is meaning


@pytest.mark.parametrize(
    ("value", "days"),
    [
        (1, 1),
        ("7", 7),
        (3.0, 3),
        (0, 0),
        (3599, 3599),
        (3600, 1),
        (86400, 1),
        ("604800", 7),
        (-1, None),
        (3651 * 86400, None),
        (True, None),
        ("soon", None),
        (None, None),
        ([3], None),
        (float("nan"), None),
        (float("inf"), None),
        ("inf", None),
        (10**400, None),
    ],
)
def test_intervals(value: Any, days: int | None) -> None:
    assert task(interval=value).interval_days == days


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("DeepMediaAnalysis", "Deep Media Analysis"),
        ("ButlerTaskGenerateIntroMarkers", "Generate Intro Markers"),
        ("RefreshEPGGuides", "Refresh EPG Guides"),
        ("Backup2Cloud", "Backup2 Cloud"),
        ("ButlerTask", "Butler Task"),
        ("backup", "backup"),
    ],
)
def test_missing_titles_are_made_from_the_name(name: str, title: str) -> None:
    assert task(name=name).title == title
    assert task(name=name, title="  ", description="").title == title
    assert task(name=name, title=["x"]).title == title


def test_texts_hold_only_characters() -> None:
    """A lone surrogate would break whoever writes the text down."""
    assert task(title=" \ud83d! ", description=7) == replace(task(), title="?!", description="7")


BAD_NAMES = ["", " ", ".", "..", " .. ", "a/..", "./a", "a//b", "/", "a\\..", "a\x00", "\ud800"]


@pytest.mark.parametrize("name", [*BAD_NAMES, None, 7, True, ["x"]])
def test_rows_without_a_sendable_name_are_dropped(name: Any) -> None:
    assert parse_tasks(body([{"name": name}, BACKUP_ROW, {"title": "x"}])) == (BACKUP,)
    with pytest.raises(NotPlexError):
        parse_tasks(body([{"name": name}]))


@pytest.mark.parametrize("name", ["BackupDatabase", "A/B", "...", "a..b", "Größe", "50 %", "x?y#z"])
def test_unknown_names_are_welcome(name: str) -> None:
    assert is_task_name(name)
    assert task(name=name).name == name


def test_of_two_rows_with_one_name_the_first_counts() -> None:
    tasks = parse_tasks(
        body(
            [BACKUP_ROW, {"name": "B"}, BACKUP_ROW | {"enabled": False}, {"name": "backupdatabase"}]
        )
    )

    assert [t.name for t in tasks] == ["BackupDatabase", "B", "backupdatabase"]
    assert tasks[0] == BACKUP


def test_activities_in_json() -> None:
    """The shapes of 1.43, and the `butler` row that an idle server keeps."""
    rows = [
        {
            "uuid": "11111111-0000-4000-8000-000000000002",
            "type": "media.generate.credits",
            "cancellable": False,
            "userID": 1,
            "title": "Detecting Credits",
            "subtitle": "Show E S01 E21",
            "progress": -1,
        },
        {"uuid": "b", "type": "butler", "progress": 100, "Context": {"librarySectionID": "12"}},
    ]
    activities = parse_activities(body({"MediaContainer": {"size": 2, "Activity": rows}}))

    assert activities == (
        Activity("11111111-0000-4000-8000-000000000002", "media.generate.credits", -1),
        Activity("b", "butler", 100),
    )
    assert "Show" not in repr(activities)


def test_activities_in_xml() -> None:
    assert parse_activities(b"""<?xml version="1.0" encoding="UTF-8"?>
<MediaContainer size="1">
<Activity uuid="c3f190e4" type="library.update.section" cancellable="0" userID="1"
 title="Scanning Photos" subtitle="4th Birthday" progress="30">
<Context librarySectionID="1" />
</Activity>
</MediaContainer>""") == (Activity("c3f190e4", "library.update.section", 30),)


@pytest.mark.parametrize(
    "answer", [b'{"MediaContainer":{"size":0}}', b'<MediaContainer size="0"/>']
)
def test_no_activities(answer: bytes) -> None:
    assert parse_activities(answer) == ()


@pytest.mark.parametrize(
    ("value", "progress"),
    [
        (75, 75),
        ("75", 75),
        (33.4, 33),
        (-1, -1),
        (-20, -1),
        (1000, 100),
        (1e308, 100),
        (float("nan"), None),
        (float("inf"), None),
        (True, None),
        ("", None),
        (None, None),
        ([], None),
    ],
)
def test_progress(value: Any, progress: int | None) -> None:
    answer = body(
        {"MediaContainer": {"Activity": {"uuid": 7, "type": "butler", "progress": value}}}
    )

    assert parse_activities(answer) == (Activity("7", "butler", progress),)


@pytest.mark.parametrize(
    "row",
    [
        {"uuid": "a"},
        {"type": "butler"},
        {"uuid": "", "type": "butler"},
        {"uuid": True, "type": "butler"},
        {"uuid": ["a"], "type": "butler"},
        {"uuid": "a", "type": None},
        {"uuid": "good", "type": "second"},
        "row",
        None,
        [],
    ],
)
def test_bad_activities_are_dropped(row: Any) -> None:
    rows = [{"uuid": "good", "type": "butler"}, row, {"uuid": "b", "type": "x"}]

    assert parse_activities(body({"MediaContainer": {"Activity": rows}})) == (
        Activity("good", "butler", None),
        Activity("b", "x", None),
    )


NOT_PLEX = {
    "nothing": b"",
    "text": b"It works!",
    "page": b"<html><head><title>Login</title></head><body>Login</body></html>",
    "HTML5": b"<!DOCTYPE html><html></html>",
    "void element": b"<html><br></html>",
    "number": b"7",
    "null": b"null",
    "string": b'"MediaContainer"',
    "other": b'{"data":[]}',
    "maintenance": b'{"code":503,"title":"Maintenance"}',
    "container of a wrong kind": b'{"MediaContainer":[],"ButlerTasks":null}',
    "broken": b'{"MediaContainer":{"machineIdentifier":"x"',
    "broken XML": b'<MediaContainer machineIdentifier="x">',
    "bytes": bytes(range(256)),
    "UTF-16": '<?xml version="1.0" encoding="UTF-16"?><MediaContainer/>'.encode("utf-16"),
    "nested": b"[" * 200_000,
    "nested objects": b'{"MediaContainer":' * 200_000,
    "large number": b'{"MediaContainer":{"machineIdentifier":%s}}' % (b"9" * 5000),
    "entities": b'<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]>'
    b'<MediaContainer machineIdentifier="&c;"/>',
    "file": b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]>'
    b"<MediaContainer>&b;</MediaContainer>",
}


@pytest.mark.parametrize("answer", NOT_PLEX.values(), ids=NOT_PLEX)
def test_what_no_plex_media_server_sends(answer: bytes) -> None:
    for parse in (parse_identity, parse_tasks, parse_activities):
        with pytest.raises(NotPlexError) as caught:
            parse(answer)
        # A chained error would bring the body along.
        assert caught.value.__context__ is None
    with pytest.raises(NotPlexError):
        parse_server(answer, IDENTITY)


def test_an_identity_without_a_machine_is_none() -> None:
    for value in (None, "", " ", True, ["x"]):
        with pytest.raises(NotPlexError):
            parse_identity(body({"MediaContainer": {"machineIdentifier": value}}))


def test_a_list_of_other_things_is_no_list_of_tasks() -> None:
    """An empty one would take every entity away."""
    for answer in ([1, 2], ["x"], [{"id": 1}], {"ButlerTasks": {"ButlerTask": "x"}}):
        with pytest.raises(NotPlexError):
            parse_tasks(body(answer))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
FIELDS = st.sampled_from(
    [
        "name",
        "title",
        "description",
        "interval",
        "enabled",
        "scheduleRandomized",
        "uuid",
        "type",
        "progress",
        "machineIdentifier",
        "version",
        "claimed",
        "myPlexSubscription",
    ]
)
ROWS = st.lists(st.dictionaries(FIELDS, VALUES) | VALUES, max_size=5)
ANSWERS = (
    VALUES
    | ROWS
    | st.fixed_dictionaries(
        {},
        optional={
            root: st.dictionaries(FIELDS, VALUES).flatmap(
                lambda fields: ROWS.map(
                    lambda rows: fields | {"ButlerTask": rows, "Activity": rows}
                )
            )
            for root in ("ButlerTasks", "MediaContainer")
        },
    )
)


def check_everything(answer: bytes) -> None:
    """Nothing but NotPlexError comes out, or something that everybody can write down."""
    for parse in (
        parse_identity,
        parse_tasks,
        parse_activities,
        lambda body: parse_server(body, IDENTITY),
    ):
        try:
            parsed = parse(answer)
        except NotPlexError:
            continue
        repr(parsed).encode()


@settings(deadline=None)
@given(ANSWERS)
def test_any_json(answer: Any) -> None:
    check_everything(body(answer))


@settings(deadline=None)
@given(st.binary() | st.binary().map(lambda rest: b"<MediaContainer" + rest))
def test_any_bytes(answer: bytes) -> None:
    check_everything(answer)


@settings(deadline=None)
@given(ROWS, ROWS)
def test_good_rows_survive_bad_neighbours(before: list[Any], after: list[Any]) -> None:
    row = {"name": "Ours", "enabled": 1, "uuid": "ours", "type": "butler", "progress": "5"}
    rows = [*[{**r, "name": 1, "uuid": []} if isinstance(r, dict) else r for r in before], row]

    tasks = parse_tasks(body([*rows, *after]))
    activities = parse_activities(body([*rows, *after]))

    assert tasks[0] == ButlerTask("Ours", "Ours", None, None, None, enabled=True)
    assert activities[0] == Activity("ours", "butler", 5)
