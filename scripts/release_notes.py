"""Print what CHANGELOG.md says about one version, for its release on GitHub.

    python -m scripts.release_notes v1.0.0

It prints nothing and fails if that tag must not be released yet: the manifest has another version,
the changelog has no dated section for it, or something still stands under *Unreleased*.
"""

import argparse
import json
from pathlib import Path
import re
import sys
from typing import Final

ROOT: Final = Path(__file__).parents[1]
UNRELEASED: Final = "Unreleased"
_HEADING: Final = re.compile(r"## \[(?P<name>[^]]+)](?: - (?P<date>\d{4}-\d\d-\d\d))?")
_LINK: Final = re.compile(r"^\[[^]]+]: .*\n?", re.MULTILINE)


class NotReadyError(Exception):
    """The version cannot be released; the text tells why."""


def sections(changelog: str) -> dict[str, tuple[str | None, str]]:
    """Return the date and the text of each section of a changelog, by the name in its heading."""
    found: dict[str, tuple[str | None, str]] = {}
    for part in re.split(r"^(?=## )", _LINK.sub("", changelog), flags=re.MULTILINE)[1:]:
        heading, _, text = part.partition("\n")
        if not (match := _HEADING.fullmatch(heading.rstrip())):
            raise NotReadyError(f"The changelog's heading {heading!r} names no version.")
        if match["name"] in found:
            raise NotReadyError(f"The changelog has two sections for {match['name']}.")
        found[match["name"]] = (match["date"], text.strip())
    return found


def release_notes(tag: str, version: str, changelog: str) -> str:
    """Return the notes of the release with this tag; `version` is that of the manifest."""
    if tag != f"v{version}":
        raise NotReadyError(f"The tag is {tag}, but the manifest's version is {version}.")
    listed = sections(changelog)
    date, text = listed.get(version, (None, ""))
    if not date or not text:
        raise NotReadyError(f"The changelog has no section for {version} with a date and a text.")
    if listed.get(UNRELEASED, (None, ""))[1]:
        raise NotReadyError(f"Something still stands under {UNRELEASED} in the changelog.")
    return text


def main() -> int:
    """Print the notes; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="scripts/release_notes.py",
        description="Print what CHANGELOG.md says about the version of the manifest.",
    )
    parser.add_argument("tag", help="the tag that is to be released, such as v1.0.0")
    tag = parser.parse_args().tag
    [manifest] = ROOT.glob("custom_components/*/manifest.json")
    version = json.loads(manifest.read_text())["version"]
    try:
        print(release_notes(tag, version, (ROOT / "CHANGELOG.md").read_text()))
    except NotReadyError as error:
        print(f"scripts/release_notes.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
