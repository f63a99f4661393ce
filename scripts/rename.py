"""Give the repository another owner and name, wherever they have to stand.

The manifest says what they are now. Badges, import links of blueprints and the like need them
literally, and nothing else has them: tests/test_rename.py finds what this would leave behind.
"""

import argparse
from dataclasses import dataclass
import json
from pathlib import Path
import re
import sys
from typing import Final, Self

from tests.repository import ROOT, repository_files

_BEFORE: Final = r"(?<![\w.-])"
_AFTER: Final = r"(?![\w-]|\.\w)"


@dataclass(frozen=True, slots=True)
class Home:
    """Where the repository is on GitHub."""

    owner: str
    name: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read OWNER/NAME; raise ValueError if GitHub allows no such names."""
        match = re.fullmatch(r"([a-zA-Z\d]+(?:-[a-zA-Z\d]+)*)/((?!\.)[\w.-]+)", text, re.ASCII)
        if not match or match[2].endswith(".git"):
            raise ValueError(f"{text!r} is not the owner and the name of a repository")
        return cls(match[1], match[2])

    @classmethod
    def of(cls, root: Path) -> Self:
        """Return where the manifest in this folder says that the repository is."""
        [manifest] = root.glob("custom_components/*/manifest.json")
        address: str = json.loads(manifest.read_text())["documentation"]
        return cls.parse(address.removeprefix("https://github.com/"))


def renamed(text: str, old: Home, new: Home) -> str:
    """Replace the old owner and name in each form in which they may stand."""
    owner, name = re.escape(old.owner), re.escape(old.name)
    for pattern, replacement in (
        # In an address, and in an address that is part of another.
        (rf"{_BEFORE}{owner}/{name}{_AFTER}", f"{new.owner}/{new.name}"),
        (rf"(?<=%2F){owner}%2F{name}{_AFTER}", f"{new.owner}%2F{new.name}"),
        (rf"owner={owner}&repository={name}&", f"owner={new.owner}&repository={new.name}&"),
        (rf'"@{owner}"', f'"@{new.owner}"'),
    ):
        text = re.sub(pattern, replacement, text)
    return text


def rename(root: Path, new: Home) -> list[Path]:
    """Replace the owner and the name in all files of a folder; return those that have changed."""
    old = Home.of(root)
    changed = []
    for path in repository_files(root):
        text = path.read_text()
        if (other := renamed(text, old, new)) != text:
            path.write_text(other)
            changed.append(path)
    return sorted(changed)


def main() -> int:
    """Rename what the command line says; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="scripts/rename",
        description="Give the repository another owner and name, wherever they have to stand.",
        epilog="Look at the changes with git diff, then run scripts/test.",
    )
    parser.add_argument("home", metavar="OWNER/NAME", type=Home.parse, help="as on GitHub")
    for path in rename(ROOT, parser.parse_args().home):
        print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
