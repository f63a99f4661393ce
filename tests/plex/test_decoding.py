"""Values in every form in which Plex writes them."""

from typing import Any

import pytest

from custom_components.plex_butler.plex import NotPlexError
from custom_components.plex_butler.plex.account.errors import NotPlexTvError
from custom_components.plex_butler.plex.decoding import (
    bool_of,
    decode,
    int_of,
    rows_of,
    text_of,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("text", "text"),
        (" \ttext\r\n", "text"),
        ("Größe", "Größe"),
        ("\u00a0Größe\u2003", "Größe"),
        ("\ud83d!", "?!"),
        ("\x04te\x00x\x7ft\u202e", "text"),
        ("one\ntwo\u2028three\u00a0four", "one two three four"),
        ("\x04", None),
        ("a" * 300_000, "a" * 255),
        ("\x04" * 255 + "ab", "ab"),
        (" " * 300_000 + "a", "a"),
        ("a" * 254 + " b", "a" * 254),
        ("\x04" * 1020 + "ab", None),
        ("", None),
        (" ", None),
        (7, "7"),
        (0, "0"),
        (True, None),
        (1.5, None),
        (None, None),
        (["text"], None),
    ],
)
def test_texts(value: Any, text: str | None) -> None:
    assert text_of(value) == text


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (0, 0),
        (-1, -1),
        (2**53, 2**53),
        (-(2**53), -(2**53)),
        ("7", 7),
        (" 7 ", 7),
        ("7.9", 7),
        (7.9, 7),
        (10**400, None),
        (-(10**400), None),
        ("1e400", None),
        (float("nan"), None),
        (True, None),
        (None, None),
        ([7], None),
    ],
)
def test_numbers(value: Any, number: int | None) -> None:
    assert int_of(value) == number


def test_a_number_is_the_same_in_json_and_in_xml() -> None:
    for value in (2**53 - 1, 2**53, 2**53 + 1, 2**60 + 1, -(2**60) - 1):
        assert int_of(value) == int_of(str(value))


@pytest.mark.parametrize("value", [True, 1, "1", "true", "TRUE"])
def test_true(value: Any) -> None:
    assert bool_of(value) is True


@pytest.mark.parametrize("value", [False, 0, "0", "false", "False"])
def test_false(value: Any) -> None:
    assert bool_of(value) is False


@pytest.mark.parametrize("value", [None, "", "yes", 2, 1.5, 1.0, [], {}, [True]])
def test_neither(value: Any) -> None:
    assert bool_of(value) is None


@pytest.mark.parametrize(
    ("value", "rows"),
    [
        ([{"a": 1}, {}, "x", None, {"b": 2}], [{"a": 1}, {}, {}, {}, {"b": 2}]),
        ({"a": 1}, [{"a": 1}]),
        ([], []),
        ({}, []),
        (None, []),
        ("x", [{}]),
    ],
)
def test_rows(value: Any, rows: list[dict[str, int]]) -> None:
    assert list(rows_of(value)) == rows


XML = b'\xef\xbb\xbf\n<A b="1"><C d="2"/><C d="3"><E/></C><F g="4"/>text</A>'


def test_xml_becomes_the_json_of_the_same_answer() -> None:
    assert decode(XML, NotPlexError, xml=True) == {
        "A": {"b": "1", "C": [{"d": "2"}, {"d": "3"}], "F": [{"g": "4"}]}
    }


def test_xml_is_decoded_only_where_it_is_expected() -> None:
    with pytest.raises(NotPlexTvError):
        decode(XML, NotPlexTvError)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"secret", b"<secret>", b"<!DOCTYPE a><a/>", b"[" * 200_000, b"\xff"]
)
def test_an_error_holds_nothing_of_the_body(body: bytes) -> None:
    with pytest.raises(NotPlexError) as caught:
        decode(body, NotPlexError, xml=True)

    assert "secret" not in f"{caught.value!r}"
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"\xef\xbb\xbf [1]\n", [1]),
        (b'["\xff"]', ["\ufffd"]),
        (b'["\\ud83d"]', ["\ud83d"]),
        (b"[Infinity]", [float("inf")]),
    ],
)
def test_sloppy_json_is_decoded(body: bytes, value: Any) -> None:
    assert decode(body, NotPlexError) == value


def test_a_text_without_an_end() -> None:
    assert text_of("a" * 1000, longest=None) == "a" * 1000


@pytest.mark.parametrize("title", ["\x04", "\n", "\x1f\x00\x7f", "\uffff", "\ufffe"])
def test_control_characters_in_json(title: str) -> None:
    body = f'{{"title": "{title}", "name": "a"}}'.encode()
    assert decode(body, NotPlexError) == {"title": title, "name": "a"}


@pytest.mark.parametrize(
    ("title", "left"),
    [
        ("\x04", ""),
        ("&#4;", ""),
        ("&#x1f;", ""),
        ("&#x1F;", ""),
        ("&#0;", ""),
        ("&#0000000004;", ""),
        ("&#X4;", ""),
        ("&#99999999999;", ""),
        ("\x04&#X41;", "A"),
        ("\uffff", ""),
        ("&#xFFFF;", ""),
        ("&#65534;", ""),
        ("&#xD800;", ""),
        ("&#x110000;", ""),
        ("\x04&#9;&#10;&#13;&#x20;", "\t\n\r "),
        ("\x04&#xD7FF;&#xE000;&#xFFFD;", "\ud7ff\ue000\ufffd"),
        ("\x04&#x10000;&#x10FFFF;", "\U00010000\U0010ffff"),
        ("\x04&amp;#4;", "&#4;"),
    ],
)
def test_control_characters_in_xml(title: str, left: str) -> None:
    body = f'<a title="{title}" name="a"/>'.encode()
    assert decode(body, NotPlexError, xml=True) == {"a": {"title": left, "name": "a"}}


def test_broken_xml_with_control_characters() -> None:
    with pytest.raises(NotPlexError):
        decode(b'<a title="\x04" name=/>', NotPlexError, xml=True)
