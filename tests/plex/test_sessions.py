"""Sessions: how many play something, and nothing else of them."""

from dataclasses import astuple
import json
from typing import Any

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.plex_butler.plex import NotOwnerError, NotPlexError, SessionChanged
from custom_components.plex_butler.plex.parse import (
    MOST_CHANGES,
    MOST_SESSIONS,
    parse_notifications,
    parse_sessions,
)
from tests.plex.clients import client_for
from tests.simulator import SimulatedPlex

PRIVATE = {"title": "Private Movie", "User": {"title": "Somebody"}, "viewOffset": 381000}


def session(state: Any) -> dict[str, Any]:
    return PRIVATE | {"Player": {"state": state, "title": "Living room"}}


def answer(*rows: Any, size: Any = None) -> bytes:
    container = {"size": len(rows) if size is None else size} | ({"Metadata": rows} if rows else {})
    return json.dumps({"MediaContainer": container}).encode()


@pytest.mark.parametrize(
    ("body", "playing"),
    [
        (answer(), 0),
        (answer(session("playing")), 1),
        (answer(session("playing"), session("buffering"), session("playing")), 3),
        (answer(session("paused")), 0),
        (answer(session("paused"), session("playing"), session("stopped")), 1),
        # Where it is not said, or not known, it counts.
        (answer(session("rewinding"), session(7), session(None), session([])), 4),
        (answer(PRIVATE, PRIVATE | {"Player": "TV"}, PRIVATE | {"Player": []}), 3),
        (answer(PRIVATE | {"Player": [{"state": "paused"}]}), 0),
        (answer(*[session("playing")] * (MOST_SESSIONS + 1)), MOST_SESSIONS),
        (answer("a film", 7, None, {}), 0),
        (b'{"MediaContainer":{"Metadata":{"Player":{"state":"playing"}}}}', 1),
        (b'{"MediaContainer":{"Metadata":[]}}', 0),
        (b'{"MediaContainer":{"size":"0"}}', 0),
        (answer(size="2"), 2),
        (answer(size=-1), 0),
        (answer(size=10**15), MOST_SESSIONS),
        (b'<MediaContainer size="0">\n</MediaContainer>', 0),
        # The state is too deep in XML.
        (b'<MediaContainer size="1"><Video><Player state="paused"/></Video></MediaContainer>', 1),
    ],
)
def test_how_many_play(body: bytes, playing: int) -> None:
    assert parse_sessions(body) == playing
    assert type(parse_sessions(body)) is int


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>Log in</body></html>",
        b"[]",
        b"{}",
        b'{"MediaContainer":{}}',
        b'{"MediaContainer":{"size":"many"}}',
        b'{"MediaContainer":[]}',
    ],
)
def test_what_is_no_list(body: bytes) -> None:
    with pytest.raises(NotPlexError):
        parse_sessions(body)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(deadline=None)
@given(st.fixed_dictionaries({}, optional=dict.fromkeys(("size", "Metadata"), ANYTHING)))
def test_any_list(container: dict[str, Any]) -> None:
    body = json.dumps({"MediaContainer": container}).encode()
    try:
        assert 0 <= parse_sessions(body) <= MOST_SESSIONS
    except NotPlexError:
        assert container.get("Metadata") is None


def frame(*rows: Any) -> str:
    container = {"type": "playing", "size": len(rows), "PlaySessionStateNotification": rows}
    return json.dumps({"NotificationContainer": container})


@pytest.mark.parametrize(
    ("row", "change"),
    [
        ({"sessionKey": "7", "state": "playing"}, SessionChanged("7", playing=True, ended=False)),
        ({"sessionKey": 7, "state": "buffering"}, SessionChanged("7", playing=True, ended=False)),
        ({"sessionKey": "7", "state": "paused"}, SessionChanged("7", playing=False, ended=False)),
        ({"sessionKey": "7", "state": "stopped"}, SessionChanged("7", playing=False, ended=True)),
        ({"state": "stopped"}, SessionChanged("", playing=False, ended=True)),
        ({"sessionKey": [], "state": "paused"}, SessionChanged("", playing=False, ended=False)),
        ({"sessionKey": "7"}, None),
        ({"sessionKey": "7", "state": "rewinding"}, None),
        ({"sessionKey": "7", "state": ["playing"]}, None),
        ("playing", None),
    ],
)
def test_frames_say_who_plays_and_nothing_else(
    row: dict[str, Any] | str, change: SessionChanged | None
) -> None:
    told = parse_notifications(frame(PRIVATE | row if isinstance(row, dict) else row))
    assert told == ((change,) if change else ())
    assert {type(value) for each in told for value in astuple(each)} <= {str, bool}


def test_of_too_many_rows_the_rest_is_not_read() -> None:
    row = {"sessionKey": "7", "state": "playing"}
    assert len(parse_notifications(frame(*[row] * (MOST_CHANGES + 1)))) == MOST_CHANGES


# The client


@pytest.mark.usefixtures("socket_enabled")
@pytest.mark.parametrize("xml", [False, True])
async def test_client_counts(server: SimulatedPlex, xml: bool) -> None:
    server.faults.always_xml = xml
    async with client_for(server.url, token=server.owner_token, machine_identifier=None) as client:
        assert await client.sessions() == 0
        server.users.play()
        server.users.play("paused", "Bedroom")
        assert await client.sessions() == (2 if xml else 1)
        server.faults.no_sessions = True
        assert await client.sessions() is None
        server.faults.sessions_refused = True
        with pytest.raises(NotOwnerError):
            await client.sessions()
        assert await client.activities()
