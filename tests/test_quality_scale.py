"""The account of Home Assistant's quality scale: each claim has something that it rests on.

For a rule that is done, that is a place in the code or a heading in the documentation. What the
code does there is for the other tests.
"""

import re
from typing import Any, Final

import pytest
import yaml

from custom_components.plex_butler.runs.tasks import KNOWN_TASKS
from tests.pages import headings
from tests.repository import INTEGRATION, ROOT, load

RULES: Final[dict[str, Any]] = yaml.safe_load((INTEGRATION / "quality_scale.yaml").read_text())[
    "rules"
]
DONE: Final = {name for name, rule in RULES.items() if rule == "done"}
OTHERS: Final[dict[str, dict[str, str]]] = {
    name: rule for name, rule in RULES.items() if name not in DONE
}

CODE: Final = {
    "action-exceptions": ("commands.py", "raise HomeAssistantError"),
    "action-setup": ("__init__.py", r"async def async_setup\((.|\n)*async_setup_services\(hass\)"),
    "appropriate-polling": ("butler/session.py", r"def pace\("),
    "common-modules": ("entity.py", r"CoordinatorEntity\[PlexButlerCoordinator\]"),
    "config-entry-unloading": ("__init__.py", "async def async_unload_entry"),
    "config-flow": ("config_flow.py", "async def async_step_user"),
    "devices": ("device.py", r"DeviceInfo\("),
    "diagnostics": ("diagnostics.py", "async def async_get_config_entry_diagnostics"),
    "entity-category": ("switch.py", r"EntityCategory\.CONFIG"),
    "entity-device-class": ("sensor.py", r"SensorDeviceClass\.TIMESTAMP"),
    "entity-disabled-by-default": ("sensor.py", "entity_registry_enabled_default"),
    "entity-event-setup": ("entity.py", r"CoordinatorEntity\["),
    "entity-translations": ("entity.py", "_attr_translation_key"),
    "entity-unavailable": ("entity.py", r"super\(\)\.available and"),
    "entity-unique-id": ("entity.py", "_attr_unique_id"),
    "exception-translations": ("outages.py", "translation_key="),
    "has-entity-name": ("entity.py", "_attr_has_entity_name = True"),
    "icon-translations": ("icons.json", '"entity"'),
    "inject-websession": ("connection.py", r"async_create_clientsession\("),
    "integration-owner": ("manifest.json", r'"codeowners": \[\s+"@'),
    "log-when-unavailable": ("coordinator.py", "UpdateFailed"),
    "parallel-updates": ("switch.py", "^PARALLEL_UPDATES"),
    "reauthentication-flow": ("config_flow.py", "async def async_step_reauth"),
    "reconfiguration-flow": ("config_flow.py", "async def async_step_reconfigure"),
    "repair-issues": ("issues.py", "async_create_issue"),
    "runtime-data": ("__init__.py", r"entry\.runtime_data = "),
    "test-before-configure": ("flow/server_check.py", "async def check_server"),
    "test-before-setup": ("__init__.py", "async_config_entry_first_refresh"),
    "unique-config-entry": ("config_flow.py", r"_abort_if_unique_id_configured\(\)"),
}
"""A file of the integration, and what stands in it."""
PROJECT: Final = {
    "brands": ("custom_components/plex_butler/brand/icon.png", b"^\x89PNG"),
    "config-flow-test-coverage": ("pyproject.toml", b"\nfail_under = 100\n"),
    "strict-typing": ("pyproject.toml", b"\\[tool.mypy\\]\n(.+\n)*strict = true\n"),
    "test-coverage": ("pyproject.toml", b"\nbranch = true\n"),
}
"""A file of the project, and what stands in it."""
DOCS: Final = {
    "docs-actions": ("docs/actions.md", "## Actions"),
    "docs-conditions": ("docs/actions.md", "## Conditions"),
    "docs-configuration-parameters": ("docs/setup.md", "## Options"),
    "docs-data-update": ("docs/how-it-works.md", "## How data is updated"),
    "docs-examples": ("docs/automations.md", "# Automations"),
    "docs-high-level-description": ("README.md", "# Plex Butler for Home Assistant"),
    "docs-installation-instructions": ("README.md", "## Installation"),
    "docs-installation-parameters": ("docs/setup.md", "## Address and token"),
    "docs-known-limitations": ("docs/what-is-known.md", "## Known limitations"),
    "docs-removal-instructions": ("docs/setup.md", "## Remove Plex Butler"),
    "docs-supported-devices": ("README.md", "## What you need"),
    "docs-supported-functions": ("docs/entities.md", "# Entities"),
    "docs-triggers": ("docs/actions.md", "## Triggers"),
    "docs-troubleshooting": ("docs/troubleshooting.md", "# Troubleshooting"),
    "docs-use-cases": ("README.md", "## What you can do with it"),
}
"""A page of the documentation, and the heading on it."""
WORDS: Final = 40
"""How many words stand below such a heading at least."""


def test_all_rules_are_there() -> None:
    """What is done rests on something, and what is not says why; there are no other states."""
    assert {*CODE, *PROJECT, *DOCS} == DONE
    assert len(RULES) == 54
    for name, rule in OTHERS.items():
        assert rule.keys() == {"status", "comment"}, name
        assert rule["status"] in {"exempt", "todo"}, name
        assert rule["comment"].endswith("."), name


@pytest.mark.parametrize("rule", CODE)
def test_rules_of_the_code(rule: str) -> None:
    name, pattern = CODE[rule]
    assert re.search(pattern, (INTEGRATION / name).read_text(), re.MULTILINE)


@pytest.mark.parametrize("rule", PROJECT)
def test_rules_of_the_project(rule: str) -> None:
    name, pattern = PROJECT[rule]
    assert re.search(pattern, (ROOT / name).read_bytes())


@pytest.mark.parametrize("rule", DOCS)
def test_rules_of_the_documentation(rule: str) -> None:
    name, heading = DOCS[rule]
    text = (ROOT / name).read_text()
    assert headings(ROOT / name).count(heading) == 1
    level, _, _ = heading.partition(" ")
    section = text.partition(f"{heading}\n")[2]
    assert len(re.split(rf"^#{{1,{len(level)}}} ", section, flags=re.MULTILINE)[0].split()) >= WORDS


def test_documentation_has_all_that_the_integration_offers() -> None:
    """The fields of the form, the options, and every action, trigger and condition."""
    english = load("translations/en.json")
    setup = (ROOT / "docs/setup.md").read_text()
    for field in english["config"]["step"]["manual"]["data"].values():
        assert f"| **{field}** |" in setup
    for option in english["options"]["step"]["init"]["data"].values():
        assert f"**{option}**" in setup
        assert f"**{option}**" in (ROOT / "docs/proof.md").read_text()
    actions = ROOT / "docs/actions.md"
    assert {f"### {name}" for name in english["services"]} <= set(headings(actions))
    text = actions.read_text()
    for kind in ("triggers", "conditions"):
        for key, texts in english[kind].items():
            assert re.search(rf"\*\*{texts['name']}\*\* \(?`plex_butler\.{key}`", text), key
    fields = {name for action in english["services"].values() for name in action.get("fields", {})}
    assert not [name for name in fields if f"`{name}`" not in text]


def test_documentation_has_all_entities() -> None:
    """Each entity of a server is told of by its name, those of tasks for one task."""
    told = "".join(
        (ROOT / f"docs/{name}.md").read_text() for name in ("entities", "schedules", "proof")
    )
    example = ("backup_database", "generate_credits_markers")
    keys = {task.key for task in KNOWN_TASKS} - {*example}
    for platform, entities in load("translations/en.json")["entity"].items():
        for key, texts in entities.items():
            plain = re.sub("_(scheduled|behavior)$", "", key)
            if plain in keys or "{task}" in texts["name"] or key.startswith(f"{example[1]}"):
                continue
            assert re.search(rf"\*{texts['name']}(\*| \(| last)", told), (platform, key)


def test_reasons_hold() -> None:
    """What the comments of the other rules say is so."""
    manifest = load("manifest.json")
    assert manifest["requirements"] == []
    assert not manifest.keys() & {"bluetooth", "dhcp", "homekit", "mqtt", "ssdp", "usb", "zeroconf"}
    sources = {path: path.read_text() for path in INTEGRATION.rglob("*.py")}
    assert not any("_abort_if_unique_id_configured(updates" in text for text in sources.values())
    # One device for each entry, made in one place.
    assert [p.name for p, text in sources.items() if "DeviceInfo(" in text] == ["device.py"]
    assert {name for name, rule in OTHERS.items() if rule["status"] == "todo"} == {"discovery"}
    assert OTHERS.keys() == {
        "async-dependency",
        "dependency-transparency",
        "discovery",
        "discovery-update-info",
        "dynamic-devices",
        "stale-devices",
    }
