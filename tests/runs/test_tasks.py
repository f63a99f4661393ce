"""The one table of tasks, and everything that has to agree with it."""

import json
import re
from typing import Any

from homeassistant.components.sensor import SensorEntityDescription
import pytest
import yaml

from custom_components.plex_butler import plex
from custom_components.plex_butler.butler.preferences import WINDOW
from custom_components.plex_butler.event import STARTED
from custom_components.plex_butler.runs.models import KnownBy, Outcome
from custom_components.plex_butler.runs.tasks import (
    BY_ACTIVITY_TYPE,
    BY_NAME,
    KNOWN_TASKS,
    task_key,
)
from custom_components.plex_butler.sensor import CURRENT_TASK, LAST_TASK
from tests.bare_http import FIXTURES
from tests.repository import INTEGRATION, load
from tests.simulator import SimulatedPlex

EN: dict[str, Any] = load("translations/en.json")
ICONS: dict[str, Any] = load("icons.json")
KEYS = {task.key for task in KNOWN_TASKS}

# Confirmed on a live server in 2026.
ON_A_LIVE_SERVER = """
AutomaticUpdates BackupDatabase ButlerTaskCleanSupplementalLogFiles ButlerTaskGenerateAdMarkers
ButlerTaskGenerateCreditsMarkers ButlerTaskGenerateIntroMarkers ButlerTaskGenerateVoiceActivity
CleanOldBundles CleanOldCacheFiles DeepMediaAnalysis GarbageCollectBlobs
GarbageCollectLibraryMedia GenerateChapterThumbs GenerateMediaIndexFiles LoudnessAnalysis
MusicAnalysis OptimizeDatabase ProcessAssets RefreshEpgGuides RefreshLibraries RefreshLocalMedia
UpgradeMediaAnalysis
"""
# In the API description beside these.
ONLY_DESCRIBED = "GenerateBlurHashes RefreshPeriodicMetadata"


def test_every_task_that_was_ever_seen_or_described_is_known() -> None:
    assert {*ON_A_LIVE_SERVER.split(), *ONLY_DESCRIBED.split()} <= BY_NAME.keys()


def test_keys_names_and_activities_are_unambiguous() -> None:
    assert len(BY_NAME) == len(KEYS) == len(KNOWN_TASKS)
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", key) for key in KEYS)
    mapped = [task.activity_type for task in KNOWN_TASKS if task.activity_type]
    assert len(mapped) == len(set(mapped)) == len(BY_ACTIVITY_TYPE)
    ambiguous = {type_ for task in KNOWN_TASKS for type_ in task.ambiguous_types}
    assert not ambiguous & set(mapped)


def test_key_of_a_known_task_is_its_own_and_of_another_its_name() -> None:
    assert task_key("ButlerTaskGenerateIntroMarkers") == "generate_intro_markers"
    assert task_key("BrewCoffee") == "BrewCoffee"


@pytest.mark.parametrize(
    ("platform", "others"),
    [
        ("switch", {"task"}),
        ("button", {"task", "start_all", "stop_all"}),
        ("sensor", {"task", "running_tasks", "current_task", "last_task", "last_good_backup"}),
    ],
)
def test_every_task_has_a_name_and_an_icon(platform: str, others: set[str]) -> None:
    scheduled = {f"{key}_scheduled" for key in {*KEYS, "task"} if platform == "switch"}
    assert EN["entity"][platform].keys() == KEYS | others | scheduled
    assert ICONS["entity"][platform].keys() == KEYS | others | scheduled


@pytest.mark.parametrize("key", [*sorted(KEYS), "task"])
def test_a_task_has_one_name_everywhere(key: str) -> None:
    entities = EN["entity"]
    name = entities["switch"][key]["name"]
    assert entities["sensor"][key]["name"] == f"{name}: last run"
    assert entities["button"][key]["name"] == f"{name}: run"
    assert entities["switch"][f"{key}_scheduled"]["name"] == f"{name}: scheduled"
    if key in KEYS:
        assert entities["sensor"]["current_task"]["state"][key] == name
        assert entities["sensor"]["last_task"]["state"][key] == name


@pytest.mark.parametrize("description", [CURRENT_TASK, LAST_TASK], ids=lambda each: each.key)
def test_every_state_of_a_sensor_that_shows_a_task_has_its_text(
    description: SensorEntityDescription,
) -> None:
    assert description.options is not None
    texts = EN["entity"]["sensor"][description.key]["state"]
    assert [*texts] == description.options
    assert len(set(texts.values())) == len(texts)
    assert texts.keys() > KEYS


def test_every_behavior_has_its_texts_and_icons() -> None:
    names = {key: text["name"] for key, text in EN["entity"]["switch"].items()}
    keys = {f"{BY_NAME[task].key}_behavior": names[BY_NAME[task].key] for task in plex.BEHAVIORS}
    selects = dict(EN["entity"]["select"])
    assert ICONS["entity"]["select"].keys() == selects.keys()
    for key in WINDOW:
        assert selects.pop(key).keys() == {"name"}
    assert {key: text["name"] for key, text in selects.items()} == {
        key: f"{name}: when" for key, name in keys.items()
    }
    listed = [text["state"] for text in selects.values()]
    assert all(states == listed[0] for states in listed)
    assert listed[0].keys() == {"never", "scheduled", "asap"}


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        (("include", "leave_out"), "task_with_switch"),
        (("never", "in_window", "as_soon_as_added"), "task_with_behavior"),
    ],
)
def test_drop_downs_of_the_schedule_offer_what_servers_were_seen_to_list(
    fields: tuple[str, ...], kind: str
) -> None:
    seen = {
        row["id"]
        for file in ("settings.json", "settings_claimed.json")
        for row in json.loads((FIXTURES / file).read_text())
    }
    heavy = {BY_NAME[task].key for task in plex.BEHAVIORS}
    light = {task.key for task in KNOWN_TASKS if plex.switch_id(task.name) in seen} - heavy
    keys = light if kind == "task_with_switch" else heavy
    names = EN["entity"]["switch"]
    assert EN["selector"][kind]["options"] == {key: names[key]["name"] for key in sorted(keys)}
    for field in fields:
        offered = select("services", "set_schedule", field)
        assert offered["options"] == sorted(keys)
        assert offered["translation_key"] == kind
        assert offered["multiple"] is offered["custom_value"] is offered["sort"] is True


def select(kind: str, name: str, field: str) -> dict[str, Any]:
    """Return the drop-down of a field."""
    listed = yaml.safe_load((INTEGRATION / f"{kind}.yaml").read_text())
    selector: dict[str, Any] = listed[name]["fields"][field]["selector"]["select"]
    return selector


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("services", "start_task"),
        ("services", "stop_task"),
        ("services", "run_task"),
        ("services", "get_runs"),
        ("triggers", "task_started"),
        ("triggers", "task_ended"),
        ("conditions", "task_is_running"),
    ],
)
def test_drop_down_offers_every_task(kind: str, name: str) -> None:
    offered = select(kind, name, "task")
    assert offered["options"] == sorted(KEYS)
    assert offered["custom_value"] is True
    assert offered["sort"] is True
    assert offered["translation_key"] == "task"
    assert offered.get("multiple", False) is (kind != "services" or name == "get_runs")


def test_drop_down_has_a_text_for_every_task() -> None:
    assert EN["selector"]["task"]["options"].keys() == KEYS


def test_every_outcome_has_its_text_and_icon() -> None:
    offered = select("triggers", "task_ended", "outcome")
    assert set(offered["options"]) == {*Outcome} == EN["selector"]["outcome"]["options"].keys()
    assert offered["multiple"] is True
    assert "custom_value" not in offered
    for sentence in ("run", "log"):
        for outcome in Outcome:
            assert f"{sentence}_{outcome}" in EN["common"]
            if outcome is not Outcome.END_NOT_SEEN:
                assert f"{sentence}_{outcome}_after" in EN["common"]
    assert {f"run_{known_by}" for known_by in KnownBy} <= EN["common"].keys()
    last = EN["entity"]["sensor"]["last_task"]["state_attributes"]
    assert last["outcome"]["state"].keys() == {*Outcome}
    assert last["known_by"]["state"].keys() == {*KnownBy}
    shown = EN["entity"]["event"]["task_activity"]["state_attributes"]
    icons = ICONS["entity"]["event"]["task_activity"]["state_attributes"]
    events = {STARTED, *Outcome}
    assert shown["event_type"]["state"].keys() == icons["event_type"]["state"].keys() == events
    assert shown["known_by"]["state"].keys() == {*KnownBy}
    assert shown.keys() == {"event_type", "task", "name", "duration", "known_by", "plex_log"}
    for outcome, text in EN["selector"]["outcome"]["options"].items():
        assert shown["event_type"]["state"][outcome] == text


@pytest.mark.parametrize(
    "key",
    [
        "automatic_updates",
        "clean_old_bundles",
        "clean_old_cache_files",
        "garbage_collect_blobs",
        "garbage_collect_library_media",
        "optimize_database",
        "refresh_libraries",
    ],
)
def test_text_of_a_task_that_can_do_harm_says_so(key: str) -> None:
    text = EN["selector"]["task"]["options"][key]
    name = EN["entity"]["switch"][key]["name"]
    assert re.fullmatch(re.escape(name) + r" \(.{20,}\)", text)


def test_every_error_of_a_server_has_its_text() -> None:
    errors = [
        error
        for error in vars(plex).values()
        if isinstance(error, type) and issubclass(error, plex.PlexError) and hasattr(error, "key")
    ]
    assert len(errors) >= 12
    assert {error.key for error in errors} <= EN["exceptions"].keys()
    not_on_the_form = {
        "command_not_confirmed",
        "command_server_error",
        "invalid_task_name",
        "other_server",
        "schedule_refused",
        "task_not_found",
    }
    assert {error.key for error in errors} - not_on_the_form <= EN["config"]["error"].keys()


async def test_simulator_knows_the_same_activities(socket_enabled: None) -> None:
    async with SimulatedPlex() as server:
        shown = {
            name: profile.activity
            for name, profile in server.butler.profiles.items()
            if profile.activity
        }
    for name, type_ in shown.items():
        known = BY_NAME[name]
        assert type_ == known.activity_type or type_ in known.ambiguous_types
