"""The parser: what servers really sent, every form that is tolerated, and nonsense."""

from collections.abc import Iterator
from dataclasses import replace
import json
from typing import Any

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.plex_butler.plex import (
    Activity,
    ActivityChanged,
    ButlerTask,
    Identity,
    NotPlexError,
    PreferencesChanged,
    Server,
    SessionChanged,
)
from custom_components.plex_butler.plex.parse import (
    is_task_name,
    parse_activities,
    parse_identity,
    parse_notifications,
    parse_server,
    parse_tasks,
)
from tests.bare_http import FIXTURES

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
        (3650, 3650),
        (3651, None),
        ("604800", None),
        (-1, None),
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


# The notification stream

FRAMES = (FIXTURES / "frames.jsonl").read_text().splitlines()
EVENTS = [
    line.removeprefix("data: ")
    for line in (FIXTURES / "events.txt").read_text().splitlines()
    if line.startswith("data: ")
]
UUID = "5d3e1c02-9a41-4c5b-8f60-0c7d5b1e2a0"
SUBSCRIPTIONS = "provider.subscriptions.process"
REFRESH = "library.refresh.items"
ACTIVITY = {
    "uuid": "a",
    "type": "media.generate.intros",
    "cancellable": False,
    "userID": 1,
    "title": "Detecting intros of Private Show",
    "subtitle": "Private Show S02 E01",
    "progress": 40,
    "Context": {"key": "/library/metadata/private"},
}
UPDATED = {"event": "updated", "uuid": "a", "Activity": ACTIVITY}
CHANGED = ActivityChanged(Activity("a", "media.generate.intros", 40), ended=False)
SETTING = {"id": "ButlerStartHour", "type": "int", "value": 3}


def frame(*rows: Any, type_: Any = "activity", **more: Any) -> str:
    container = {"type": type_, "size": len(rows), "ActivityNotification": list(rows)}
    return json.dumps({"NotificationContainer": container | more})


def test_frames_that_were_seen() -> None:
    def changed(number: int, kind: str, progress: int, *, ended: bool) -> ActivityChanged:
        return ActivityChanged(Activity(f"{UUID}{number}", kind, progress), ended)

    assert [parse_notifications(line) for line in FRAMES] == [
        (),
        (changed(6, SUBSCRIPTIONS, 0, ended=False),),
        (changed(6, SUBSCRIPTIONS, 100, ended=True),),
        (),
        (SessionChanged("112", playing=False, ended=True),),
        (changed(7, REFRESH, 0, ended=False),),
        (changed(7, REFRESH, 100, ended=True),),
        (changed(8, REFRESH, 0, ended=False),),
        (changed(8, REFRESH, 0, ended=False),),
        (),
        (),
    ]
    assert [parse_notifications(data) for data in EVENTS] == [
        (),
        (changed(6, SUBSCRIPTIONS, 0, ended=False),),
    ]


@pytest.mark.parametrize(
    "content",
    [
        {"NotificationContainer": {"type": "activity", "ActivityNotification": [UPDATED]}},
        {"NotificationContainer": {"type": "activity", "ActivityNotification": UPDATED}},
        {"NotificationContainer": {"ActivityNotification": [UPDATED]}},
        {"ActivityNotification": [UPDATED]},
        {"ActivityNotification": UPDATED},
        {"ActivityNotification": UPDATED | {"Activity": [ACTIVITY]}},
    ],
    ids=["list", "single", "no type", "bare list", "bare", "list inside"],
)
def test_shapes_of_a_frame(content: Any) -> None:
    assert parse_notifications(json.dumps(content)) == (CHANGED,)
    assert parse_notifications(json.dumps(content, indent=2)) == (CHANGED,)


def test_nobodys_films_are_in_a_frame() -> None:
    assert "rivate" not in repr(parse_notifications(frame(UPDATED)))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"uuid": 7}, Activity("7", "media.generate.intros", 40)),
        ({"uuid": " a "}, CHANGED.activity),
        ({"uuid": "\ud800"}, Activity("?", "media.generate.intros", 40)),
        ({"progress": "75"}, replace(CHANGED.activity, progress=75)),
        ({"progress": -1}, replace(CHANGED.activity, progress=-1)),
        ({"progress": 4000}, replace(CHANGED.activity, progress=100)),
        ({"progress": float("nan")}, replace(CHANGED.activity, progress=None)),
        ({"progress": float("-inf")}, replace(CHANGED.activity, progress=None)),
        ({"progress": {}}, replace(CHANGED.activity, progress=None)),
        ({"Context": None}, CHANGED.activity),
        ({"Context": [[]]}, CHANGED.activity),
        ({"type": "butler"}, replace(CHANGED.activity, type="butler")),
    ],
)
def test_fields_of_a_frame(change: dict[str, Any], expected: Activity) -> None:
    told = parse_notifications(frame(UPDATED | {"Activity": ACTIVITY | change}))

    assert told == (ActivityChanged(expected, ended=False),)


@pytest.mark.parametrize("left_out", ["Context", "title", "subtitle", "userID", "cancellable"])
def test_what_a_frame_may_leave_out(left_out: str) -> None:
    activity = {key: value for key, value in ACTIVITY.items() if key != left_out}

    assert parse_notifications(frame({"event": "updated", "Activity": activity})) == (CHANGED,)


def test_progress_may_be_left_out() -> None:
    activity = {"uuid": "a", "type": "media.generate.intros"}

    assert parse_notifications(frame({"event": "ended", "Activity": activity})) == (
        ActivityChanged(Activity("a", "media.generate.intros", None), ended=True),
    )


BAD_ROWS: list[Any] = [
    {},
    None,
    7,
    "ActivityNotification",
    [],
    {"event": "updated"},
    {"event": "updated", "Activity": None},
    {"event": "updated", "Activity": "a"},
    {"event": "updated", "Activity": []},
    {"event": "updated", "Activity": {"type": "butler"}},
    {"event": "updated", "Activity": {"uuid": "b"}},
    {"event": "updated", "Activity": {"uuid": None, "type": "butler"}},
    {"event": "updated", "Activity": {"uuid": True, "type": "butler"}},
    {"event": "updated", "Activity": {"uuid": 1.5, "type": "butler"}},
    {"event": "updated", "Activity": {"uuid": " ", "type": "butler"}},
    {"event": "updated", "Activity": {"uuid": "b", "type": ["butler"]}},
    *(
        UPDATED | {"event": event}
        for event in (None, "", "paused", "Updated", 1, True, ["updated"], {"updated": 1})
    ),
    {"Activity": ACTIVITY},
]


@pytest.mark.parametrize("row", BAD_ROWS, ids=str)
def test_a_bad_row_of_a_frame_is_no_news_and_costs_no_other(row: Any) -> None:
    assert parse_notifications(frame(row)) == ()
    assert parse_notifications(json.dumps({"ActivityNotification": row})) == ()
    assert parse_notifications(frame(row, UPDATED, row)) == (CHANGED,)


def test_rows_of_a_frame_stay_in_order() -> None:
    """One activity may have several: nothing is put together here."""
    ended = UPDATED | {"event": "ended"}
    other = UPDATED | {"event": "started", "Activity": ACTIVITY | {"uuid": "b"}}
    told = parse_notifications(frame(UPDATED, other, ended, UPDATED))

    assert told == (
        CHANGED,
        ActivityChanged(replace(CHANGED.activity, uuid="b"), ended=False),
        replace(CHANGED, ended=True),
        CHANGED,
    )


@pytest.mark.parametrize(
    "content",
    [
        {"NotificationContainer": {"type": "preference", "size": 1, "Setting": [SETTING]}},
        {"NotificationContainer": {"type": "preference", "Setting": SETTING}},
        {"NotificationContainer": {"Setting": [SETTING, SETTING]}},
        {"Setting": SETTING},
    ],
    ids=["list", "single", "no type", "bare"],
)
def test_preferences_have_changed(content: Any) -> None:
    """Which of them is not told further: the task list says what it means."""
    assert parse_notifications(json.dumps(content)) == (PreferencesChanged(),)


def test_settings_in_a_frame_of_another_type() -> None:
    for type_ in ("activity", "provider.content.change", "Preference", 7):
        content = {"type": type_, "Setting": [SETTING]}
        assert parse_notifications(json.dumps({"NotificationContainer": content})) == ()
    assert parse_notifications(frame(UPDATED, Setting=[SETTING])) == (CHANGED,)


def test_activities_and_preferences_in_one_frame() -> None:
    told = parse_notifications(frame(UPDATED, type_="preference", Setting=[SETTING]))

    assert told == (CHANGED, PreferencesChanged())


OURS = '"ActivityNotification" "Setting"'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ping",
        OURS,
        OURS.split(maxsplit=1)[0],
        f"[{OURS.replace(' ', ',')}]",
        '{"type":"ActivityNotification","word":"Setting"}',
        '{"NotificationContainer":["Setting"]}',
        '{"NotificationContainer":null,"Setting":[]}',
        '{"NotificationContainer":{"type":"timeline","TimelineEntry":["ActivityNotification"]}}',
        '{"NotificationContainer":{"NotificationContainer":{"Setting":[]}}}',
        '{"log":{"type":"activity","ActivityNotification":[]}}',
        '{"ActivityNotification":null}',
        frame(UPDATED)[:-1],
        frame(UPDATED) + "}",
        frame(UPDATED | {"Activity": ACTIVITY | {"uuid": 7}}).replace(" 7", " " + "7" * 5000),
        '{"Setting":' + "[" * 200_000,
        '{"ActivityNotification":' * 200_000,
        '{"ActivityNotification":' * 500 + "7" + "}" * 500,
    ],
    ids=range(18),
)
def test_frames_that_are_no_news(text: str) -> None:
    assert parse_notifications(text) == ()


def test_a_frame_may_be_nested_as_deeply_as_it_likes() -> None:
    deep = frame(UPDATED | {"Activity": ACTIVITY | {"Context": 7}})
    for depth, expected in ((300, (CHANGED,)), (200_000, ())):
        nested = deep.replace('"Context": 7', f'"Context": {"[" * depth}{"]" * depth}')
        assert parse_notifications(nested) == expected


def check_frame(text: str) -> None:
    """Nothing comes out but what is ours to know."""
    told = parse_notifications(text)
    assert isinstance(told, tuple)
    for change in told:
        if type(change) is ActivityChanged:
            assert type(change.ended) is bool
            activity = change.activity
            assert type(activity) is Activity
            assert type(activity.uuid) is str
            assert activity.uuid.encode()
            assert type(activity.type) is str
            assert activity.type.encode()
            assert activity.progress is None or activity.progress in range(-1, 101)
        elif type(change) is SessionChanged:
            assert change.key.encode() is not None
            assert not (change.playing and change.ended)
        else:
            assert type(change) is PreferencesChanged


def places(content: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every value of a content, as what holds it and its key or index in there."""
    for key in content if isinstance(content, dict) else range(len(content)):
        yield content, key
        if isinstance(content[key], dict | list):
            yield from places(content[key])


VALID = [
    *(line for line in [*FRAMES, *EVENTS] if parse_notifications(line)),
    frame(UPDATED, UPDATED, type_=None, Setting=[SETTING]),
]


@st.composite
def mutated_frames(draw: st.DrawFn) -> str:
    """A frame of which some values are something else, or are gone."""
    content = json.loads(draw(st.sampled_from(VALID)))
    for _ in range(draw(st.integers(1, 3))):
        if found := list(places(content)):
            holder, key = draw(st.sampled_from(found))
            if draw(st.booleans()):
                holder[key] = draw(VALUES)
            else:
                del holder[key]
    return json.dumps(content)


@st.composite
def mangled_frames(draw: st.DrawFn) -> str:
    """A frame of which a piece is some other text."""
    text = draw(st.sampled_from(VALID))
    begin, end = sorted(draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    return text[:begin] + draw(st.text(max_size=8)) + text[end:]


@settings(deadline=None)
@given(st.text() | st.text().map(lambda text: OURS + text) | mangled_frames())
def test_any_text_in_a_frame(text: str) -> None:
    check_frame(text)


KEYS = FIELDS | st.sampled_from(
    [
        "NotificationContainer",
        "ActivityNotification",
        "Activity",
        "PlaySessionStateNotification",
        "sessionKey",
        "state",
        "Setting",
        "event",
    ]
)


@settings(deadline=None)
@given(
    st.recursive(
        VALUES
        | st.sampled_from(
            ["started", "updated", "ended", "activity", "preference", "playing", "paused"]
        ),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
        max_leaves=20,
    )
)
def test_any_json_in_a_frame(content: Any) -> None:
    check_frame(json.dumps(content))
    check_frame(json.dumps({"NotificationContainer": content}))


@settings(deadline=None, max_examples=300)
@given(mutated_frames())
def test_any_mutation_of_a_frame(text: str) -> None:
    check_frame(text)


@settings(deadline=None)
@given(st.sampled_from(["title", "subtitle", "Context", "userID", "unknown"]), VALUES)
def test_nothing_gets_in_but_uuid_type_and_progress(field: str, value: Any) -> None:
    told = parse_notifications(frame(UPDATED | {"Activity": ACTIVITY | {field: value}}))

    assert told == (CHANGED,)


@settings(deadline=None)
@given(st.lists(VALUES, max_size=3), st.lists(VALUES, max_size=3))
def test_a_good_row_of_a_frame_survives_bad_neighbours(before: list[Any], after: list[Any]) -> None:
    assert CHANGED in parse_notifications(frame(*before, UPDATED, *after))
