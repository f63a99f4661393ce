"""The blueprints as the automation editor saves them: untouched, and filled in."""

from datetime import timedelta
from typing import Any, Final

from freezegun.api import FrozenDateTimeFactory
from homeassistant.components.automation import DOMAIN as AUTOMATION
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import async_mock_service

from tests.integration.blueprints.automations import (
    FILES,
    LONG,
    TV,
    WATCHED,
    Editor,
    commands,
    errors,
    last_trace,
)
from tests.integration.patient_house import House
from tests.simulator import Profile, SimulatedPlex
from tests.task_names import BACKUP, INTROS, THUMBS

TELL: Final = [{"action": "test.tell", "data": {"message": "{{ message }}"}}]
FILLED_IN: Final[dict[str, dict[str, Any]]] = {
    "backup_then": {
        "time": "03:00:00",
        "then_actions": TELL,
        "otherwise_actions": TELL,
        "wait_minutes": 5,
        "longest_run": {"hours": 2, "minutes": 0, "seconds": 0},
        "server": "01M8NMVSNAH2Y7A70DW5Q4F25B",
    },
    "do_not_disturb": {
        "quiet_time": {"hours": 0, "minutes": 5, "seconds": 0},
        "start_again": "likely",
        "watched": [WATCHED],
    },
    "morning_report": {
        "time": "09:00:00",
        "since": "20:00:00",
        "actions": TELL,
        "quiet_nights": True,
        "server": "01M8NMVSNAH2Y7A70DW5Q4F25B",
    },
    "not_run_for_days": {
        "tasks": ["backup_database", "PolishSilverware"],
        "days": 30,
        "time": "10:00:00",
        "actions": TELL,
        "server": "01M8NMVSNAH2Y7A70DW5Q4F25B",
    },
    "when_the_disks_are_awake": {
        "awake": ["binary_sensor.disks", "schedule.night"],
        "tasks": ["refresh_libraries"],
        "hours": 12,
        "quiet_time": {"hours": 0, "minutes": 5, "seconds": 0},
        "longest_run": {"hours": 2, "minutes": 0, "seconds": 0},
        "watched": [WATCHED],
    },
}


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("filled_in", [False, True])
@pytest.mark.parametrize("file", FILES)
async def test_editor_saves_it(
    editor: Editor, caplog: pytest.LogCaptureFixture, file: str, *, filled_in: bool
) -> None:
    await editor.save(file, **(FILLED_IN[file] if filled_in else {}))
    logged = [record for record in caplog.records if record.name.startswith("homeassistant")]
    assert not [record for record in logged if record.levelname in ("WARNING", "ERROR")]


async def test_configuration_may_name_nothing_but_the_blueprint(
    hass: HomeAssistant, house: House
) -> None:
    config = [
        {"id": file, "alias": file, "use_blueprint": {"path": f"plex_butler/{file}.yaml"}}
        for file in FILES
    ]
    assert await async_setup_component(hass, AUTOMATION, {AUTOMATION: config})
    await house.settled()
    states = {state.name: state.state for state in hass.states.async_all(AUTOMATION)}
    assert states == dict.fromkeys(FILES, "on")


async def test_every_input_is_filled_in(editor: Editor) -> None:
    for file in FILES:
        await editor.save(file)
        metadata = (await editor.ask("blueprint/list"))[f"plex_butler/{file}.yaml"]["metadata"]
        names: set[str] = set()
        for name, field in metadata["input"].items():
            names |= set(field["input"]) if "input" in field else {name}
        assert names == set(FILLED_IN[file])


@pytest.fixture
def _before(freezer: FrozenDateTimeFactory, hour: int) -> None:
    """It is half a minute before an hour of the day."""
    day = dt_util.now() + timedelta(days=1)
    freezer.move_to(
        day.replace(hour=hour, minute=0, second=0, microsecond=0) - timedelta(seconds=30)
    )


@pytest.mark.parametrize("hour", [4])
@pytest.mark.usefixtures("_before", "loaded")
async def test_untouched_backup_leaves_a_notification(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    editor: Editor,
) -> None:
    told = async_mock_service(hass, "persistent_notification", "create")
    server.butler.profiles[BACKUP] = Profile(duration=300)
    await editor.save("backup_then")
    await house.passes(400)
    assert commands(server) == ["POST /butler/BackupDatabase"]
    [call] = told
    assert call.data == {
        "title": "Plex backup",
        "message": "Cellar has finished its backup. Plex does not report whether it worked.",
        "notification_id": "plex_butler_backup_Cellar",
    }


@pytest.mark.parametrize("hour", [4])
@pytest.mark.usefixtures("_before", "loaded")
async def test_untouched_backup_that_fails_leaves_one_too(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    editor: Editor,
) -> None:
    told = async_mock_service(hass, "persistent_notification", "create")
    await editor.save("backup_then")
    await server.stop_listening()
    await house.passes(120)
    [call] = told
    assert call.data["message"] == "The backup of Cellar failed or could not be confirmed."


@pytest.mark.usefixtures("loaded")
async def test_untouched_it_disturbs_nobody(
    house: House, server: SimulatedPlex, editor: Editor
) -> None:
    await editor.save("do_not_disturb")
    server.butler.start(INTROS)
    await house.passes(60)
    server.users.play(player=TV, seconds=LONG)
    await house.passes(5)
    assert commands(server) == ["DELETE /butler"]
    server.users.play("stopped", player=TV)
    await house.passes(31 * 60, step=60)
    assert commands(server) == [f"POST /butler/{INTROS}"]


@pytest.mark.parametrize("hour", [22])
@pytest.mark.usefixtures("_before", "loaded")
async def test_untouched_report_of_a_night(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    editor: Editor,
) -> None:
    told = async_mock_service(hass, "persistent_notification", "create")
    server.butler.profiles[THUMBS] = Profile(activity="media.generate.chapter.thumbs", items=1)
    await editor.save("morning_report")
    server.butler.start(THUMBS)
    await house.passes(60)
    await house.passes(11 * 3600, step=600)
    [call] = told
    assert ": finished after 0:00:" in call.data["message"]
    assert call.data["title"] == "What Plex did last night"


@pytest.mark.parametrize("hour", [9])
@pytest.mark.usefixtures("_before", "loaded")
async def test_untouched_it_tells_what_has_not_run(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    editor: Editor,
) -> None:
    told = async_mock_service(hass, "persistent_notification", "create")
    server.butler.profiles[THUMBS] = Profile(activity="media.generate.chapter.thumbs", items=1)
    await editor.save("not_run_for_days")
    server.butler.start(THUMBS)
    await house.passes(60)
    await house.passes(13 * 24 * 3600, step=7200)
    assert told == []
    await house.passes(24 * 3600, step=7200)
    [call] = told
    assert call.data["message"].startswith("Generate Chapter Thumb")
    assert not errors(await last_trace(house))


@pytest.mark.usefixtures("loaded")
async def test_untouched_it_runs_what_reads_media_once_a_day(
    house: House, server: SimulatedPlex, editor: Editor
) -> None:
    server.butler.profiles = {}
    await editor.save("when_the_disks_are_awake")
    server.requests.clear()
    await house.passes(3600, step=60)
    ran = [
        "GenerateChapterThumbs",
        "ButlerTaskGenerateIntroMarkers",
        "ButlerTaskGenerateCreditsMarkers",
        "LoudnessAnalysis",
    ]
    assert commands(server) == [f"POST /butler/{task}" for task in ran]
    await house.passes(22 * 3600, step=60)
    assert commands(server) == []
    await house.passes(2 * 3600, step=60)
    assert commands(server) == [f"POST /butler/{task}" for task in ran]
