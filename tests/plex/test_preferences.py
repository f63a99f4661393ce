"""The parser of preferences: what servers really listed, every form that is tolerated, and nonsense."""

import json
from typing import Any, Final
from xml.sax.saxutils import quoteattr

from hypothesis import given, strategies as st
import pytest

from custom_components.plex_butler.plex import (
    NO_PREFERENCES,
    NotPlexError,
    Preference,
    Preferences,
    PreferenceValue,
)
from custom_components.plex_butler.plex.parse import MOST_TASKS
from custom_components.plex_butler.plex.preferences import (
    BEHAVIORS,
    MOST_OPTIONS,
    MOST_ROWS,
    parse_preferences,
)
from tests.bare_http import FIXTURES

START: Final = "ButlerStartHour"
BACKUP: Final = "ButlerTaskBackupDatabase"
CREDITS: Final = "GenerateCreditsMarkerBehavior"
TWIN: Final = "ButlerTaskGenerateMediaIndexFiles"
BIF: Final = "GenerateBIFBehavior"
HOURS: Final = tuple(range(24))
BEHAVIOR: Final = ("never", "scheduled", "asap")
UNCLAIMED: Final = json.loads((FIXTURES / "settings.json").read_text())
CLAIMED: Final = json.loads((FIXTURES / "settings_claimed.json").read_text())


def body(rows: Any) -> bytes:
    return json.dumps({"MediaContainer": {"Setting": rows}}).encode()


def xml(rows: list[dict[str, Any]]) -> bytes:
    """Write rows as a server does that is not asked for JSON."""

    def text(value: Any) -> str:
        return quoteattr(str(int(value) if isinstance(value, bool) else value))

    settings = "\n".join(
        f"<Setting{''.join(f' {key}={text(value)}' for key, value in row.items())} />"
        for row in rows
    )
    return f'<MediaContainer size="{len(rows)}">\n{settings}\n</MediaContainer>'.encode()


def one(preference_id: str, **fields: Any) -> Preference | None:
    """Parse one row beside a good one, which is always there."""
    parsed = parse_preferences(
        body([{"id": preference_id} | fields, {"id": "ButlerEndHour", "value": 5}])
    )
    assert parsed.get("ButlerEndHour") == 5
    assert parsed.by_id.keys() <= {preference_id, "ButlerEndHour"}
    return parsed.by_id.get(preference_id)


@pytest.mark.parametrize("write", [body, xml], ids=["json", "xml"])
def test_an_unclaimed_server(write: Any) -> None:
    parsed = parse_preferences(write(UNCLAIMED))
    assert parsed.by_id == {
        START: Preference(2, HOURS),
        "ButlerEndHour": Preference(5, HOURS),
        **{
            f"ButlerTask{task}": Preference(task != "RefreshLibraries", (False, True))
            for task in [
                "BackupDatabase",
                "OptimizeDatabase",
                "CleanOldBundles",
                "CleanOldCacheFiles",
                "RefreshLocalMedia",
                "RefreshLibraries",
                "UpgradeMediaAnalysis",
                "RefreshPeriodicMetadata",
                "DeepMediaAnalysis",
                "GarbageCollectBlobs",
                "RefreshEpgGuides",
            ]
        },
        BIF: Preference("never", BEHAVIOR),
        "GenerateChapterThumbBehavior": Preference("scheduled", BEHAVIOR),
        "LoudnessAnalysisBehavior": Preference("scheduled", BEHAVIOR),
    }
    assert parsed.window == (2, 5)


@pytest.mark.parametrize("write", [body, xml], ids=["json", "xml"])
def test_a_claimed_server(write: Any) -> None:
    parsed = parse_preferences(write(CLAIMED))
    assert parsed.window == (1, 7)
    assert parsed.get(parsed.switch_of("GarbageCollectBlobs")) is True
    assert parsed.get(parsed.switch_of("GenerateAutoTags")) is True
    assert {task: parsed.get(parsed.behavior_of(task)) for task in BEHAVIORS} == {
        "ButlerTaskGenerateAdMarkers": None,
        "ButlerTaskGenerateCreditsMarkers": None,
        "ButlerTaskGenerateIntroMarkers": "asap",
        "ButlerTaskGenerateVoiceActivity": None,
        "GenerateChapterThumbs": "scheduled",
        "GenerateMediaIndexFiles": "scheduled",
        "LoudnessAnalysis": "scheduled",
        "MusicAnalysis": "scheduled",
    }


def test_nothing_else_is_read() -> None:
    """Neither paths nor names: a setting is of Butler's schedule, or it is left out."""
    assert "Plug-in Support" in json.dumps(CLAIMED)
    for preference_id in parse_preferences(body(CLAIMED)).by_id:
        assert preference_id in {
            START,
            "ButlerEndHour",
            *BEHAVIORS.values(),
        } or preference_id.startswith("ButlerTask")


def test_a_switch_without_effect_is_left_out() -> None:
    """Its task has a behavior; on a server that lists none, the switch may have an effect."""
    twin = {"id": TWIN, "type": "bool", "value": False}
    behavior = {"id": BIF, "value": "never"}
    for rows in ([twin, behavior], [behavior, twin]):
        assert parse_preferences(body(rows)).switch_of("GenerateMediaIndexFiles") is None
    assert parse_preferences(body([twin])).switch_of("GenerateMediaIndexFiles") == TWIN


@pytest.mark.parametrize("value", [True, 1, "1", "true", "True", "TRUE"])
@pytest.mark.parametrize("type_", [{"type": "bool"}, {}])
def test_booleans(value: Any, type_: dict[str, str]) -> None:
    assert one(BACKUP, value=value, **type_) == Preference(True, (False, True))


@pytest.mark.parametrize("value", [False, 0, "0", "false", "False"])
def test_booleans_that_are_false(value: Any) -> None:
    assert one(BACKUP, value=value) == Preference(False, (False, True))


@pytest.mark.parametrize("value", [2, "2", 2.0, " 2 "])
def test_hours(value: Any) -> None:
    assert one(START, value=value, type="text", default="2") == Preference(2, ())


@pytest.mark.parametrize(
    ("values", "options"),
    [
        ("0:0\ua78900|1:1\ua78900|23:23\ua78900", (0, 1, 23)),
        ("0:Midnight|1:1 am|13:1 pm", (0, 1, 13)),
        ("0|1|2", (0, 1, 2)),
        ("3:3:00|3:again", (3,)),
        ("|:|x:1|24:24|-1:|1.5e999:|nan|7:7", (7,)),
        ("", ()),
        (None, ()),
        (["1", "2"], ()),
        (12, ()),
    ],
)
def test_hours_that_are_listed(values: Any, options: tuple[int, ...]) -> None:
    assert one(START, value=2, enumValues=values) == Preference(2, options)


@pytest.mark.parametrize(
    ("values", "options"),
    [
        ("never:never|scheduled:as a scheduled task|asap:also when added", BEHAVIOR),
        ("never|scheduled|asap", BEHAVIOR),
        ("never:|later:new in the next version: maybe", ("never", "later")),
        ("||never", ("never",)),
    ],
)
def test_behaviors_that_are_listed(values: str, options: tuple[str, ...]) -> None:
    assert one(CREDITS, value="never", enumValues=values) == Preference("never", options)


@pytest.mark.parametrize(
    ("preference_id", "fields"),
    [
        (START, {}),
        (START, {"value": None}),
        (START, {"value": True}),
        (START, {"value": "Midnight"}),
        (START, {"value": 24}),
        (START, {"value": -1}),
        (START, {"value": [2]}),
        (BACKUP, {}),
        (BACKUP, {"value": "yes"}),
        (BACKUP, {"value": 2}),
        (BACKUP, {"value": None}),
        (BACKUP, {"value": 1, "type": "int"}),
        (BACKUP, {"value": "1", "type": "text"}),
        (CREDITS, {}),
        (CREDITS, {"value": ""}),
        (CREDITS, {"value": True}),
        (CREDITS, {"value": {"never": 1}}),
        ("ButlerUpdateChannel", {"value": "16"}),
        ("ButlerDatabaseBackupPath", {"value": "/config"}),
        ("butlerStartHour", {"value": 2}),
        (" ButlerStartHour", {"value": 2}),
        ("ButlerTask" + "x" * 300, {"value": True}),
        ("LyricsBehavior", {"value": "never"}),
    ],
    ids=str,
)
def test_rows_that_are_left_out(preference_id: str, fields: dict[str, Any]) -> None:
    assert one(preference_id, **fields) is None


@pytest.mark.parametrize("row", [7, None, "x", [], {}, {"id": None}, {"id": 7, "value": 1}])
def test_rows_that_are_none(row: Any) -> None:
    good = {"id": START, "value": 2}
    assert parse_preferences(body([row, good])).by_id == {START: Preference(2, ())}


def test_the_first_of_two_rows_counts() -> None:
    rows = [{"id": START, "value": "?"}, {"id": START, "value": 1}, {"id": START, "value": 2}]
    assert parse_preferences(body(rows)).get(START) == 1


@pytest.mark.parametrize(
    "answer", [b"", b"<html>Log in", b"{}", b'{"MediaContainer": []}', b"[", b'{"status": "ok"}']
)
def test_answers_that_are_no_list(answer: bytes) -> None:
    with pytest.raises(NotPlexError):
        parse_preferences(answer)


@pytest.mark.parametrize("answer", [b'{"MediaContainer":{"size":0}}', b"[]", body([])])
def test_empty_lists(answer: bytes) -> None:
    parsed = parse_preferences(answer)
    assert parsed == NO_PREFERENCES
    assert not parsed
    assert parsed.window is None
    assert parsed.get(START) is None


def test_one_row_may_be_an_object() -> None:
    assert parse_preferences(body({"id": START, "value": 2})).get(START) == 2


def test_a_hostile_list_is_bounded() -> None:
    switches = [{"id": f"ButlerTask{number}", "value": True} for number in range(MOST_TASKS + 5)]
    hours = {"id": START, "value": 2, "enumValues": "|".join(map(str, range(20)))}
    parsed = parse_preferences(body([*switches, hours]))
    assert len(parsed.by_id) == MOST_TASKS + 1
    assert parsed.switch_of("0")
    assert not parsed.switch_of(str(MOST_TASKS))

    assert not parse_preferences(body([{}] * MOST_ROWS + [hours]))
    assert parse_preferences(body([{}] * (MOST_ROWS - 1) + [hours]))

    many = "|".join(f"value{number}" for number in range(MOST_OPTIONS + 5))
    listed = one(CREDITS, value="x" * 300, enumValues=many + "y" * 300)
    assert listed
    assert listed.value == "x" * 255
    assert listed.options == tuple(f"value{number}" for number in range(MOST_OPTIONS))


@pytest.mark.parametrize(
    ("preference_id", "value", "allowed"),
    [
        (START, 3, True),
        (START, 24, False),
        (START, True, False),
        (START, "3", False),
        (BACKUP, False, True),
        (BACKUP, 1, False),
        (CREDITS, "asap", True),
        (CREDITS, "often", False),
        ("ButlerEndHour", 3, False),
        ("NoSuchName", True, False),
    ],
)
def test_what_may_be_set(preference_id: str, value: PreferenceValue, allowed: bool) -> None:
    listed = Preferences(
        {
            START: Preference(2, HOURS),
            BACKUP: Preference(True, (False, True)),
            CREDITS: Preference("never", BEHAVIOR),
            "ButlerEndHour": Preference(5, ()),
        }
    )
    assert listed.allows(preference_id, value) is allowed


def test_a_window_needs_both_hours() -> None:
    assert parse_preferences(body([{"id": START, "value": 2}])).window is None


VALUES: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
ROWS: Final = st.fixed_dictionaries(
    {"id": st.sampled_from([START, BACKUP, CREDITS, TWIN, BIF]) | VALUES},
    optional={"type": st.just("bool") | VALUES, "value": VALUES, "enumValues": VALUES},
)


@given(st.lists(ROWS | VALUES, max_size=5))
def test_no_row_spoils_the_others(rows: list[Any]) -> None:
    good = {"id": "ButlerEndHour", "value": "5", "enumValues": "5:5"}
    parsed = parse_preferences(body([good, *rows]))
    assert parsed.by_id["ButlerEndHour"] == Preference(5, (5,))
    for preference_id, preference in parsed.by_id.items():
        for option in preference.options:
            assert parsed.allows(preference_id, option)


@given(st.binary() | st.binary().map(lambda rest: b"<MediaContainer" + rest))
def test_nonsense_is_no_list(answer: bytes) -> None:
    try:
        parse_preferences(answer)
    except NotPlexError:
        return
