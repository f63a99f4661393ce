"""What Plex sends to a webhook: found in the first part of a body, and refused unless it is ours."""

import json
import random
from typing import Any, Final

from aiohttp import FormData
from hypothesis import example, given, settings, strategies as st
import pytest

from custom_components.plex_butler.plex.webhook import (
    MOST_BYTES,
    PayloadReader,
    WebhookEvent,
    parse_webhook,
)
from tests.simulator import Faults
from tests.simulator.webhooks import BACKUP, CORRUPTED, LOOK_ALIKE, PICTURE, Webhooks, multipart

UUID: Final = "e004a7de" + "0" * 32
BOUNDARY: Final = "------------------------0123456789abcdef"
CONTENT_TYPE: Final = f"multipart/form-data; boundary={BOUNDARY}"
SERVER: Final = Webhooks(Faults(), "Den", UUID)


def body_of(event: str, /, **changes: Any) -> bytes:
    return json.dumps(SERVER.fields(event, **changes)).encode()


def read(body: bytes, *, content_type: str = CONTENT_TYPE, step: int = 8192) -> PayloadReader:
    """Feed a body in steps, as long as more of it is wanted."""
    reader, fed = PayloadReader(content_type), 0
    while (size := min(step, reader.wanted, len(body) - fed)) > 0:
        reader.feed(body[fed : fed + size])
        fed += size
    return reader


# The body


@pytest.mark.parametrize("content_type", [True, False])
@pytest.mark.parametrize("picture", [b"", PICTURE])
@pytest.mark.parametrize("step", [1, 7, 100, 8192, 1_000_000])
def test_first_part_is_found_however_it_arrives(
    *, content_type: bool, picture: bytes, step: int
) -> None:
    content = body_of("media.play")
    reader = read(multipart(content, picture, content_type=content_type), step=step)
    assert reader.payload == content
    assert reader.done
    assert reader.wanted == 0


def test_nothing_behind_the_first_part_is_wanted() -> None:
    body = multipart(body_of("media.play"), PICTURE)
    reader = PayloadReader(CONTENT_TYPE)
    read_bytes = 0
    while reader.wanted:
        reader.feed(body[read_bytes : read_bytes + 512])
        read_bytes += 512
    assert read_bytes < 2000


@pytest.mark.parametrize(
    "content_type",
    [
        f'multipart/form-data; boundary="{BOUNDARY}"',
        f"Multipart/Form-Data;charset=utf-8;Boundary={BOUNDARY}",
    ],
)
def test_content_type_in_other_forms(content_type: str) -> None:
    assert read(multipart(b"{}"), content_type=content_type).payload == b"{}"


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/json",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        f"multipart/mixed; boundary={BOUNDARY}",
    ],
)
def test_nothing_is_wanted_of_another_kind_of_body(content_type: str) -> None:
    reader = PayloadReader(content_type)
    assert reader.done
    assert reader.wanted == 0
    assert reader.payload is None


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b"\r\n" + multipart(b"{}"),
        multipart(b"{}").replace(b'"payload"', b'"thumb"'),
        multipart(b"{}").replace(b'name="payload"', b'filename="payload"'),
        multipart(b"{}").replace(b'"payload"', b"payload2"),
    ],
    ids=["no part", "a preamble", "another part", "a file's name", "another name"],
)
def test_body_that_begins_with_something_else_is_left_at_once(body: bytes) -> None:
    reader = read(body, step=200)
    assert reader.done
    assert reader.payload is None


def test_name_may_stand_without_quotes() -> None:
    assert read(multipart(b"{}").replace(b'"payload"', b"payload")).payload == b"{}"


@pytest.mark.parametrize(
    "body",
    [multipart(b"x" * MOST_BYTES), multipart(b"{}")[:60] + b"x" * MOST_BYTES],
    ids=["a long part", "a long head"],
)
@pytest.mark.parametrize("step", [1000, MOST_BYTES])
def test_no_more_than_64_kb_are_wanted(body: bytes, step: int) -> None:
    reader = read(body, step=step)
    assert not reader.done
    assert reader.wanted == 0
    assert reader.payload is None


def test_part_that_is_cut_off_is_none() -> None:
    body = multipart(body_of(BACKUP))
    assert read(body[:-100]).payload is None


async def test_body_that_aiohttp_writes_is_read() -> None:
    """It writes boundaries, names and line breaks in its own way."""
    form = FormData()
    form.add_field("payload", "{}", content_type="application/json")
    form.add_field("thumb", PICTURE, filename="thumb.jpg", content_type="image/jpeg")
    writer = form()
    body = await writer.as_bytes()
    assert read(body, content_type=writer.headers["Content-Type"]).payload == b"{}"


# The payload


@pytest.mark.parametrize(
    ("event", "parsed"),
    [
        (BACKUP, WebhookEvent.BACKUP),
        (CORRUPTED, WebhookEvent.CORRUPTED),
        ("media.play", WebhookEvent.OTHER),
        ("device.new", WebhookEvent.OTHER),
        ("admin.database.backup.refused", WebhookEvent.OTHER),
    ],
)
@pytest.mark.parametrize("kind", [bytes, bytearray, bytes.decode])
@pytest.mark.parametrize("changes", [{}, {"Account": None}, {"owner": None}, {"owner": 1}])
def test_events_of_this_server(
    event: str, parsed: WebhookEvent, kind: Any, changes: dict[str, Any]
) -> None:
    assert parse_webhook(kind(body_of(event, **changes)), UUID) is parsed


@pytest.mark.parametrize(
    "payload",
    [
        json.dumps(LOOK_ALIKE),
        body_of(BACKUP, Server={"title": "Friend", "uuid": "f" * 40}),
        body_of(BACKUP, Server={"title": UUID}),
        body_of(BACKUP, Server={"title": "Friend", "uuid": [UUID]}),
        body_of(BACKUP, Server=UUID),
        body_of(BACKUP, Server=[{"uuid": UUID}]),
        body_of(BACKUP, Server=None, Account={"title": UUID}),
        body_of(BACKUP, Server={"uuid": UUID + "0"}),
        body_of(BACKUP, owner=False),
        body_of(BACKUP).replace(b'"owner": true', b'"owner": null'),
        body_of(BACKUP, owner="no"),
        body_of(BACKUP, event=[BACKUP]),
        body_of(BACKUP)[:-1],
        b"[" + body_of(BACKUP) + b"]",
        json.dumps(UUID),
        b"[" * 100_000 + UUID.encode(),
        b"",
        "",
    ],
)
def test_everything_else_is_refused(payload: bytes | str) -> None:
    assert parse_webhook(payload, UUID) is None


JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([UUID]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["event", "Server", "owner", "uuid", "Account"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)


@settings(max_examples=300)
@given(payload=st.binary() | st.text() | JSON.map(json.dumps))
def test_no_payload_breaks_the_parser(payload: bytes | str) -> None:
    parsed = parse_webhook(payload, UUID)
    assert parsed is None or json.loads(payload)["Server"]["uuid"] == UUID


@settings(max_examples=300)
@given(
    content_type=st.text(max_size=40) | st.sampled_from([CONTENT_TYPE, CONTENT_TYPE.upper()]),
    pieces=st.lists(
        st.binary(max_size=30)
        | st.sampled_from([b"\r\n", b"--", BOUNDARY.encode(), b'name="payload"', b"\r\n\r\n"]),
        max_size=20,
    ),
    step=st.integers(1, 40),
)
@example(content_type=CONTENT_TYPE, pieces=[multipart(b"{}")], step=3)
def test_no_body_breaks_the_reader(content_type: str, pieces: list[bytes], step: int) -> None:
    """What it finds does not depend on how the body arrives, and is a part of it."""
    body = b"".join(pieces)
    reader = read(body, content_type=content_type, step=step)
    assert reader.payload == read(body, content_type=content_type).payload
    assert reader.payload is None or reader.payload in body


def test_nothing_breaks_either_of_them_however_a_body_is_damaged() -> None:
    """100,000 bodies, most of which still look like one."""
    chance, body = random.Random(1), multipart(body_of(BACKUP), b"a picture")
    found = 0
    for _ in range(100_000):
        damaged = bytearray(body)
        for _ in range(chance.randrange(3)):
            start = chance.randrange(len(damaged))
            damaged[start : start + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
        reader = read(bytes(damaged), step=chance.choice((97, 8192)))
        found += parse_webhook(reader.payload or b"", UUID) is WebhookEvent.BACKUP
    assert 50_000 < found < 90_000
