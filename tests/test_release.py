"""A release: one version, its notes, and the zip that is installed."""

from datetime import date
from itertools import pairwise
import json
from pathlib import Path
import re
import subprocess
import sys
from typing import Any, Final
import zipfile

from awesomeversion import AwesomeVersion, AwesomeVersionStrategy
import pytest
import yaml

from scripts import release_notes as script
from scripts.release_notes import UNRELEASED, NotReadyError, release_notes, sections
from tests.repository import INTEGRATION, ROOT, load, repository_files

VERSION: Final[str] = load("manifest.json")["version"]
CHANGELOG: Final = (ROOT / "CHANGELOG.md").read_text()
WORKFLOW: Final[dict[Any, Any]] = yaml.safe_load(
    (ROOT / ".github/workflows/release.yml").read_text()
)

SAMPLE: Final = """\
# Changelog

What has changed.

## [Unreleased]

## [1.1.0] - 2027-02-03

### Fixed

- A fault.

## [1.0.0] - 2026-12-24

- All of it.

[1.0.0]: https://example.org
"""


# The version


def test_version_stands_in_the_manifest_only() -> None:
    """It is one that Home Assistant can compare; whoever needs it reads it there."""
    assert AwesomeVersion(VERSION).strategy is AwesomeVersionStrategy.SEMVER
    others = ("docs", "tests", "requirements", "CHANGELOG.md")
    places = (
        path
        for path in repository_files()
        if not path.relative_to(ROOT).as_posix().startswith(others)
    )
    found = [path.name for path in places if f'"{VERSION}"' in path.read_text()]
    assert found == ["manifest.json"]


# The changelog


def test_changelog_tells_of_this_version() -> None:
    """The manifest's version is the newest, and its notes can be cut out."""
    listed = sections(CHANGELOG)
    assert next(iter(listed)) == UNRELEASED
    assert list(listed)[1] == VERSION
    _, text = listed[VERSION]
    assert "### Added" in text


def test_changelog_is_kept() -> None:
    """Newest version first, with dates, the usual kinds of changes, and a link for each."""
    listed = sections(CHANGELOG)
    for name, (day, text) in listed.items():
        assert (day is None) is (name == UNRELEASED), name
        kinds = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
        assert kinds <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}, name
        assert f"\n[{name}]: ../../" in CHANGELOG
    versions = [name for name in listed if name != UNRELEASED]
    assert all(AwesomeVersion(new) > AwesomeVersion(old) for new, old in pairwise(versions))
    days = [date.fromisoformat(listed[name][0] or "") for name in versions]
    assert all(new >= old for new, old in pairwise(days))


# The notes


@pytest.mark.parametrize(
    ("version", "notes"),
    [("1.1.0", "### Fixed\n\n- A fault."), ("1.0.0", "- All of it.")],
)
def test_notes_are_those_of_one_version(version: str, notes: str) -> None:
    """The last section ends where the addresses of the links begin."""
    assert release_notes(f"v{version}", version, SAMPLE) == notes


@pytest.mark.parametrize(
    ("tag", "version", "changelog", "reason"),
    [
        ("1.1.0", "1.1.0", SAMPLE, "The tag is 1.1.0"),
        ("v1.0.0", "1.1.0", SAMPLE, "The tag is v1.0.0"),
        ("v1.2.0", "1.2.0", SAMPLE, "no section for 1.2.0"),
        ("v1.1", "1.1", SAMPLE, r"no section for 1\.1 "),
        ("v1.1.0", "1.1.0", SAMPLE.replace(" - 2027-02-03", ""), "no section for 1.1.0"),
        ("v1.1.0", "1.1.0", SAMPLE.replace("### Fixed\n\n- A fault.\n", ""), "no section"),
        ("v1.1.0", "1.1.0", SAMPLE.replace("[Unreleased]\n", "[Unreleased]\n- More."), UNRELEASED),
        ("v1.1.0", "1.1.0", SAMPLE.replace("[1.0.0] -", "[1.1.0] -"), "two sections for 1.1.0"),
        ("v1.1.0", "1.1.0", SAMPLE.replace("## [1.0.0]", "## 1.0.0"), "names no version"),
        ("v1.1.0", "1.1.0", SAMPLE.replace("2027-02-03", "soon"), "names no version"),
    ],
)
def test_what_is_not_ready_is_not_released(
    tag: str, version: str, changelog: str, reason: str
) -> None:
    with pytest.raises(NotReadyError, match=reason):
        release_notes(tag, version, changelog)


def test_notes_are_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["release_notes", f"v{VERSION}"])
    assert script.main() == 0
    assert capsys.readouterr().out == release_notes(f"v{VERSION}", VERSION, CHANGELOG) + "\n"
    monkeypatch.setattr(sys, "argv", ["release_notes", "v0.0.1"])
    assert script.main() == 1
    printed = capsys.readouterr()
    assert not printed.out
    assert "The tag is v0.0.1" in printed.err


# The workflow


def commands(job: str) -> list[str]:
    """Return what a job of the release runs."""
    return [step["run"] for step in WORKFLOW["jobs"][job]["steps"] if "run" in step]


def test_nothing_is_released_before_all_checks() -> None:
    jobs = WORKFLOW["jobs"]
    called = {name: job["uses"] for name, job in jobs.items() if "uses" in job}
    assert set(called.values()) == {
        f"./.github/workflows/{name}.yml" for name in ("tests", "validate")
    }
    for path in called.values():
        # YAML reads the key "on" as a truth value.
        assert "workflow_call" in yaml.safe_load((ROOT / path).read_text())[True]
    assert set(jobs["package"]["needs"]) == called.keys()
    assert jobs["release"]["needs"] == ["package"]
    assert WORKFLOW[True] == {"push": {"tags": ["v*"]}}


def test_only_the_last_job_may_write_and_it_runs_nothing_of_the_repository() -> None:
    steps = WORKFLOW["jobs"]["release"]["steps"]
    uses = [step["uses"].partition("@")[0] for step in steps if "uses" in step]
    assert uses == ["actions/download-artifact", "actions/attest-build-provenance"]
    [command] = commands("release")
    assert command.startswith('gh release create "$GITHUB_REF_NAME" plex_butler.zip ')
    for line in [line for job in ("package", "release") for line in commands(job)]:
        assert "${{" not in line


def test_zip_is_what_hacs_and_the_marketplace_unpack(tmp_path: Path) -> None:
    """They look for the file that hacs.json names, and unpack it into the integration's folder."""
    name = json.loads((ROOT / "hacs.json").read_text())["filename"]
    [command] = [line for line in commands("package") if line.startswith("git archive ")]
    assert f"--output={name} " in command
    [upload] = [
        step for step in WORKFLOW["jobs"]["package"]["steps"] if "upload" in step.get("uses", "")
    ]
    assert upload["with"]["path"].split() == ["notes.md", name]
    [attest] = [
        step for step in WORKFLOW["jobs"]["release"]["steps"] if "attest" in step.get("uses", "")
    ]
    assert attest["with"] == {"subject-path": name}

    files = {
        path.relative_to(INTEGRATION).as_posix(): path.read_bytes()
        for path in INTEGRATION.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    for path, content in files.items():
        copy = tmp_path / INTEGRATION.relative_to(ROOT) / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(content)
    for arguments in (
        "git init --quiet",
        "git add .",
        "git -c user.name=test -c user.email=test@example.org commit --quiet -m test",
        command,
    ):
        subprocess.run(arguments.split(), cwd=tmp_path, check=True)  # noqa: S603
    with zipfile.ZipFile(tmp_path / name) as archive:
        packed = {each: archive.read(each) for each in archive.namelist() if each[-1] != "/"}
    assert packed == files
    assert "manifest.json" in packed
