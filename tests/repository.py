"""Where the files of the project are."""

from collections.abc import Iterator
import json
from pathlib import Path
import re
from typing import Any, Final

from custom_components.plex_butler.const import DOMAIN

ROOT: Final = Path(__file__).parents[1]
INTEGRATION: Final = ROOT / "custom_components" / DOMAIN


def load(path: str) -> Any:
    """Read a JSON file of the integration."""
    return json.loads((INTEGRATION / path).read_text())


def repository_files(root: Path = ROOT) -> Iterator[Path]:
    """Walk through what belongs to the project, text only."""
    for folder, folders, names in root.walk():
        folders[:] = [
            name
            for name in folders
            if name in {".ci", ".github"} or not name.startswith((".", "__pycache__"))
        ]
        yield from (
            folder / name
            for name in names
            if not re.search(r"\.png$|^\.coverage|^\.git$|^\.venv", name)
        )
