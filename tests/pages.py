"""The pages of the documentation, as GitHub shows them."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
import re
from typing import Any, Final

import yaml

from tests.repository import ROOT, repository_files

PAGES: Final = sorted(path for path in repository_files() if path.suffix == ".md")
"""All that GitHub shows as a page."""
DOCS: Final = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
"""What is written for users."""

_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING: Final = re.compile(r"^(#+) (.+)$", re.MULTILINE)
_INLINE: Final = re.compile(r"(?<!\\)\[(?:[^][]|\[[^][]*\])*\]\(([^)\s]+)\)")
_REFERENCE: Final = re.compile(r"^\[[^]]+]: (\S+)$", re.MULTILINE)
_HTML: Final = re.compile(r'(?:src|href)="([^"]+)"')
_IMAGE: Final = re.compile(
    r'!\[([^]]*)]\(([^)\s]+)\)|<img src="([^"]+)" width="\d+" alt="([^"]*)">'
)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of YAML. `section` is the heading that it stands below."""

    page: Path
    section: str
    text: str

    @property
    def content(self) -> Any:
        """Return what it says."""
        return yaml.safe_load(self.text)

    @property
    def name(self) -> str:
        """Return its alias or, if it has none, where it stands."""
        content = self.content
        alias = content.get("alias") if isinstance(content, dict) else None
        return alias or f"{self.page.stem}: {self.section}"


def prose(page: Path) -> str:
    """Return a page without its blocks of code."""
    return _FENCE.sub("", page.read_text())


def headings(page: Path) -> list[str]:
    """Return the headings, with their number signs."""
    return [f"{level} {text}" for level, text in _HEADING.findall(prose(page))]


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    found: set[str] = set()
    for _, text in _HEADING.findall(prose(page)):
        shown = re.sub(r"\[([^]]*)]\([^)]*\)", r"\1", text)
        slug = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        number = sum(bool(re.fullmatch(rf"{re.escape(slug)}(-\d+)?", other)) for other in found)
        found.add(f"{slug}-{number}" if slug in found else slug)
    return found


def links(page: Path) -> Iterator[str]:
    """Yield the targets of all links and images of a page."""
    text = re.sub(r"`[^`\n]*`", "``", prose(page))
    for pattern in (_INLINE, _REFERENCE, _HTML):
        yield from pattern.findall(text)
    # A badge is an image inside a link.
    yield from re.findall(r"!\[[^]]*]\(([^)\s]+)\)", text)


def images(page: Path) -> Iterator[tuple[str, str]]:
    """Yield the address and the text of each image of a page."""
    for alt, source, html_source, html_alt in _IMAGE.findall(prose(page)):
        yield source or html_source, alt or html_alt


def blocks(page: Path) -> Iterator[Block]:
    """Yield the blocks of YAML of a page."""
    text = page.read_text()
    for match in _FENCE.finditer(text):
        if match[1] == "yaml":
            before = _FENCE.sub("", text[: match.start()])
            yield Block(page, _HEADING.findall(before)[-1][1], match[2])
