"""The form of the blueprints: where they come from, and what can be chosen."""

from typing import Final
from urllib.parse import quote

from homeassistant.components.automation import DOMAIN as AUTOMATION
from homeassistant.components.blueprint.models import Blueprint
import pytest

from custom_components.plex_butler.const import DOMAIN
from custom_components.plex_butler.runs.tasks import KNOWN_TASKS
from tests.integration.blueprints.automations import FILES, FOLDER
from tests.repository import load


def test_no_other_files() -> None:
    assert sorted(path.name for path in (FOLDER / AUTOMATION / DOMAIN).iterdir()) == [
        f"{file}.yaml" for file in FILES
    ]


@pytest.mark.parametrize("file", FILES)
def test_says_where_it_comes_from_and_what_it_needs(
    blueprints: dict[str, Blueprint], file: str
) -> None:
    blueprint = blueprints[file]
    assert blueprint.validate() is None
    assert blueprint.metadata["author"] == "Plex Butler"
    assert blueprint.metadata["homeassistant"] == {"min_version": "2026.10.0"}
    assert blueprint.metadata["source_url"] == (
        f"{load('manifest.json')['documentation']}/blob/main/"
        f"blueprints/automation/plex_butler/{file}.yaml"
    )


@pytest.mark.parametrize("file", FILES)
def test_can_be_imported_from_the_readme(blueprints: dict[str, Blueprint], file: str) -> None:
    address = quote(blueprints[file].metadata["source_url"], safe="")
    link = f"https://my.home-assistant.io/redirect/blueprint_import/?blueprint_url={address}"
    assert f"({link})" in (FOLDER.parent / "README.md").read_text()


@pytest.mark.parametrize("file", FILES)
def test_each_input_explains_itself_and_none_is_a_token(
    blueprints: dict[str, Blueprint], file: str
) -> None:
    blueprint = blueprints[file]
    for field in blueprint.inputs.values():
        assert field["name"]
        assert field["description"]
        assert len(field["description"]) <= 250
        assert "default" in field
        assert field["selector"]
    if file in ("do_not_disturb", "when_the_disks_are_awake"):
        # The entities say which servers they are.
        assert "server" not in blueprint.inputs
        assert blueprint.inputs["watched"]["default"] == []
        assert blueprint.inputs["watched"]["selector"]["entity"]["multiple"] is True
    else:
        assert blueprint.inputs["server"]["default"] == ""
        assert blueprint.inputs["server"]["selector"] == {"config_entry": {"integration": DOMAIN}}
    assert "token" not in str(blueprint.data).lower()


@pytest.mark.parametrize("file", FILES)
def test_long_help_is_folded_away(blueprints: dict[str, Blueprint], file: str) -> None:
    """What stands above the form is short; the rest is in sections that are closed at first."""
    metadata = blueprints[file].metadata
    assert len(metadata["description"]) <= 450
    sections = [section for section in metadata["input"].values() if "input" in section]
    assert sections
    for section in sections:
        assert section["name"]
        assert section["icon"].startswith("mdi:")
        assert section["description"]
        assert section["collapsed"] is True


NEEDS_LOG: Final = "needs Plex's log"


@pytest.mark.parametrize(
    ("file", "starts"), [("not_run_for_days", False), ("when_the_disks_are_awake", True)]
)
def test_tasks_to_choose_from_are_those_of_the_table(
    blueprints: dict[str, Blueprint], file: str, *, starts: bool
) -> None:
    """Those are marked that no activity shows when Plex runs them by itself."""
    field = blueprints[file].inputs["tasks"]
    labels = {o["value"]: o["label"] for o in field["selector"]["select"]["options"]}
    assert set(labels) == {task.key for task in KNOWN_TASKS} >= set(field["default"])
    translated = load("translations/en.json")["selector"]["task"]["options"]
    for task in KNOWN_TASKS:
        name, _, effect = translated[task.key].rstrip(")").partition(" (")
        # What a task may do when it is started is of no matter if it is not.
        notes = [effect] if effect and starts else []
        notes += [] if task.activity_type else [NEEDS_LOG]
        assert labels[task.key] == (f"{name} ({'; '.join(notes)})" if notes else name)
    assert f"*{NEEDS_LOG}*" in field["description"]
    assert field["selector"]["select"]["custom_value"] is True


def test_tasks_that_are_run_untouched_are_seen_whoever_starts_them(
    blueprints: dict[str, Blueprint],
) -> None:
    default = blueprints["when_the_disks_are_awake"].inputs["tasks"]["default"]
    assert default
    assert set(default) <= {task.key for task in KNOWN_TASKS if task.activity_type}
