"""The demo's files: what it stores validates, and its automations fit the blueprints."""

from datetime import datetime, timedelta
import json
from pathlib import Path
import struct
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
import yaml

from custom_components.plex_butler.history_store import HISTORY
from custom_components.plex_butler.run_store import RUNS
from custom_components.plex_butler.runs.tasks import BY_NAME
from scripts import demo_home, demo_night
from scripts.demo_kept import Kept
from tests.repository import ROOT

FILES: Final = ROOT / "scripts/demo_files"
MORNING: Final = datetime(2026, 11, 30, 7, tzinfo=ZoneInfo("Europe/Berlin"))
ENTRY: Final = "plex_butler.demo"


def stored(folder: Path, key: str) -> Any:
    """Return the data of a file of the storage."""
    return json.loads((folder / ".storage" / key).read_text())["data"]


def write(folder: Path, now: datetime) -> None:
    """Write the nights at a time."""
    demo_night.write_nights(folder, ENTRY, now)


@pytest.mark.freeze_time("2026-11-30 06:00:00")
def test_nights_are_read_as_the_integration_has_written_them(tmp_path: Path) -> None:
    write(tmp_path, MORNING)
    history, complete = HISTORY.read(stored(tmp_path, f"{ENTRY}.history"))
    assert complete
    runs = history.copy()
    assert len(runs) == len(stored(tmp_path, f"{ENTRY}.history")["runs"])
    assert {run.task for run in runs} <= set(BY_NAME)
    assert {run.outcome.value for run in runs} == {
        "succeeded",
        "finished",
        "stopped",
        "end_not_seen",
    }
    last_night = [run for run in runs if run.since > MORNING - timedelta(hours=5, minutes=5)]
    assert len(last_night) == 10
    known, complete = RUNS.read(stored(tmp_path, ENTRY))
    assert complete
    assert known.backups
    assert known.backups.time == known.last_runs["BackupDatabase"].ended
    assert set(known.last_runs) == {run.task for run in runs}


def test_night_that_goes_on_is_left_out() -> None:
    begun = [row["since"] for row in demo_night.rows(MORNING.replace(hour=4))]
    assert max(map(datetime.fromisoformat, begun)).date() == MORNING.date() - timedelta(days=1)


def test_nights_since_the_last_run_are_added_once(tmp_path: Path) -> None:
    write(tmp_path, MORNING)
    before = stored(tmp_path, f"{ENTRY}.history")["runs"]
    known = stored(tmp_path, ENTRY)
    write(tmp_path, MORNING)
    assert stored(tmp_path, f"{ENTRY}.history")["runs"] == before
    write(tmp_path, MORNING + timedelta(days=1))
    after = stored(tmp_path, f"{ENTRY}.history")["runs"]
    assert len(after) > len(before)
    assert stored(tmp_path, ENTRY) == known


def test_automations_fit_the_blueprints() -> None:
    """Each has what its blueprint wants, and nothing that it does not know."""
    automations = yaml.safe_load((FILES / "automations.yaml").read_text())
    used = [each["use_blueprint"] for each in automations if "use_blueprint" in each]
    assert len(used) == 2
    for use in used:
        text = (ROOT / "blueprints/automation" / use["path"]).read_text()
        # Without their tags, which only Home Assistant knows.
        known = yaml.safe_load(text.replace("!input", ""))["blueprint"]["input"]
        inputs: dict[str, Any] = {}
        for name, about in known.items():
            inputs |= about["input"] if "input" in (about or {}) else {name: about}
        wanted = {name for name, about in inputs.items() if "default" not in (about or {})}
        assert wanted <= set(use["input"]) <= set(inputs)


def test_folder_of_an_earlier_layout_is_begun_anew(tmp_path: Path, socket_enabled: None) -> None:
    folder = tmp_path / "simulator"
    folder.mkdir()
    (folder / "simulator.json").write_text("{}")
    kept = Kept.load(folder)
    assert [path.name for path in folder.iterdir()] == ["kept.json"]
    assert Kept.load(folder) == kept
    assert len({*kept.ports}) == 5


def test_instance_is_new_once(tmp_path: Path, socket_enabled: None) -> None:
    """What somebody has changed in an earlier run stays, but blueprints and addresses follow."""
    folder = tmp_path / "simulator"
    kept = Kept.load(folder)
    where = {"plex_tv": "http://127.0.0.1:1", "sign_in_page": "", "gdm_port": "2"}
    demo_home.make_instance(folder, 8123, kept, where)
    dashboard = stored(folder, "lovelace.plex_butler")["config"]
    assert [view["path"] for view in dashboard["views"]] == ["plex", "try"]
    assert "$" not in json.dumps(dashboard)
    (folder / "automations.yaml").write_text("[]")
    demo_home.make_instance(folder, 8123, kept, where)
    assert (folder / "automations.yaml").read_text() == "[]"
    blueprints = folder / "blueprints/automation/plex_butler"
    assert {path.name for path in blueprints.iterdir()} == {
        path.name for path in (ROOT / "blueprints/automation/plex_butler").iterdir()
    }


def test_pictures_are_small() -> None:
    """None of them makes anybody wait, and each is drawn for screens of twice the resolution."""
    pictures = sorted((ROOT / ".github/images").glob("*.png"))
    assert {path.stem for path in pictures} == {
        "automation",
        "calendar",
        "dashboard",
        "device",
        "logo",
        "sign-in",
    }
    for path in pictures:
        assert path.stat().st_size < 200_000, path
        width, height = struct.unpack(">II", path.read_bytes()[16:24])
        assert width % 2 == height % 2 == 0, path
        assert width <= 2400, path
