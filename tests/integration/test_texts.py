"""The texts, icons and action descriptions fit each other and the code."""

import ast
from collections.abc import Iterator
from pathlib import Path
import re
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.helpers import condition, service, translation, trigger
from homeassistant.helpers.icon import async_get_icons
from homeassistant.helpers.selector import validate_selector
from homeassistant.setup import async_setup_component
import pytest
import voluptuous as vol
import yaml

from custom_components.plex_butler.const import DOMAIN, PLATFORMS
from tests.repository import INTEGRATION, load
from tests.texts import texts

PLACEHOLDER: Final = re.compile(r"{(\w+)}")


def modules() -> Iterator[tuple[Path, ast.Module]]:
    """Read all of the integration's code."""
    for path in sorted(INTEGRATION.rglob("*.py")):
        yield path.relative_to(INTEGRATION), ast.parse(path.read_text())


def literals(tree: ast.AST) -> set[str]:
    """Return all strings that stand in the code, and the steps that are methods."""
    found = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return found | {
        node.name.removeprefix("async_step_")
        for node in ast.walk(tree)
        if isinstance(node, ast.AsyncFunctionDef) and node.name.startswith("async_step_")
    }


EN: Final[dict[str, Any]] = load("translations/en.json")
STEPS: Final = {
    f"{part}.{key}": step
    for part in ("config", "options")
    for key, step in EN[part]["step"].items()
}
ICONS: Final[dict[str, Any]] = load("icons.json")
CODE: Final = dict(modules())
LITERALS: Final = set[str]().union(*(literals(tree) for tree in CODE.values()))


def test_texts_are_clean() -> None:
    """No HTML, no stray blanks, no references that only core resolves, no address to translate."""
    for path, text in texts(EN):
        assert text == text.strip() != "", path
        assert not re.search(r"</?[a-z]|\[%key:|https?://|'{\w+}'", text), path


def test_translations_have_the_placeholders_of_the_original() -> None:
    """Another language has no other keys and the same placeholders."""
    original = dict(texts(EN))
    for file in sorted((INTEGRATION / "translations").glob("*.json")):
        for path, text in texts(load(f"translations/{file.name}")):
            where = f"{file.name}: {path}"
            assert path in original, where
            assert {*PLACEHOLDER.findall(text)} == {*PLACEHOLDER.findall(original[path])}, where


def test_titles_have_no_placeholders() -> None:
    """The frontend gives a menu's title no values; and a title is no markdown, but names are."""
    for key, step in STEPS.items():
        assert "{" not in step["title"], key


def test_every_option_of_a_menu_is_explained() -> None:
    """Each option has a short name that a button holds, and a description."""
    for step, menu in STEPS.items():
        options = menu.get("menu_options", {})
        assert options.keys() == menu.get("menu_option_descriptions", {}).keys(), step
        assert all(len(name) <= 30 for name in options.values()), step


def test_every_field_of_a_form_is_explained() -> None:
    """Each field has a name and a description."""
    for step, form in STEPS.items():
        assert form.get("data", {}).keys() == form.get("data_description", {}).keys(), step


@pytest.mark.parametrize("flow", ["config", "options"])
@pytest.mark.parametrize("part", ["step", "error", "abort"])
def test_texts_of_the_flows_are_used(flow: str, part: str) -> None:
    """Each step, error and abort is one that the flow has, or that Home Assistant adds."""
    of_home_assistant = {"reauth_successful", "reconfigure_successful", "already_configured"}
    used = LITERALS | of_home_assistant
    assert EN[flow].get(part, {}).keys() <= used


def test_placeholders_are_filled() -> None:
    """Each placeholder in a text stands in the code by its name."""
    for path, text in texts(EN):
        assert {*PLACEHOLDER.findall(text)} <= LITERALS, path


def test_texts_for_errors_and_issues() -> None:
    """Each raised key has its text with no placeholder left open, and each text is used."""
    messages = {key: text["message"] for key, text in EN["exceptions"].items()}
    for key, issue in EN.get("issues", {}).items():
        assert issue.keys() in ({"title", "description"}, {"title", "fix_flow"}), key
        messages[key] = " ".join(text for _, text in texts(issue))
    for path, tree in CODE.items():
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            given = {keyword.arg: keyword.value for keyword in call.keywords}
            key = given.get("translation_key")
            if "translation_domain" not in given or not isinstance(key, ast.Constant):
                continue
            where = f"{path}:{call.lineno}: {key.value!r}"
            wanted = set(PLACEHOLDER.findall(messages.get(str(key.value), "{missing}")))
            filled = given.get("translation_placeholders", ast.Dict([], []))
            if isinstance(filled, ast.Dict):
                keys = {item.value for item in filled.keys if isinstance(item, ast.Constant)}
                assert wanted <= keys, where
    assert messages.keys() <= LITERALS


def test_entities() -> None:
    """Entity texts belong to our platforms, and icons to a text."""
    platforms = {platform.value for platform in PLATFORMS}
    assert EN["entity"].keys() <= platforms
    for platform, icons in ICONS["entity"].items():
        assert icons.keys() <= EN["entity"][platform].keys(), platform


def test_icons() -> None:
    """Every icon is one of Material Design's, by the look of it."""
    for path, icon in texts(ICONS):
        assert re.fullmatch(r"mdi:[a-z0-9]+(-[a-z0-9]+)*", icon), path


@pytest.mark.parametrize(
    ("kind", "icon_key"),
    [("services", "service"), ("triggers", "trigger"), ("conditions", "condition")],
)
def test_actions_triggers_and_conditions(kind: str, icon_key: str) -> None:
    """Each of them and of their fields has a name, a description, an icon and a selector."""
    listed = yaml.safe_load((INTEGRATION / f"{kind}.yaml").read_text())
    assert listed.keys() == EN[kind].keys() == ICONS[kind].keys()
    for name, definition in listed.items():
        described = EN[kind][name]
        fields = (definition or {}).get("fields", {})
        assert {"name", "description"} <= described.keys(), name
        assert described.keys() <= {"name", "description", "fields"}, name
        assert fields.keys() == described.get("fields", {}).keys(), name
        assert ICONS[kind][name].keys() == {icon_key}, name
        for field, of_field in fields.items():
            where = f"{name}.{field}"
            assert described["fields"][field].keys() == {"name", "description"}, where
            validate_selector(of_field["selector"])
            select = of_field["selector"].get("select", {})
            if key := select.get("translation_key"):
                assert set(select["options"]) == EN["selector"][key]["options"].keys(), where


def test_selectors() -> None:
    """Each text of a drop-down's options belongs to a drop-down."""
    used = set()
    for kind in ("services", "triggers", "conditions"):
        listed = yaml.safe_load((INTEGRATION / f"{kind}.yaml").read_text())
        for definition in listed.values():
            for field in (definition or {}).get("fields", {}).values():
                used.add(field["selector"].get("select", {}).get("translation_key"))
    assert EN["selector"].keys() == used - {None}


OPTIONS: Final[dict[str, Any]] = {
    "config_entry_id": "01J0000000000000000000000",
    "entity_id": ["switch.nas_backup_database"],
    "task": ["backup_database", "OptimizeDatabase"],
    "outcome": ["finished"],
}
"""A value for each field that a trigger or the condition may have."""


async def accepts_trigger(hass: HomeAssistant, name: str, options: dict[str, Any]) -> bool:
    """Tell whether a trigger takes some options."""
    try:
        await trigger.async_validate_trigger_config(hass, [{"platform": name, "options": options}])
    except vol.Invalid:
        return False
    return True


async def accepts_condition(hass: HomeAssistant, name: str, options: dict[str, Any]) -> bool:
    """Tell whether a condition takes some options."""
    try:
        await condition.async_validate_condition_config(
            hass, {"condition": name, "options": options}
        )
    except vol.Invalid:
        return False
    return True


@pytest.mark.parametrize(
    ("kind", "helper", "accepts"),
    [
        ("triggers", trigger, accepts_trigger),
        ("conditions", condition, accepts_condition),
    ],
)
async def test_editor_offers_the_options_that_exist(
    hass: HomeAssistant, kind: str, helper: Any, accepts: Any
) -> None:
    """What Home Assistant tells its automation editor is what the code takes, and all of it."""
    assert await async_setup_component(hass, DOMAIN, {})
    await hass.async_block_till_done()
    told = {
        name.removeprefix(f"{DOMAIN}."): description
        for name, description in (await helper.async_get_all_descriptions(hass)).items()
        if name.startswith(f"{DOMAIN}.")
    }
    assert told.keys() == EN[kind].keys()
    for name, description in told.items():
        assert description, name
        (filtered,) = description["target"]["entity"]
        assert filtered["integration"] == DOMAIN, name
        taken = {
            option
            for option, value in OPTIONS.items()
            if await accepts(hass, f"{DOMAIN}.{name}", {option: value})
        }
        assert description["fields"].keys() == taken, name
        assert not any(field.get("required") for field in description["fields"].values()), name
        assert await accepts(hass, f"{DOMAIN}.{name}", {}), name


async def test_action_editor_offers_the_fields_that_exist(hass: HomeAssistant) -> None:
    """The same for actions; a field is required in both or in neither, with one default."""
    assert await async_setup_component(hass, DOMAIN, {})
    told = (await service.async_get_all_descriptions(hass))[DOMAIN]
    registered = hass.services.async_services_for_domain(DOMAIN)
    assert told.keys() == registered.keys() == EN["services"].keys()
    for name, action in registered.items():
        fields = told[name]["fields"]
        assert isinstance(action.schema, vol.Schema)
        markers = {str(marker): marker for marker in action.schema.schema}
        assert fields.keys() == markers.keys(), name
        for field, marker in markers.items():
            where = f"{name}.{field}"
            assert fields[field]["required"] is isinstance(marker, vol.Required), where
            if default := fields[field].get("default"):
                of_schema = action.schema({"task": "backup_database"})[field]
                assert action.schema({"task": "backup_database", field: default})[field] == (
                    of_schema
                ), where


async def test_home_assistant_finds_every_text_and_icon(hass: HomeAssistant) -> None:
    """Its own loaders know the texts and icons, down to each field and option."""
    assert await async_setup_component(hass, DOMAIN, {})
    for category in (
        "common",
        "triggers",
        "conditions",
        "services",
        "selector",
        "entity",
        "exceptions",
    ):
        found = await translation.async_get_translations(hass, "en", category, {DOMAIN})
        assert found == {
            f"component.{DOMAIN}.{category}.{path}": text for path, text in texts(EN[category])
        }
    for category in ("triggers", "conditions", "services", "entity"):
        icons = await async_get_icons(hass, category, {DOMAIN})
        assert icons[DOMAIN] == ICONS[category]
