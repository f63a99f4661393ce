"""The translations: complete, with the same placeholders, and short where there is little room."""

import re
from typing import Any, Final

import pytest

from tests.repository import INTEGRATION, load
from tests.texts import texts

ENGLISH: Final = dict(texts(load("translations/en.json")))
LANGUAGES: Final = ("de", "es", "fr", "it", "nl", "pt-BR")

_PLACEHOLDER: Final = re.compile(r"{\w+}")
_QUOTED: Final = re.compile(r"`[^`]*`")
_LINK: Final = re.compile(r"\]\(([^)]*)\)")
_NEVER_TRANSLATED: Final = (
    "X-Plex-Token=",
    "eyJ",
    "plex.direct",
    "/api/webhook/",
    "https",
    "Plex Web",
    "Plex Media Server",
    "Plex Pass",
    "Plex Home",
    "Home Assistant",
    "Plex Butler",
    "32400",
)
"""What stands in a translation if it stands in the English text."""
_WORD: Final = re.compile(r"[^\W\d_]+")


def _translation(language: str) -> dict[str, str]:
    return dict(texts(load(f"translations/{language}.json")))


def _room(path: str) -> int | None:
    """Return how many characters a text has room for, None for a text that may wrap."""
    parts = path.split(".")
    if parts[1] == "step" and parts[-1] == "title":
        return 30
    if "fix_flow" in parts and parts[-1] == "title":
        # On a phone, a longer one is written over the line below it.
        return 33
    if "menu_options" in parts:
        return 40
    if path.startswith("entity.") and parts[-1] == "name":
        return 60
    if "state" in parts or path.startswith("selector."):
        return 60
    return 60 if parts[-1] in ("name", "title") or "data" in parts else None


def _words(text: str) -> list[str]:
    """Return the words of a text, without placeholders and names."""
    for name in _NEVER_TRANSLATED:
        text = text.replace(name, "")
    return _WORD.findall(_PLACEHOLDER.sub("", text))


@pytest.mark.parametrize("language", LANGUAGES)
class TestTranslation:
    """One language beside English."""

    def test_has_the_same_texts(self, language: str) -> None:
        """A text that is missing is shown in English, one too many never."""
        assert list(_translation(language)) == list(ENGLISH)

    def test_has_the_same_placeholders(self, language: str) -> None:
        """A placeholder without a value is shown as an error."""
        wrong = {
            path: text
            for path, text in _translation(language).items()
            if sorted(_PLACEHOLDER.findall(text)) != sorted(_PLACEHOLDER.findall(ENGLISH[path]))
        }
        assert not wrong

    def test_keeps_what_is_no_language(self, language: str) -> None:
        """Names, what is typed or copied, code and links are the same everywhere."""
        wrong: dict[str, Any] = {}
        for path, text in _translation(language).items():
            english = ENGLISH[path]
            if lost := [name for name in _NEVER_TRANSLATED if name in english and name not in text]:
                wrong[path] = lost
            for pattern in (_QUOTED, _LINK):
                if sorted(pattern.findall(text)) != sorted(pattern.findall(english)):
                    wrong[path] = text
            if english.count("\n\n") != text.count("\n\n") or text != text.strip():
                wrong[path] = text
        assert not wrong

    def test_fits_where_there_is_little_room(self, language: str) -> None:
        """Titles of dialogs are cut on a phone, buttons and drop-downs anywhere."""
        wrong = {
            path: text
            for path, text in _translation(language).items()
            if (room := _room(path))
            and len(text) > (room if room < 60 else max(room, len(ENGLISH[path]) + 20))
        }
        assert not wrong

    def test_leaves_nothing_in_english(self, language: str) -> None:
        """A text of more than two words is translated; a shorter one may be the same word."""
        same = {
            path: text
            for path, text in _translation(language).items()
            if text == ENGLISH[path] and len(_words(text)) > 2
        }
        assert not same


def test_every_translation_is_checked() -> None:
    files = {path.stem for path in (INTEGRATION / "translations").iterdir()}
    assert files == {"en", *LANGUAGES}
