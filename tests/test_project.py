"""What hassfest and HACS look at, the floors of the house, and what may stand in the repository."""

import ast
from collections.abc import Iterator
from itertools import pairwise
import json
from pathlib import Path
import re
import struct
import sys
from typing import Final

from homeassistant import generated
from homeassistant.const import Platform
import pytest
import yaml

from custom_components.plex_butler.const import PLATFORMS
from tests.repository import INTEGRATION, ROOT, load, repository_files

WORKFLOWS: Final = sorted((ROOT / ".github/workflows").glob("*.yml"))
MAY_WRITE: Final = {("release", "release"): {"attestations", "contents", "id-token"}}
"""The jobs, by file and name, that may write, and what."""

# Spelt so that this file holds none of them.
PACKAGE_REGISTRY: Final = re.compile(r"p[y]pi\.org|pythonho[s]ted|np[m]js|de[b]\.debian")
MACHINE_PATH: Final = re.compile(r"(?<![\w.:/}])/(?:home|Users|root|work)/[\w.]")


# The manifest, HACS, versions


def test_manifest() -> None:
    """Home Assistant's loader, hassfest and HACS find what they ask for, in hassfest's order."""
    manifest = load("manifest.json")
    assert list(manifest)[:2] == ["domain", "name"]
    assert all(a < b for a, b in pairwise(list(manifest)[2:]))
    assert manifest["domain"] == INTEGRATION.name
    assert manifest["config_flow"] is (INTEGRATION / "config_flow.py").exists()
    assert manifest["integration_type"] == "service"
    assert manifest["iot_class"] in {"local_polling", "local_push"}
    assert manifest["documentation"].startswith("https://github.com/")
    assert manifest["issue_tracker"] == manifest["documentation"] + "/issues"
    assert manifest["codeowners"]
    assert all(owner.startswith("@") for owner in manifest["codeowners"])
    assert manifest["requirements"] == []
    # Its address for a webhook is offered where it is in use.
    assert manifest["after_dependencies"] == ["cloud"]
    known = {
        "after_dependencies",
        "categories",
        "codeowners",
        "config_flow",
        "connectivity",
        "documentation",
        "domain",
    }
    assert manifest["dependencies"] == ["network", "webhook"]
    known |= {
        "dependencies",
        "integration_type",
        "iot_class",
        "issue_tracker",
        "name",
        "requirements",
        "version",
    }
    assert set(manifest) <= known


@pytest.mark.parametrize("key", ["categories", "connectivity"])
def test_manifest_slugs(key: str) -> None:
    """Categories and connectivity are Home Assistant's own."""
    file = Path(generated.__path__[0]) / f"integration_{key}.json"
    if not file.exists():
        return  # before 2026.11 they have no meaning
    slugs = set()
    for item in json.loads(file.read_text()):
        slugs.add(item["slug"])
        slugs |= {f"{item['slug']}.{sub['slug']}" for sub in item.get("subcategories", [])}
    assert set(load("manifest.json")[key]) <= slugs


def test_hacs_and_its_floor() -> None:
    """HACS offers the integration from the release on that the oldest test leg stands for."""
    hacs = json.loads((ROOT / "hacs.json").read_text())
    assert set(hacs) == {
        "filename",
        "hide_default_branch",
        "homeassistant",
        "name",
        "zip_release",
    }
    assert hacs["zip_release"] is hacs["hide_default_branch"] is True
    assert hacs["filename"] == f"{INTEGRATION.name}.zip"
    assert hacs["name"] == load("manifest.json")["name"]
    locked = (ROOT / "requirements/floor.txt").read_text()
    tested = re.search(r"^homeassistant==(\d+\.\d+)\.\d+ ", locked, re.MULTILINE)
    assert tested
    assert hacs["homeassistant"] == f"{tested[1]}.0"
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")


@pytest.mark.parametrize(
    ("name", "size"), [("icon.png", 256), ("icon@2x.png", 512)], ids=["icon", "icon@2x"]
)
def test_brand(name: str, size: int) -> None:
    """The icons have the sizes that Home Assistant serves."""
    head = (INTEGRATION / "brand" / name).read_bytes()[:24]
    assert head.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", head[16:24]) == (size, size)


# The house


@pytest.mark.parametrize("platform", PLATFORMS)
def test_platforms_say_how_many_at_once(platform: Platform) -> None:
    """Each platform sets PARALLEL_UPDATES and sees no part of the client but its models."""
    source = (INTEGRATION / f"{platform}.py").read_text()
    assert re.search(r"^PARALLEL_UPDATES(: Final)? = \d$", source, re.MULTILINE)
    assert "PlexClient" not in source


OURS: Final = "custom_components.plex_butler."
FLOORS: Final = ("butler", "runs", "plex")
"""From the top to the bottom: each may see itself and what is below it, and nothing else."""
ROOT_FLOORS: Final = (
    {"__init__"},
    {
        "condition",
        "config_flow",
        "diagnostics",
        "logbook",
        "services",
        "system_health",
        "trigger",
        *PLATFORMS,
    },
    {"run_log", "targets"},
    {"entity", "options_flow", "repairs", "schedule_action"},
    {"coordinator"},
    {"cloudhook", "commands", "webhook"},
    {"reports"},
    {
        "device",
        "outages",
        "plex_log",
        "run_store",
        "history_store",
        "run_events",
        "operations",
        "origins",
    },
    {"issues", "connection", "entry_file", "texts"},
    {"const", "names", "stored_rows"},
)
"""The files beside the packages, from the top to the bottom."""
BASE_CLASSES: Final = {
    "PlexButlerEntity",
    "PlexButlerPreferenceEntity",
    "PlexButlerServerEntity",
    "PlexButlerTaskEntity",
    "ButlerTrigger",
}
"""The classes of ours that others may inherit from, beside errors."""


def modules(package: str = "") -> list[Path]:
    """Return the integration's own files, or those of one package."""
    return sorted((INTEGRATION / package).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Yield the full names of the modules that a file imports from."""
    package = ["custom_components", *path.relative_to(INTEGRATION.parent).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) + 1 - node.level] if node.level else []
            module = [*above, *(node.module.split(".") if node.module else [])]
            yield from (".".join([*module, alias.name]) for alias in node.names)


@pytest.mark.parametrize("floor", FLOORS)
def test_lower_floors_see_neither_home_assistant_nor_what_is_above_them(floor: str) -> None:
    """A server, its runs and its language could leave this repository tomorrow."""
    below = tuple(f"{OURS}{name}." for name in FLOORS[FLOORS.index(floor) :])
    assert modules(floor)
    for path in modules(floor):
        for name in imported(path):
            assert not name.startswith("homeassistant"), (path, name)
            assert not name.startswith(OURS) or name.startswith(below), (path, name)


def test_files_beside_the_packages_import_downwards_only() -> None:
    """Platforms see the entity, which sees the coordinator, and so on; each file has a floor."""
    floors = {name: number for number, names in enumerate(ROOT_FLOORS) for name in names}
    files = {path.stem for path in INTEGRATION.glob("*.py")}
    assert files == floors.keys()
    for path in INTEGRATION.glob("*.py"):
        for name in imported(path):
            module = name.removeprefix(OURS).split(".")[0] if name.startswith(OURS) else ""
            assert module not in floors or floors[module] > floors[path.stem], (path, name)


def test_flow_is_seen_by_the_three_flows_only_and_sees_what_it_needs() -> None:
    """The parts of the dialogues know how a server is asked, and nothing of the coordinator."""
    may_see = tuple(f"{OURS}{name}." for name in ("flow", "plex", "connection", "const", "names"))
    assert modules("flow")
    for path in modules():
        names = [name for name in imported(path) if name.startswith(OURS)]
        if path.parent.name == "flow":
            assert all(name.startswith(may_see) for name in names), (path, names)
        elif path.stem not in ("config_flow", "options_flow", "repairs"):
            assert not any(name.startswith(f"{OURS}flow.") for name in names), (path, names)


def private_names(path: Path) -> tuple[set[str], set[str]]:
    """Return the private names that a file defines, and those that it uses."""
    # Of Home Assistant's own Trigger and Condition.
    defined: set[str] = {"_hass"}
    used: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                defined.add(name)
            case ast.ClassDef(name=name) | ast.Name(id=name, ctx=ast.Store()):
                defined.add(name)
            case ast.Attribute(attr=name, ctx=ast.Store()):
                defined.add(name)
            case ast.Attribute(attr=name) | ast.Name(id=name) | ast.alias(name=name):
                used.add(name)
    return defined, {name for name in used if name.startswith("_") and not name.startswith("__")}


def test_no_file_uses_a_private_name_of_another_file() -> None:
    """A file can be read alone."""
    names = {path: private_names(path) for path in modules()}
    for path, (defined, used) in names.items():
        of_others = set().union(*(others for other, (others, _) in names.items() if other != path))
        assert not (used - defined) & of_others, path


def test_nothing_is_inherited_but_entities_triggers_and_errors() -> None:
    """An object has others; it is none of them."""
    trees = [ast.parse(path.read_text()) for path in modules()]
    classes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    names = {node.name for node in classes}
    for node in classes:
        bases = {ast.unparse(base).partition("[")[0] for base in node.bases}
        ours = {base for base in bases & names if not base.endswith("Error")}
        assert ours <= BASE_CLASSES, node.name


def test_no_test_module_imports_another() -> None:
    """What test modules share is in modules of its own."""
    paths = sorted((ROOT / "tests").rglob("*.py"))
    tests = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in paths}
    tests = {name: path for name, path in tests.items() if path.name.startswith("test_")}
    assert __name__ in tests
    for name, path in tests.items():
        package = name.split(".")[:-1]
        for node in ast.walk(ast.parse(path.read_text())):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                above = package[: len(package) + 1 - node.level] if node.level else []
                module = ".".join([*above, *([node.module] if node.module else [])])
                names = [module, *(f"{module}.{alias.name}" for alias in node.names)]
            assert not tests.keys() & names, path


def test_what_the_oldest_leg_leaves_out_knows_no_home_assistant() -> None:
    """It is tested once, with what both have: the packages that `scripts/test` compares."""
    script = (ROOT / "scripts/test").read_text()
    [listed] = re.findall(r"^without=\(\n(.*?)^\)", script, re.MULTILINE | re.DOTALL)
    [needed] = re.findall(r"^needed='(.*)'$", script, re.MULTILINE)
    packages = {name.replace("-", "_") for name in needed.split("|")}
    may_see = tuple(f"{OURS}{name}" for name in FLOORS)
    known = sys.stdlib_module_names | {"custom_components", "tests"}
    for name in listed.split():
        path = ROOT / name
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            text = file.read_text()
            assert not re.search(r"\b(homeassistant|hass|house|loaded)\b", text), file
            for node in ast.walk(ast.parse(text)):
                if not isinstance(node, ast.Import | ast.ImportFrom):
                    continue
                module = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
                for alias in node.names:
                    full = f"{module}{alias.name}"
                    top = full.partition(".")[0]
                    assert top != "custom_components" or full.startswith(may_see), (file, full)
                    assert top in known | packages, (file, full)


# The repository


def test_no_registry_and_no_path_of_one_machine() -> None:
    """Nothing says where packages are downloaded from, or where somebody's folder is."""
    for file in repository_files():
        for pattern in (PACKAGE_REGISTRY, MACHINE_PATH):
            found = pattern.search(file.read_text())
            assert found is None, f"{file}: {found}"


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_workflows_are_locked_down(file: Path) -> None:
    """No permission that a job does not ask for, no action that can change under us."""
    source = file.read_text()
    workflow = yaml.safe_load(source)
    assert workflow["permissions"] == {}
    for name, job in workflow["jobs"].items():
        written = {key for key, value in job.get("permissions", {}).items() if value != "read"}
        assert written == MAY_WRITE.get((file.stem, name), set()), name
        if "uses" in job:
            assert re.fullmatch(r"\./\.github/workflows/\w+\.yml", job["uses"]), name
            continue
        assert job["timeout-minutes"] <= 30, name
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False, name
    for line in re.findall(r".*\buses: [^.\n].*", source):
        assert re.search(r"uses: [\w./-]+@[0-9a-f]{40} # (v\d|ma)", line), line
