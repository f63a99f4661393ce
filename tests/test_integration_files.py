"""The files of the integration are what Home Assistant, its validator and HACS accept, and no more.

What needs a running Home Assistant, or holds texts and code together, is in
integration/test_texts.py; manifest and repository are in test_project.py.
"""

import ast
from collections.abc import Iterator
import json
from pathlib import Path
import re
import struct
from typing import Any, Final

from homeassistant import components
from homeassistant.const import Platform
from homeassistant.helpers.selector import TargetSelector, validate_selector
import pytest
import voluptuous as vol
import yaml

from custom_components.plex_butler.const import DOMAIN, PLATFORMS
from tests.repository import INTEGRATION, ROOT, load

CORE: Final = Path(components.__path__[0])
CODE: Final = {path: ast.parse(path.read_text()) for path in sorted(INTEGRATION.rglob("*.py"))}
EN: Final[dict[str, Any]] = load("translations/en.json")
ICONS: Final[dict[str, Any]] = load("icons.json")


def calls() -> Iterator[tuple[str, str, dict[str | None, ast.expr], ast.Call]]:
    """Yield all calls in the code: where, of what, and the arguments that have names."""
    for path, tree in CODE.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                where = f"{path.relative_to(INTEGRATION)}:{node.lineno}"
                arguments = {keyword.arg: keyword.value for keyword in node.keywords}
                yield where, ast.unparse(node.func).rpartition(".")[2], arguments, node


# The schemas: a key that is not here is one that nobody reads.

SLUG: Final = vol.Match(r"^[a-z0-9]+(_[a-z0-9]+)*$")
KEY: Final = vol.Match(r"^[a-z0-9]+([_-][a-z0-9]+)*$")
ICON: Final = vol.Match(r"^mdi:[a-z0-9]+(-[a-z0-9]+)*$")


def each(value: Any, key: Any = KEY) -> Any:
    """Return the schema of a dict with any keys of one form, and values of another."""
    return vol.Schema({key: value})


def optional(**values: Any) -> Any:
    """Return the schema of a dict with these keys, none of which is needed."""
    return vol.Schema({vol.Optional(key): value for key, value in values.items()})


def required(rest: dict[str, Any] | None = None, /, **values: Any) -> Any:
    """Return the schema of a dict with these keys, and optionally the rest."""
    needed = {vol.Required(key): value for key, value in values.items()}
    return vol.Schema(needed | {vol.Optional(key): value for key, value in (rest or {}).items()})


DATA: Final = {"data": each(str), "data_description": each(str)}
STEP: Final = optional(
    title=str,
    description=str,
    submit=str,
    menu_options=each(str),
    menu_option_descriptions=each(str),
    sections=each(optional(name=str, description=str, **DATA)),
    **DATA,
)
FLOW: Final = optional(
    flow_title=str,
    step=each(STEP),
    error=each(str),
    abort=each(str),
    progress=each(str),
    create_entry=each(str),
)
FIX: Final = optional(step=each(STEP), error=each(str), abort=each(str))
STATES: Final = {"name": str, "state": each(str)}
ENTITY: Final = optional(
    unit_of_measurement=str, state_attributes=each(optional(**STATES)), **STATES
)
NAMED: Final = required(name=str, description=str)
DESCRIBED: Final = required(
    {"fields": each(NAMED, SLUG), "sections": each(required({"description": str}, name=str), SLUG)},
    name=str,
    description=str,
)
TEXTS: Final = required(
    {
        "title": str,
        "common": each(str),
        "conditions": each(DESCRIBED, SLUG),
        "device": each(required(name=str)),
        "entity": each(each(ENTITY), vol.In([platform.value for platform in PLATFORMS])),
        "exceptions": each(required(message=str)),
        "issues": each(
            vol.Any(required(title=str, description=str), required(title=str, fix_flow=FIX))
        ),
        "options": FLOW,
        "selector": each(required(options=each(str)), SLUG),
        "services": each(DESCRIBED, SLUG),
        "system_health": required(info=each(str)),
        "triggers": each(DESCRIBED, SLUG),
    },
    config=FLOW,
)
STATE_ICONS: Final = {"default": ICON, "state": each(ICON)}
ALL_ICONS: Final = optional(
    conditions=each(required(condition=ICON)),
    entity=each(each(optional(state_attributes=each(optional(**STATE_ICONS)), **STATE_ICONS))),
    services=each(required({"sections": each(ICON)}, service=ICON)),
    triggers=each(required(trigger=ICON)),
)
FIELD: Final = required(
    {"default": object, "example": object, "required": bool}, selector=validate_selector
)
LISTED: Final = vol.Schema(
    {
        SLUG: vol.Maybe(
            optional(target=TargetSelector.CONFIG_SCHEMA, fields=vol.Schema({SLUG: FIELD}))
        )
    }
)


def languages() -> list[Path]:
    """Return the files of all languages."""
    return sorted((INTEGRATION / "translations").iterdir())


@pytest.mark.parametrize("path", languages(), ids=lambda path: path.stem)
def test_texts_have_the_form_that_home_assistant_reads(path: Path) -> None:
    assert re.fullmatch(r"[a-z]{2,3}(-[A-Z]{2}|-[A-Z][a-z]{3})?\.json", path.name)
    TEXTS(json.loads(path.read_text()))


def test_icons_have_the_form_that_home_assistant_reads() -> None:
    ALL_ICONS(ICONS)


@pytest.mark.parametrize("kind", ["services", "triggers", "conditions"])
def test_lists_have_the_form_that_home_assistant_reads(kind: str) -> None:
    """Names and descriptions are in the translations, and targets and selectors exist."""
    LISTED(yaml.safe_load((INTEGRATION / f"{kind}.yaml").read_text()))


def test_every_json_file_can_be_read() -> None:
    """And no key stands in one of them twice, of which only the last would count."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len({key for key, _ in items}) == len(items), items
        return dict(items)

    for path in (*INTEGRATION.rglob("*.json"), ROOT / "hacs.json"):
        json.loads(path.read_text(), object_pairs_hook=pairs)


# What there is, and what there must not be


def test_the_files_are_those_of_a_custom_integration() -> None:
    """There is one, which hides none of Home Assistant's, and no file that only core's own need."""
    found = sorted((ROOT / "custom_components").rglob("manifest.json"))
    assert found == [INTEGRATION / "manifest.json"]
    assert not (CORE / DOMAIN).exists()
    assert not (INTEGRATION / "strings.json").exists()
    assert [platform.value for platform in PLATFORMS] == sorted(PLATFORMS)
    of_entities = {platform.value for platform in Platform}
    assert {path.stem for path in INTEGRATION.glob("*.py")} & of_entities == set(PLATFORMS)


def test_pictures_are_those_that_home_assistant_serves() -> None:
    """Their names, and the sizes that HACS asks for."""
    for path in (INTEGRATION / "brand").iterdir():
        match = re.fullmatch(r"(dark_)?(icon|logo)(@2x)?\.png", path.name)
        assert match, path
        head = path.read_bytes()[:24]
        assert head.startswith(b"\x89PNG\r\n\x1a\n"), path
        width, height = struct.unpack(">II", head[16:])
        size = 512 if match[3] else 256
        if match[2] == "icon":
            assert width == height == size, path
        else:
            assert size / 2 <= min(width, height) <= size, path


def test_what_home_assistant_has_to_load_first_is_named() -> None:
    """A part of Home Assistant that is imported is a dependency, or the one that calls the file."""
    manifest = load("manifest.json")
    loaded = {*manifest["dependencies"], *manifest.get("after_dependencies", ())}
    assert all((CORE / name / "manifest.json").exists() for name in loaded)
    called = {"diagnostics", "repairs", *(platform.value for platform in Platform)}
    for path, tree in CODE.items():
        for node in ast.walk(tree):
            names: list[str] = []
            if isinstance(node, ast.ImportFrom) and node.module == "homeassistant.components":
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = re.findall(r"^homeassistant\.components\.(\w+)", node.module or "")
            elif isinstance(node, ast.Import):
                imported = " ".join(alias.name for alias in node.names)
                names = re.findall(r"\bhomeassistant\.components\.(\w+)", imported)
            assert set(names) <= loaded | called | {path.stem}, path


# Icons


def test_every_entity_has_an_icon() -> None:
    """One of ours, or that of a device class; `enum` brings none."""
    classes = {}
    for _, _, arguments, _ in calls():
        key = arguments.get("translation_key")
        if isinstance(key, ast.Constant) and "device_class" in arguments:
            classes[key.value] = ast.unparse(arguments["device_class"]).rpartition(".")[2]
    for platform, texts in EN["entity"].items():
        for key in texts.keys() - ICONS["entity"].get(platform, {}).keys():
            assert classes.get(key, "ENUM") != "ENUM", f"{platform}.{key}"


def test_icons_of_states_differ_from_the_default_and_are_of_states() -> None:
    for platform, icons in ICONS["entity"].items():
        for key, icon in icons.items():
            where = f"{platform}.{key}"
            states = icon.get("state", {})
            assert icon.get("default") not in states.values(), where
            named = EN["entity"][platform][key].get("state", {})
            assert states.keys() <= (named.keys() or {"on", "off"}), where


# The code


def test_every_exception_of_home_assistant_is_translated() -> None:
    """What is raised to a user has a key; there is no text in the code."""
    kinds = re.compile(
        r"(HomeAssistant|ServiceValidation|ConfigEntry)Error|UpdateFailed"
        r"|ConfigEntry(NotReady|AuthFailed)|PlatformNotReady"
    )
    found = 0
    for where, name, arguments, node in calls():
        if kinds.fullmatch(name):
            found += 1
            assert not node.args, where
            assert {"translation_domain", "translation_key"} <= arguments.keys(), where
    assert found


def test_data_of_an_entry_belongs_to_it() -> None:
    """Only under a key that has a type is anything kept beside the entries."""
    typed = {
        target.id
        for tree in CODE.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign) and "HassKey[" in ast.unparse(node.annotation)
        for target in [node.target]
        if isinstance(target, ast.Name)
    }
    used = set()
    for path, tree in CODE.items():
        for node in ast.walk(tree):
            match node:
                case ast.Subscript(value=value, slice=key):
                    holder = ast.unparse(value)
                case ast.Call(func=ast.Attribute(value=value), args=[key, *_]):
                    holder = ast.unparse(value)
                case _:
                    continue
            if re.search(r"\bhass\.data$", holder):
                assert ast.unparse(key) in typed, f"{path}:{node.lineno}"
                used.add(ast.unparse(key))
    assert used == typed


@pytest.mark.parametrize("kind", ["conditions", "services", "triggers"])
def test_options_are_shown_only_once_their_texts_are_there(kind: str) -> None:
    """A list of options is shown at once, and keeps showing the values if the texts come later."""
    options = [
        field["selector"]["select"]
        for thing in yaml.safe_load((INTEGRATION / f"{kind}.yaml").read_text()).values()
        for field in (thing.get("fields") or {}).values()
        if "select" in field["selector"]
    ]
    assert options
    assert {each["mode"] for each in options} == {"dropdown"}


def test_users_choose_neither_names_nor_intervals() -> None:
    """How often a server is asked is the integration's matter, and what a device is called is the user's."""
    for path in (INTEGRATION / "config_flow.py", *INTEGRATION.glob("options*.py")):
        assert not re.search(r"CONF_(SCAN_INTERVAL|NAME)\b|\w+_interval\b", path.read_text()), path
    for part in ("config", "options"):
        for step in EN.get(part, {}).get("step", {}).values():
            assert not step.get("data", {}).keys() & {"name", "scan_interval"}


def test_nothing_of_yaml_is_set_up() -> None:
    """Whoever has `async_setup` says what it takes from configuration.yaml."""
    source = (INTEGRATION / "__init__.py").read_text()
    assert "CONFIG_SCHEMA = cv.config_entry_only_config_schema(DOMAIN)" in source
