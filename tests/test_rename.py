"""The owner and the name of the repository: where they stand, and that they can be replaced."""

from pathlib import Path
import re
import shutil
import sys
from typing import Final

import pytest

from custom_components.plex_butler.const import DOMAIN
from scripts import rename as script
from scripts.rename import Home, rename, renamed
from tests.repository import ROOT, load, repository_files

HOME: Final = Home.of(ROOT)
OTHER: Final = Home("some-one", "elsewhere.2")
PRODUCT: Final = DOMAIN.replace("_", "-")
"""What the project is called where it is no matter where the repository is."""
NEED_IT: Final = re.compile(
    r"README\.md|SECURITY\.md|docs/.*\.md|blueprints/.*\.yaml"
    r"|custom_components/\w+/manifest\.json|\.github/ISSUE_TEMPLATE/config\.yml"
)
"""The files in which owner and name have to stand, because they are read elsewhere."""
ADDRESS: Final = re.compile(
    r"(?:github|githubusercontent)\.com(?P<slash>/|%2F)(?P<owner>[\w-]+)(?P=slash)(?P<name>[\w.-]+)"
)


def words(text: str) -> set[str]:
    """Return all that may be the owner or the name of a repository."""
    return set(re.findall(r"(?:(?<=%2F)|(?<=%3D)|(?<![\w.-]))[\w-]+(?:\.[\w-]+)*", text))


@pytest.fixture(name="copy")
def fixture_copy(tmp_path: Path) -> Path:
    """The project in another folder."""
    for path in repository_files():
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return tmp_path


def test_owner_and_name_are_those_of_the_manifest() -> None:
    """Every address on GitHub leads to this repository."""
    for path in repository_files():
        for found in ADDRESS.finditer(path.read_text()):
            assert Home(found["owner"], found["name"]) == HOME, (path, found[0])


def test_only_those_files_have_them_that_need_them() -> None:
    for path in repository_files():
        relative = path.relative_to(ROOT).as_posix()
        text = path.read_text()
        assert NEED_IT.fullmatch(relative) or renamed(text, HOME, OTHER) == text, relative


def test_nothing_is_left_of_the_old_ones(copy: Path) -> None:
    """All of it is replaced, the rest stays as it is, and the way back leads to where it began."""
    before = {path: path.read_text() for path in repository_files(copy)}
    changed = rename(copy, OTHER)
    assert Home.of(copy) == OTHER
    assert changed == sorted(path for path, text in before.items() if path.read_text() != text)
    for path, text in before.items():
        now = path.read_text()
        assert words(now) & {HOME.owner, HOME.name} <= {PRODUCT, DOMAIN}, path
        for found in ADDRESS.finditer(now):
            assert Home(found["owner"], found["name"]) == OTHER, path
        assert len(now.splitlines()) == len(text.splitlines()), path
    assert rename(copy, HOME) == changed
    assert {path: path.read_text() for path in repository_files(copy)} == before


def test_product_has_its_name_where_nobody_else_needs_it() -> None:
    """What stays when the repository is renamed is the name of the project and of its cache."""
    manifest = load("manifest.json")
    found = {
        path.relative_to(ROOT).as_posix()
        for path in repository_files()
        if PRODUCT in words(renamed(path.read_text(), HOME, OTHER))
    }
    assert found == {"pyproject.toml", "scripts/bootstrap"}
    assert manifest["name"] == PRODUCT.replace("-", " ").title()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://example.org/a-b/c.d", "https://example.org/x/y"),
        ("https://example.org/a-b/c.d.", "https://example.org/x/y."),
        ("https://example.org/a-b/c.d/issues", "https://example.org/x/y/issues"),
        ("=https%3A%2F%2Fexample.org%2Fa-b%2Fc.d%2Fblob", "=https%3A%2F%2Fexample.org%2Fx%2Fy%2Fblob"),
        ("?owner=a-b&repository=c.d&category=integration", "?owner=x&repository=y&category=integration"),
        ('["@a-b"]', '["@x"]'),
        ("--repo a-b/c.d\n", "--repo x/y\n"),
    ],
)  # fmt: skip
def test_forms(text: str, expected: str) -> None:
    assert renamed(text, Home("a-b", "c.d"), Home("x", "y")) == expected


@pytest.mark.parametrize(
    "text",
    ["a-b", "c.d", "a-b/c-d", "x-a-b/c.d", "a-b/c.d.e", "a-b/c.d-e", "a-b/cxd", "%2Fa-b%2Fc.de"],
)
def test_likenesses(text: str) -> None:
    assert renamed(text, Home("a-b", "c.d"), Home("x", "y")) == text


@pytest.mark.parametrize(
    "text", ["", "a", "a/", "/b", "a/b/c", "-a/b", "a--b/c", "a/b.git", "a/.b"]
)
def test_impossible_names(text: str) -> None:
    with pytest.raises(ValueError, match="is not the owner"):
        Home.parse(text)


def test_command(
    copy: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(script, "ROOT", copy)
    monkeypatch.setattr(sys, "argv", ["rename", f"{OTHER.owner}/{OTHER.name}"])
    assert script.main() == 0
    assert "custom_components/plex_butler/manifest.json\n" in capsys.readouterr().out
    assert Home.of(copy) == OTHER
    monkeypatch.setattr(sys, "argv", ["rename", "some-one"])
    with pytest.raises(SystemExit):
        script.main()
