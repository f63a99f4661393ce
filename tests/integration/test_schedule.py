"""The server's own schedule: what is shown of it, and what changes it."""

import asyncio
from datetime import timedelta
from typing import Any, Final

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.select import (
    ATTR_OPTIONS,
    DOMAIN as SELECT,
    SERVICE_SELECT_OPTION,
)
from homeassistant.components.switch import DOMAIN as SWITCH
from homeassistant.const import (
    SERVICE_TURN_OFF,
    SERVICE_TURN_ON,
    STATE_OFF,
    STATE_ON,
    STATE_UNAVAILABLE,
    STATE_UNKNOWN,
    EntityCategory,
)
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, ServiceValidationError
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.entity import Entity
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_fire_time_changed,
)
import voluptuous as vol

from custom_components.plex_butler.butler.preferences import TRIES
from custom_components.plex_butler.const import DOMAIN
from custom_components.plex_butler.coordinator import MOST_PREFERENCE_POLLS
from tests.conftest import House, entry_for
from tests.simulator import SimulatedPlex
from tests.simulator.prefs import Setting

START: Final = "window_start"
END: Final = "window_end"
BACKUP: Final = "scheduled_BackupDatabase"
PREVIEWS: Final = "behavior_GenerateMediaIndexFiles"
CREDITS: Final = "behavior_ButlerTaskGenerateCreditsMarkers"
LIGHT: Final = [
    "BackupDatabase",
    "CleanOldBundles",
    "CleanOldCacheFiles",
    "DeepMediaAnalysis",
    "GarbageCollectBlobs",
    "OptimizeDatabase",
    "RefreshEpgGuides",
    "RefreshLibraries",
    "RefreshLocalMedia",
    "UpgradeMediaAnalysis",
]
HEAVY: Final = [
    "ButlerTaskGenerateAdMarkers",
    "ButlerTaskGenerateCreditsMarkers",
    "ButlerTaskGenerateIntroMarkers",
    "ButlerTaskGenerateVoiceActivity",
    "GenerateChapterThumbs",
    "GenerateMediaIndexFiles",
    "LoudnessAnalysis",
    "MusicAnalysis",
]
WITHOUT_PASS: Final = ("GenerateChapterThumbs", "GenerateMediaIndexFiles", "LoudnessAnalysis")


@pytest.fixture
def enabled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every entity is enabled when it is added."""
    monkeypatch.setattr(Entity, "entity_registry_enabled_default", True)


def changes(server: SimulatedPlex) -> list[dict[str, str]]:
    """Return what was set."""
    return [request.query for request in server.requests if request.method == "PUT"]


def registered(hass: HomeAssistant, entry: MockConfigEntry) -> dict[str, er.RegistryEntry]:
    """Return the entities of the schedule, by platform and key."""
    found = {}
    for entity in er.async_entries_for_config_entry(er.async_get(hass), entry.entry_id):
        key = entity.unique_id.partition("_")[2]
        if key.startswith(("window_", "behavior_", "scheduled_")):
            found[f"{entity.domain}.{key}"] = entity
    return found


async def choose(house: House, server: SimulatedPlex, key: str, option: str) -> None:
    entity_id = house.entity_id(server, SELECT, key)
    await house.act(SELECT, SERVICE_SELECT_OPTION, entity_id=entity_id, option=option)


async def refused(house: House, action: str = "set_schedule", /, **data: Any) -> HomeAssistantError:
    with pytest.raises(HomeAssistantError) as caught:
        await house.act(DOMAIN, action, respond=True, **data)
    return caught.value


async def set_schedule(house: House, **data: Any) -> dict[str, Any]:
    return await house.act(DOMAIN, "set_schedule", respond=True, **data)


# --- what is shown


async def test_what_is_listed_is_offered(
    hass: HomeAssistant, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    found = registered(hass, loaded)
    window = {f"{SELECT}.{START}", f"{SELECT}.{END}"}
    assert found.keys() == {
        *window,
        *(f"{SELECT}.behavior_{task}" for task in HEAVY),
        *(f"{SWITCH}.scheduled_{task}" for task in LIGHT),
    }
    for key, entity in found.items():
        assert entity.entity_category is EntityCategory.CONFIG
        assert (entity.disabled_by is None) is (key in window)


@pytest.mark.usefixtures("enabled", "loaded")
async def test_names_and_states(house: House, server: SimulatedPlex) -> None:
    for platform, key, name, state in (
        (SELECT, START, "Maintenance starts", "02:00"),
        (SELECT, END, "Maintenance ends", "05:00"),
        (SELECT, PREVIEWS, "Generate video preview thumbnails: when", "never"),
        (SELECT, CREDITS, "Generate credits markers: when", "asap"),
        (SWITCH, BACKUP, "Backup database: scheduled", STATE_ON),
        (SWITCH, "scheduled_RefreshLibraries", "Refresh libraries: scheduled", STATE_OFF),
    ):
        shown = house.state(server, platform, key)
        assert shown.name == f"{server.friendly_name} {name}"
        assert shown.state == state
    options = house.state(server, SELECT, START).attributes[ATTR_OPTIONS]
    assert options == [f"{hour:02}:00" for hour in range(24)]
    options = house.state(server, SELECT, PREVIEWS).attributes[ATTR_OPTIONS]
    assert options == ["never", "scheduled", "asap"]


@pytest.mark.usefixtures("enabled")
@pytest.mark.parametrize("quirk", ["old_hour_labels", "no_enum_labels", "strings", "always_xml"])
async def test_quirks_of_the_list_change_nothing(
    house: House, server: SimulatedPlex, entry: MockConfigEntry, quirk: str
) -> None:
    setattr(server.faults, quirk, True)
    await house.set_up(entry, server)
    assert house.state(server, SELECT, START).state == "02:00"
    assert house.state(server, SELECT, CREDITS).state == "asap"
    assert house.state(server, SWITCH, BACKUP).state == STATE_ON
    await choose(house, server, END, "23:00")
    assert house.state(server, SELECT, END).state == "23:00"


@pytest.mark.usefixtures("enabled", "loaded")
async def test_change_in_plex_web_is_shown_at_once(house: House, server: SimulatedPlex) -> None:
    await house.passes(10)
    server.change_preferences(
        {"ButlerStartHour": "3", "ButlerTaskBackupDatabase": "0", "GenerateBIFBehavior": "asap"}
    )
    await house.settled()
    assert house.state(server, SELECT, START).state == "03:00"
    assert house.state(server, SELECT, PREVIEWS).state == "asap"
    assert house.state(server, SWITCH, BACKUP).state == STATE_OFF
    task = house.state(server, SWITCH, "task_BackupDatabase")
    assert task.attributes["schedule_enabled"] is False


@pytest.mark.usefixtures("loaded")
async def test_changes_in_plex_web_that_follow_each_other_are_shown_within_a_second_each(
    house: House, server: SimulatedPlex
) -> None:
    await house.passes(10)
    for hour in (3, 4, 6):
        server.change_preferences({"ButlerStartHour": str(hour)})
        await house.passes(0.9, step=0.3)
        assert house.state(server, SELECT, START).state == f"{hour:02}:00"
    # A second after a poll that has another reason.
    server.users.play()
    await house.settled()
    await house.passes(0.1)
    server.change_preferences({"ButlerStartHour": "7"})
    await house.passes(0.9, step=0.3)
    assert house.state(server, SELECT, START).state == "07:00"
    # A flood of them is no flood of requests.
    server.requests.clear()
    for hour in range(20):
        server.change_preferences({"ButlerStartHour": str(hour)})
        await house.passes(0.1)
    await house.passes(1, step=0.5)
    # The harness fires timers half a second early.
    assert sum(request.path == "/:/prefs" for request in server.requests) <= 10
    assert house.state(server, SELECT, START).state == "19:00"


@pytest.mark.usefixtures("loaded")
async def test_server_that_tells_of_changes_all_the_time_is_not_asked_all_the_time(
    house: House, server: SimulatedPlex
) -> None:
    await house.passes(10)
    server.requests.clear()
    for minute in range(1, 4):
        for second in range(60):
            server.change_preferences({"ButlerStartHour": str(second % 24)})
            await house.passes(1)
        polls = sum(request.path == "/:/prefs" for request in server.requests)
        assert polls <= minute * (MOST_PREFERENCE_POLLS + 12)
    await house.passes(5)
    assert house.state(server, SELECT, START).state == "11:00"


@pytest.mark.usefixtures("loaded")
async def test_change_in_plex_web_is_shown_although_the_list_is_refused_for_a_while(
    house: House, server: SimulatedPlex
) -> None:
    await house.passes(10)
    server.faults.prefs_unreadable = 3
    server.change_preferences({"ButlerStartHour": "3"})
    await house.settled()
    assert house.state(server, SELECT, START).state == "03:00"


@pytest.mark.usefixtures("without_stream", "loaded")
async def test_change_in_plex_web_is_shown_with_the_next_list_of_tasks_without_a_stream(
    house: House, server: SimulatedPlex
) -> None:
    server.change_preferences({"ButlerStartHour": "3"})
    await house.passes(240, step=30)
    assert house.state(server, SELECT, START).state == "02:00"
    await house.passes(90, step=30)
    assert house.state(server, SELECT, START).state == "03:00"


@pytest.mark.usefixtures("enabled", "socket_enabled")
async def test_what_comes_with_a_plex_pass_comes_and_goes(
    hass: HomeAssistant, house: House
) -> None:
    async with SimulatedPlex(claimed=False) as server:
        entry = await house.set_up(entry_for(server, token=""), server)
        heavy = {key for key in registered(hass, entry) if "behavior" in key}
        assert heavy == {f"{SELECT}.behavior_{task}" for task in WITHOUT_PASS}
        await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.usefixtures("enabled")
async def test_preferences_come_and_go_without_a_reload(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    before = registered(hass, loaded)
    server.butler.add_task("BrewCoffee", title="Brew Coffee")
    server.preferences.add(Setting("ButlerTaskBrewCoffee", True, "butler"))
    server.preferences.add(Setting("ButlerTaskBoilEggs", True, "butler"))  # no task of that name
    server.preferences.remove("MusicAnalysisBehavior")
    server.preferences.remove("ButlerEndHour")
    server.preferences.remove("ButlerTaskBackupDatabase")
    await house.passes(3700, step=300)
    gone = {f"{SELECT}.{END}", f"{SELECT}.behavior_MusicAnalysis", f"{SWITCH}.{BACKUP}"}
    after = registered(hass, loaded)
    assert after.keys() == before.keys() - gone | {f"{SWITCH}.scheduled_BrewCoffee"}
    coffee = house.state(server, SWITCH, "scheduled_BrewCoffee")
    assert (coffee.name, coffee.state) == ("Cellar Brew Coffee: scheduled", STATE_ON)
    # The task goes, and its preference stays.
    server.butler.remove_task("BrewCoffee")
    server.preferences.add(Setting("ButlerEndHour", 5, "butler", enum_values="4|5"))
    await house.passes(3700, step=300)
    after = registered(hass, loaded)
    assert after.keys() == before.keys() - gone | {f"{SELECT}.{END}"}
    assert house.state(server, SELECT, END).attributes[ATTR_OPTIONS] == ["04:00", "05:00"]


@pytest.mark.usefixtures("enabled")
async def test_preference_without_values_to_choose_from_is_not_offered(
    hass: HomeAssistant, house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    server.preferences.add(Setting("ButlerStartHour", 2, "butler"))
    server.preferences.add(Setting("GenerateBIFBehavior", "never", "library"))
    await house.set_up(entry, server)
    found = registered(hass, entry)
    assert f"{SELECT}.{END}" in found
    assert not {f"{SELECT}.{START}", f"{SELECT}.{PREVIEWS}"} & found.keys()
    assert (await house.act(DOMAIN, "get_tasks", respond=True))[START] == 2


@pytest.mark.usefixtures("enabled")
async def test_value_that_is_not_listed_is_unknown(
    house: House, server: SimulatedPlex, entry: MockConfigEntry
) -> None:
    server.preferences.add(Setting("ButlerStartHour", 2, "butler", enum_values="3|4"))
    await house.set_up(entry, server)
    assert house.state(server, SELECT, START).state == STATE_UNKNOWN


@pytest.mark.usefixtures("enabled")
@pytest.mark.parametrize("status", [403, 404, 500])
async def test_list_that_is_gone_removes_nothing(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry, status: int
) -> None:
    before, options = registered(hass, loaded), {START: 24, PREVIEWS: 3, BACKUP: 0}
    server.faults.prefs_status = status
    await house.passes(7500, step=300)
    assert registered(hass, loaded).keys() == before.keys()
    for platform, key in ((SELECT, START), (SELECT, PREVIEWS), (SWITCH, BACKUP)):
        state = house.state(server, platform, key)
        assert state.state == STATE_UNAVAILABLE
        assert len(state.attributes.get(ATTR_OPTIONS, ())) == options[key]
    assert house.state(server, SWITCH, "task_BackupDatabase").state == STATE_OFF
    await hass.config_entries.async_reload(loaded.entry_id)
    await house.settled()
    assert registered(hass, loaded).keys() == before.keys()
    for platform, key in ((SELECT, START), (SELECT, PREVIEWS)):
        state = house.state(server, platform, key)
        assert state.state == STATE_UNAVAILABLE
        # Home Assistant has kept them in its registry.
        assert len(state.attributes[ATTR_OPTIONS]) == options[key]
    assert (await house.act(DOMAIN, "get_tasks", respond=True))[START] is None
    server.faults.prefs_status = 0
    await house.passes(3700, step=300)
    assert house.state(server, SELECT, START).state == "02:00"
    assert house.state(server, SWITCH, BACKUP).state == STATE_ON


@pytest.mark.usefixtures("enabled", "loaded")
async def test_list_that_could_not_be_read_is_there_again_soon(
    house: House, server: SimulatedPlex
) -> None:
    server.faults.prefs_status = 500
    await house.passes(7500, step=300)
    assert house.state(server, SELECT, START).state == STATE_UNAVAILABLE
    server.faults.prefs_status = 0
    # The stream is there all the time, and has nothing to say.
    await house.passes(660, step=60)
    assert house.state(server, SELECT, START).state == "02:00"


@pytest.mark.usefixtures("enabled")
async def test_empty_list_of_tasks_removes_nothing(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    before = registered(hass, loaded)
    tasks = dict(server.butler.tasks)
    server.butler.tasks.clear()
    await house.passes(3700, step=300)
    assert registered(hass, loaded).keys() == before.keys()
    server.butler.tasks |= tasks
    await house.passes(3700, step=300)
    assert registered(hass, loaded).keys() == before.keys()
    assert house.state(server, SWITCH, BACKUP).state == STATE_ON


@pytest.mark.usefixtures("enabled", "loaded")
async def test_server_that_is_away(house: House, server: SimulatedPlex) -> None:
    await server.stop_listening()
    await house.passes(60, step=30)
    for platform, key in ((SELECT, START), (SELECT, PREVIEWS), (SWITCH, BACKUP)):
        assert house.state(server, platform, key).state == STATE_UNAVAILABLE
    assert (await refused(house, window_start=3)).translation_key == "cannot_connect"
    await server.listen()
    await house.passes(60, step=30)
    assert house.state(server, SELECT, START).state == "02:00"
    assert changes(server) == []


# --- entities that change it


@pytest.mark.usefixtures("enabled", "loaded")
async def test_selects_and_switches_change_what_the_server_has(
    house: House, server: SimulatedPlex
) -> None:
    await choose(house, server, START, "23:00")
    await choose(house, server, PREVIEWS, "scheduled")
    for service in (SERVICE_TURN_OFF, SERVICE_TURN_ON):
        entity_id = house.entity_id(server, SWITCH, BACKUP)
        await house.act(SWITCH, service, entity_id=entity_id)
        assert house.state(server, SWITCH, BACKUP).state == (
            STATE_ON if service == SERVICE_TURN_ON else STATE_OFF
        )
    assert changes(server) == [
        {"ButlerStartHour": "23"},
        {"GenerateBIFBehavior": "scheduled"},
        {"ButlerTaskBackupDatabase": "0"},
        {"ButlerTaskBackupDatabase": "1"},
    ]
    assert house.state(server, SELECT, START).state == "23:00"
    assert house.state(server, SELECT, PREVIEWS).state == "scheduled"
    # Only starts and stops of tasks are commands that make polls frequent.
    server.requests.clear()
    await house.passes(60)
    await house.passes(60)
    assert sum(request.path == "/activities" for request in server.requests) <= 2


@pytest.mark.usefixtures("without_stream", "enabled", "loaded")
async def test_attribute_of_the_task_follows_without_a_stream(
    house: House, server: SimulatedPlex
) -> None:
    await house.act(SWITCH, SERVICE_TURN_OFF, entity_id=house.entity_id(server, SWITCH, BACKUP))
    task = house.state(server, SWITCH, "task_BackupDatabase")
    assert task.attributes["schedule_enabled"] is False


@pytest.mark.usefixtures("loaded")
async def test_change_that_the_server_does_not_keep_is_an_error_and_not_shown(
    house: House, server: SimulatedPlex
) -> None:
    server.faults.prefs_ignored = True
    with pytest.raises(HomeAssistantError) as caught:
        await choose(house, server, START, "03:00")
    assert caught.value.translation_key == "schedule_differs"
    assert caught.value.translation_placeholders == {
        "server": "Cellar",
        "settings": "window_start",
    }
    assert house.state(server, SELECT, START).state == "02:00"


# --- the action


@pytest.mark.usefixtures("enabled", "loaded")
async def test_action_sets_everything_at_once_and_what_was_before_again(
    house: House, server: SimulatedPlex
) -> None:
    wanted = {
        "window_start": 22,
        "window_end": 6,
        "include": ["refresh_libraries"],
        "leave_out": ["BackupDatabase", "optimize_database", "backup_database"],
        "never": ["music_analysis"],
        "in_window": ["generate_media_index_files"],
        "as_soon_as_added": ["LoudnessAnalysis"],
    }
    answer = await set_schedule(house, **wanted)
    before = {
        "window_start": 2,
        "window_end": 5,
        "include": ["backup_database", "optimize_database"],
        "leave_out": ["refresh_libraries"],
        "never": ["generate_media_index_files"],
        "in_window": ["music_analysis", "loudness_analysis"],
    }
    after = wanted | {
        "leave_out": ["backup_database", "optimize_database"],
        "as_soon_as_added": ["loudness_analysis"],
    }
    assert answer == {"before": before, "after": after}
    assert changes(server) == [
        {
            "ButlerStartHour": "22",
            "ButlerEndHour": "6",
            "ButlerTaskRefreshLibraries": "1",
            "ButlerTaskBackupDatabase": "0",
            "ButlerTaskOptimizeDatabase": "0",
            "MusicAnalysisBehavior": "never",
            "GenerateBIFBehavior": "scheduled",
            "LoudnessAnalysisBehavior": "asap",
        }
    ]
    assert house.state(server, SELECT, START).state == "22:00"
    assert house.state(server, SWITCH, BACKUP).state == STATE_OFF
    assert house.state(server, SELECT, PREVIEWS).state == "scheduled"

    again = await set_schedule(house, **answer["before"])
    assert again["after"] == before
    assert server.preferences.values["ButlerStartHour"] == 2
    assert server.butler.tasks["BackupDatabase"].enabled


@pytest.mark.usefixtures("loaded")
async def test_one_end_of_the_window_is_enough(house: House, server: SimulatedPlex) -> None:
    answer = await set_schedule(house, window_end="0.0")
    assert answer == {"before": {"window_end": 5}, "after": {"window_end": 0}}
    await house.act(DOMAIN, "set_schedule", never="loudness_analysis")
    assert changes(server) == [{"ButlerEndHour": "0"}, {"LoudnessAnalysisBehavior": "never"}]


@pytest.mark.usefixtures("loaded", "without_stream")
async def test_what_was_before_is_what_the_server_had(house: House, server: SimulatedPlex) -> None:
    """Also if nobody has told of a change in Plex Web yet."""
    server.change_preferences({"ButlerStartHour": "3"})
    answer = await set_schedule(house, window_start=4)
    assert answer == {"before": {"window_start": 3}, "after": {"window_start": 4}}
    # An hour that has gone meanwhile is not sent.
    server.preferences.add(Setting("ButlerStartHour", 2, "butler", enum_values="2|3"))
    err = await refused(house, window_start=5)
    assert err.translation_key == "schedule_not_listed"
    assert len(changes(server)) == 1
    # A list that cannot be read keeps nothing back.
    server.faults.prefs_unreadable = 1
    server.change_preferences({"ButlerStartHour": "2"})
    answer = await set_schedule(house, window_start=3)
    assert answer == {"before": {"window_start": 2}, "after": {"window_start": 3}}


@pytest.mark.usefixtures("loaded")
async def test_behavior_of_the_next_version(house: House, server: SimulatedPlex) -> None:
    server.preferences.remove("GenerateBIFBehavior")
    server.preferences.add(
        Setting("GenerateBIFBehavior", "later", enum_values="never|later:when it is quiet")
    )
    await house.passes(3700, step=300)
    answer = await set_schedule(house, never="generate_media_index_files")
    assert answer == {
        "before": {"later": ["generate_media_index_files"]},
        "after": {"never": ["generate_media_index_files"]},
    }
    err = await refused(house, in_window="generate_media_index_files")
    assert err.translation_key == "schedule_not_listed"


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("data", "key", "placeholders"),
    [
        ({}, "schedule_empty", {}),
        ({"include": [], "never": []}, "schedule_empty", {}),
        (
            {"include": ["backup_database"], "leave_out": ["BackupDatabase"]},
            "schedule_contradiction",
            {"tasks": "backup_database"},
        ),
        (
            {
                "never": ["loudness_analysis", "music_analysis"],
                "in_window": ["music_analysis"],
                "as_soon_as_added": ["music_analysis", "loudness_analysis"],
            },
            "schedule_contradiction",
            {"tasks": "music_analysis, loudness_analysis"},
        ),
        (
            {"include": ["music_analysis", "backup_database"], "never": ["backup_database"]},
            "schedule_not_listed",
            {"settings": "music_analysis, backup_database"},
        ),
        (
            {"leave_out": ["generate_media_index_files"]},
            "schedule_not_listed",
            {"settings": "generate_media_index_files"},
        ),
        (
            {"include": ["automatic_updates"]},
            "schedule_not_listed",
            {"settings": "automatic_updates"},
        ),
        ({"include": ["brew_coffee"]}, "task_not_listed", {"task": "brew_coffee"}),
    ],
    ids=str,
)
async def test_what_is_refused(
    house: House,
    server: SimulatedPlex,
    data: dict[str, Any],
    key: str,
    placeholders: dict[str, str],
) -> None:
    server.requests.clear()
    err = await refused(house, **data)
    assert isinstance(err, ServiceValidationError)
    assert err.translation_key == key
    assert err.translation_placeholders == {"server": "Cellar", **placeholders}
    assert server.requests == []


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    "data",
    [
        {"window_start": 24},
        {"window_end": -1},
        {"window_end": "noon"},
        {"window_end": 2.5},
        {"window_start": True},
        {"window_start": "inf"},
        {"window_start": "nan"},
        {"include": [{}]},
    ],
)
async def test_what_is_no_hour_and_no_task(
    house: House, server: SimulatedPlex, data: dict[str, Any]
) -> None:
    with pytest.raises(vol.Invalid):
        await house.act(DOMAIN, "set_schedule", **data)
    assert changes(server) == []


@pytest.mark.usefixtures("without_stream", "loaded")
async def test_hour_that_is_not_listed(house: House, server: SimulatedPlex) -> None:
    server.preferences.add(Setting("ButlerStartHour", 2, "butler", enum_values="2|3"))
    await house.passes(330, step=30)
    err = await refused(house, window_start=4, window_end=6)
    assert isinstance(err, ServiceValidationError)
    assert err.translation_key == "schedule_not_listed"
    assert err.translation_placeholders == {"server": "Cellar", "settings": "window_start"}
    assert changes(server) == []


@pytest.mark.usefixtures("loaded")
async def test_server_without_preferences_has_none_to_set(
    house: House, server: SimulatedPlex
) -> None:
    server.faults.prefs_status = 404
    await house.passes(3700, step=300)
    for data in ({"window_start": 4}, {"include": "backup_database"}):
        assert (await refused(house, **data)).translation_key == "schedule_not_listed"
    assert changes(server) == []


@pytest.mark.usefixtures("enabled", "loaded")
async def test_somebody_else_writes_at_the_same_time(house: House, server: SimulatedPlex) -> None:
    call = house.hass.async_create_task(
        house.hass.services.async_call(
            DOMAIN,
            "set_schedule",
            {"window_start": 4, "leave_out": ["backup_database"], "window_end": 7},
            blocking=True,
        )
    )
    server.faults.late_answers = "PUT"
    while not changes(server):
        await asyncio.sleep(0)
    server.change_preferences({"ButlerStartHour": "9", "ButlerTaskBackupDatabase": "1"})
    server.faults.late_answers = ""
    with pytest.raises(HomeAssistantError) as caught:
        await call
    await house.settled()
    assert caught.value.translation_key == "schedule_differs"
    assert caught.value.translation_placeholders == {
        "server": "Cellar",
        "settings": "window_start, backup_database",
    }
    assert house.state(server, SELECT, START).state == "09:00"
    assert house.state(server, SELECT, END).state == "07:00"
    assert house.state(server, SWITCH, BACKUP).state == STATE_ON


@pytest.mark.usefixtures("loaded")
async def test_list_that_is_refused_for_too_long(house: House, server: SimulatedPlex) -> None:
    server.faults.prefs_unreadable = TRIES
    err = await refused(house, window_start=4)
    assert err.translation_key == "schedule_not_read"
    await house.settled()
    # The poll after it has read what the server has.
    assert house.state(server, SELECT, START).state == "04:00"


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(("status", "key"), [(403, "not_owner"), (500, "server_error")])
async def test_nothing_is_sent_to_a_server_that_does_not_list_what_it_has(
    house: House, server: SimulatedPlex, status: int, key: str
) -> None:
    server.faults.prefs_status = status
    assert (await refused(house, window_start=4)).translation_key == key
    assert changes(server) == []


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(
    ("fault", "value", "key"),
    [
        ("prefs_status", 404, "schedule_refused"),
        ("drop_reply", True, "command_not_confirmed"),
        ("still_starting_up", True, "starting_up_refused"),
    ],
)
async def test_refused_and_lost_changes(
    house: House, server: SimulatedPlex, fault: str, value: Any, key: str
) -> None:
    setattr(server.faults, fault, value)
    assert (await refused(house, window_start=4)).translation_key == key
    assert len(changes(server)) == 1


async def test_unloaded_while_the_change_is_under_way(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
    freezer: FrozenDateTimeFactory,
) -> None:
    server.faults.late_answers = "PUT"
    call = hass.async_create_task(
        hass.services.async_call(DOMAIN, "set_schedule", {"window_start": 4}, blocking=True)
    )
    await house.sent()
    assert await hass.config_entries.async_unload(loaded.entry_id)
    server.faults.late_answers = ""
    with pytest.raises(HomeAssistantError) as caught:
        await call
    assert caught.value.translation_key == "unloaded_not_confirmed"
    freezer.tick(timedelta(seconds=1))
    async_fire_time_changed(hass)
    await house.settled()


# --- what other actions say of it


@pytest.mark.usefixtures("loaded")
async def test_get_tasks_tells_the_schedule(house: House, server: SimulatedPlex) -> None:
    answer = await house.act(DOMAIN, "get_tasks", respond=True)
    assert (answer[START], answer[END]) == (2, 5)
    told = {task["name"]: (task["scheduled"], task["behavior"]) for task in answer["tasks"]}
    assert {name for name, (scheduled, _) in told.items() if scheduled is not None} == {*LIGHT}
    assert {name for name, (_, behavior) in told.items() if behavior is not None} == {*HEAVY}
    assert told["RefreshLibraries"] == (False, None)
    assert told["GenerateMediaIndexFiles"] == (None, "never")
    assert told["ProcessAssets"] == (None, None)


@pytest.mark.usefixtures("loaded")
async def test_start_of_a_task_that_plex_never_does_warns(
    house: House, server: SimulatedPlex
) -> None:
    task = "generate_media_index_files"
    answer = await house.act(DOMAIN, "start_task", respond=True, task=task)
    assert (answer["result"], answer["warning"]) == ("started", "behavior_never")
    assert not server.butler.running
    await house.passes(5)
    answer = await house.act(DOMAIN, "run_task", respond=True, task=task, timeout=0)
    assert (answer["result"], answer["warning"]) == ("timeout", "behavior_never")
    await set_schedule(house, in_window=[task])
    answer = await house.act(DOMAIN, "start_task", respond=True, task=task)
    assert answer["result"] == "started"
    assert "warning" not in answer
    await set_schedule(house, never=[task])
    answer = await house.act(DOMAIN, "start_task", respond=True, task=task)
    assert answer["result"] == "already_running"
    assert "warning" not in answer
