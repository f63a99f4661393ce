"""What GitHub shows to those who report, ask and contribute."""

from pathlib import Path
import re
from typing import Any, Final

from homeassistant.core import HomeAssistant
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.components.diagnostics import (
    get_diagnostics_for_config_entry,
)
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator
import yaml

from tests.repository import ROOT, repository_files

FOLDER: Final = ROOT / ".github/ISSUE_TEMPLATE"
FORMS: Final = sorted(path for path in FOLDER.glob("*.yml") if path.stem != "config")
ELEMENTS: Final = {
    "checkboxes": {"label", "description", "options"},
    "dropdown": {"label", "description", "options", "multiple", "default"},
    "input": {"label", "description", "placeholder", "value"},
    "markdown": {"value"},
    "textarea": {"label", "description", "placeholder", "value", "render"},
}
"""The elements of a form, with the attributes that they may have."""


def read(path: Path) -> Any:
    """Read a YAML file."""
    return yaml.safe_load(path.read_text())


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_issue_forms_are_well_formed(path: Path) -> None:
    """GitHub shows no form that does not follow its schema, and does not say so."""
    form = read(path)
    assert (
        {"name", "description", "body"} <= form.keys() <= {"name", "description", "labels", "body"}
    )
    asked = [each for each in form["body"] if each["type"] != "markdown"]
    assert asked
    assert len({each["id"] for each in asked}) == len(asked)
    assert len({each["attributes"]["label"] for each in asked}) == len(asked)
    for each in form["body"]:
        assert each.keys() <= {"type", "id", "attributes", "validations"}
        assert each["attributes"].keys() <= ELEMENTS[each["type"]], each
        assert each.get("validations", {}).keys() <= {"required"}, each
        assert re.fullmatch(r"[a-z]+", each.get("id", "markdown")), each
        if each["type"] == "checkboxes":
            assert all(
                option.keys() <= {"label", "required"} for option in each["attributes"]["options"]
            )


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_every_form_reminds_of_secrets(path: Path) -> None:
    [options] = [
        e["attributes"]["options"] for e in read(path)["body"] if e["type"] == "checkboxes"
    ]
    assert [option for option in options if "token" in option["label"] and option["required"]]


def test_there_is_no_way_past_the_forms() -> None:
    config = read(FOLDER / "config.yml")
    assert config["blank_issues_enabled"] is False
    for link in config["contact_links"]:
        assert link.keys() == {"name", "url", "about"}
    assert any(link["url"].endswith("/security/advisories/new") for link in config["contact_links"])


async def test_bug_report_asks_for_what_the_diagnostics_hold(
    hass: HomeAssistant, hass_client: ClientSessionGenerator, loaded: MockConfigEntry
) -> None:
    """Each part of the file that the form names is there."""
    body = read(FOLDER / "bug_report.yml")["body"]
    [asked] = [each for each in body if each.get("id") == "diagnostics"]
    assert asked["validations"] == {"required": True}
    [told] = [
        each["attributes"]["value"]
        for each in body
        if "your diagnostics file answers" in each["attributes"].get("value", "")
    ]
    diagnostics: Any = await get_diagnostics_for_config_entry(hass, hass_client, loaded)
    lines = re.findall(r"^- (`.*): (.+)$", told, re.MULTILINE)
    assert len(lines) >= 5
    for names, questions in lines:
        assert questions.endswith("?")
        for name in re.findall(r"`(.+?)`", names):
            part = diagnostics
            for key in name.split("."):
                assert key in part, name
                part = part[key]


def test_nobody_has_an_address_that_does_not_exist() -> None:
    """There is no e-mail address but those of examples."""
    address = re.compile(r"[\w.+-]+@(?=[\w-]+\.)([\w.-]+\w)")
    for path in repository_files():
        if path.suffix in {".md", ".yml", ".yaml", ".toml", ".json"}:
            for found in address.finditer(path.read_text()):
                assert found[1].endswith(("example.org", "example.com")), (path, found[0])


@pytest.mark.parametrize(
    "page", ["CONTRIBUTING.md", "docs/development.md", "docs/how-it-works.md", "SECURITY.md"]
)
def test_what_they_tell_of_is_there(page: str) -> None:
    """The scripts, folders and files that contributors are told of exist."""
    text = (ROOT / page).read_text()
    for name in re.findall(r"(?:`|^)((?:scripts|tests)/[\w./]*)", text, re.MULTILINE):
        assert (ROOT / name).exists(), name
    integration = ROOT / "custom_components/plex_butler"
    for name in re.findall(r"`(?!tests/)((?:(?:plex|runs|butler|flow)/)?\w+(?:\.py|/))`", text):
        assert (integration / name).exists(), name
