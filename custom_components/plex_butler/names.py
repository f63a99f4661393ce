"""Names that others have chosen, made fit to be shown."""

from collections.abc import Iterable, Mapping, Sequence
import re
from typing import Final

_PUNCTUATION: Final = re.compile(r"([!-/:-@\[-`{-~])")
_LONGEST: Final = 100
_NONE: Final = "-"


def as_text(name: str) -> str:
    """Return a name for a description, which the frontend shows as markdown.

    Anybody may share a server with the user, under any name. With a backslash before each
    punctuation character nothing of it becomes a link, an image or HTML (CommonMark).
    """
    visible = "".join(char for char in " ".join(name.split()) if char.isprintable())
    return _PUNCTUATION.sub(r"\\\1", visible[:_LONGEST])


def listed(names: Iterable[str]) -> str:
    """Return names for a description, separated by commas; a dash if there are none."""
    return ", ".join(map(as_text, names)) or _NONE


def distinct(options: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return one label for each option, as short as it may be to differ from all others.

    `options` maps each value to its possible labels, the shortest one first.
    """
    labels: dict[str, str] = {}
    for value, own in options.items():
        others = {label for other, forms in options.items() if other != value for label in forms}
        labels[value] = next((label for label in own if label not in others), own[-1])
    return labels
