"""Where the files of the project are."""

import json
from pathlib import Path
from typing import Any, Final

from custom_components.plex_butler.const import DOMAIN

ROOT: Final = Path(__file__).parents[1]
INTEGRATION: Final = ROOT / "custom_components" / DOMAIN


def load(path: str) -> Any:
    """Read a JSON file of the integration."""
    return json.loads((INTEGRATION / path).read_text())
