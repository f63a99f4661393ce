"""The simulated server's answers beside those of real ones, and the API description's shapes."""

from collections.abc import Iterator
import json
from typing import Any, Final
from xml.etree import ElementTree as ET

import pytest

from tests.bare_http import FIXTURES, JSON, Answer, ask, request, send, shape
from tests.simulator import SimulatedPlex

pytestmark = pytest.mark.usefixtures("socket_enabled")

DESCRIBED: Final = json.loads((FIXTURES / "operations.json").read_text())
SILENT: Final = "DeepMediaAnalysis"
READS: Final = ("/identity", "/", "/butler", "/activities", "/:/prefs")

TYPES: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "value": (str, int, float, bool),
}


def fixture(name: str) -> str:
    return (FIXTURES / name).read_text()


def fits(row: dict[str, Any], described: str) -> bool:
    """Tell whether a row has no field but those that are described, of the types described."""
    fields = DESCRIBED["fields"][described]
    return all(
        isinstance(value, TYPES[fields[name]])
        and (isinstance(value, bool) <= (fields[name] in ("boolean", "value")))
        for name, value in row.items()
    )


async def answers(server: SimulatedPlex, path: str) -> tuple[Any, ET.Element]:
    """Return what is answered in JSON, without its root, and in XML."""
    as_json = await ask(server, "GET", path)
    as_xml = await ask(server, "GET", path, accept="")
    assert as_json.headers["Content-Type"] == JSON
    assert as_xml.headers["Content-Type"] == "text/xml;charset=utf-8"
    ((root, content),) = as_json.json().items()
    assert as_xml.xml().tag == root
    return content, as_xml.xml()


def head(answer: bytes) -> list[str]:
    """Return the lines of a head, with the time left out."""
    lines = answer.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    return ["Date: ..." if line.startswith("Date: ") else line for line in lines]


# --- bytes


@pytest.mark.parametrize("accept", ["", "Accept: application/json\r\n"])
@pytest.mark.parametrize("token", ["", "X-Plex-Token: bogus\r\n"])
async def test_unauthorized_to_the_byte(server: SimulatedPlex, accept: str, token: str) -> None:
    expected = fixture("unauthorized.http").rstrip("\n").replace("\n", "\r\n")
    data = f"GET /butler HTTP/1.1\r\nHost: 127.0.0.1\r\n{token}{accept}\r\n"
    # The first request keeps its connection, the second one ends it.
    data += data.replace("Host", "Connection: close\r\nHost")
    answer = await send(server, data.encode())
    first = answer[: len(answer) // 2 + 20].partition(b"</html>")[0] + b"</html>"
    date = next(line for line in first.decode().split("\r\n") if line.startswith("Date: "))
    assert date.endswith(" GMT")
    assert first.decode().replace(date, "Date: ...") == expected


@pytest.mark.parametrize(
    ("line", "status", "page"),
    [
        ("GET /nowhere", "404 Not Found", b"404 Not Found"),
        ("POST /butler/Nobody", "404 Not Found", b"404 Not Found"),
        ("DELETE /activities/nobody", "404 Not Found", b"404 Not Found"),
        ("GET /:/prefs/get?id=Nobody", "404 Not Found", b"404 Not Found"),
        ("PUT /butler", "404 Not Found", b"404 Not Found"),
    ],
)
async def test_refusals_are_made_from_one_template(
    server: SimulatedPlex, line: str, status: str, page: bytes
) -> None:
    answer = await send(server, request(server, line, "Connection: close"))
    lines, body = head(answer), answer.partition(b"\r\n\r\n")[2]
    assert lines[0] == f"HTTP/1.1 {status}"
    assert body == (
        b"<html><head><title>Not Found</title></head><body><h1>" + page + b"</h1></body></html>"
    )
    assert "Connection: close" in lines
    assert not [name for name in lines if name.startswith("Keep-Alive")]


async def test_forbidden_is_made_from_the_template(server: SimulatedPlex) -> None:
    answer = await ask(server, "GET", "/butler", token=server.shared_token)
    assert answer.status == 403
    assert answer.body == (
        b"<html><head><title>Forbidden</title></head><body><h1>403 Forbidden</h1></body></html>"
    )


async def test_browser_is_led_to_the_app(server: SimulatedPlex) -> None:
    answer = await ask(server, "GET", "/", token="", accept="text/html,*/*")
    assert answer.status == 401
    assert b"<head><script>window.location = " in answer.body
    assert b"web/index.html';</script><title>Unauthorized</title>" in answer.body
    elsewhere = await ask(server, "GET", "/butler", token="", accept="text/html,*/*")
    assert b"<script>" not in elsewhere.body


@pytest.mark.parametrize(
    "line",
    ["GET /identity", "GET /butler", "GET /activities", "POST /butler/BackupDatabase", "GET /x"],
)
async def test_headers_come_in_one_order_and_name_no_library(
    server: SimulatedPlex, line: str
) -> None:
    data = request(server, line) + request(server, line, "Connection: close")
    lines = head((await send(server, data)).partition(b"HTTP/1.1")[2])
    names = [name.partition(":")[0] for name in lines[1:]]
    assert names == [
        name.partition(":")[0] for name in fixture("unauthorized.http").splitlines()[1:8]
    ]
    assert "Connection: Keep-Alive" in lines
    assert "Keep-Alive: timeout=20" in lines


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_commands_are_answered_by_an_empty_page(server: SimulatedPlex, method: str) -> None:
    server.butler.start(SILENT)
    paths = ["/butler"] if method == "DELETE" else ["/butler", f"/butler/{SILENT}"]
    for path in paths:
        answer = await ask(server, method, path)
        assert answer.status in (200, 202)
        assert (answer.headers["Content-Type"], answer.body) == ("text/html", b"")


async def test_head_is_a_get_without_a_body(server: SimulatedPlex) -> None:
    get = await ask(server, "GET", "/identity")
    answer = await ask(server, "HEAD", "/identity")
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(get.body))
    assert (await ask(server, "HEAD", "/butler", token="")).status == 401


async def test_options_want_no_token(server: SimulatedPlex) -> None:
    assert (await ask(server, "OPTIONS", "/butler", token="")).status == 200


@pytest.mark.parametrize("path", ["/butler/", "/activities/"])
async def test_slash_at_the_end_changes_nothing(server: SimulatedPlex, path: str) -> None:
    with_slash = await ask(server, "GET", path)
    assert with_slash.body == (await ask(server, "GET", path[:-1])).body


async def test_maintenance(server: SimulatedPlex) -> None:
    server.faults.maintenance = True
    as_json = await ask(server, "GET", "/butler")
    assert as_json.body == fixture("maintenance.json").strip().encode()
    assert as_json.headers["Content-Type"] == JSON
    as_xml = await ask(server, "GET", "/butler", accept="")
    assert as_xml.body == fixture("maintenance.xml").encode()
    assert "Retry-After" not in as_xml.headers


# --- containers


async def test_identity(server: SimulatedPlex) -> None:
    async with SimulatedPlex(claimed=False) as unclaimed:
        answer = await ask(unclaimed, "GET", "/identity", token="")
        assert answer.body == fixture("identity.json").strip().encode()
    content, _ = await answers(server, "/identity")
    assert fits({name: content[name] for name in DESCRIBED["fields"]["Identity"]}, "Identity")
    as_xml = await ask(server, "GET", "/identity", accept="")
    assert as_xml.body.decode() == (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<MediaContainer size="0" apiVersion="1.2.3" claimed="1" '
        f'machineIdentifier="{server.machine_identifier}" version="{server.version}">\n'
        "</MediaContainer>\n"
    )


async def test_root_has_nothing_that_a_real_one_has_not(server: SimulatedPlex) -> None:
    real = ET.fromstring(fixture("root.xml"))  # noqa: S314 - a file of ours
    content, root = await answers(server, "/")
    assert set(root.attrib) <= set(real.attrib)
    assert {"friendlyName", "machineIdentifier", "version", "myPlexSubscription"} <= set(content)
    assert [row.attrib["key"] for row in root] == [row.attrib["key"] for row in real]
    assert {tuple(row.attrib) for row in root} == {("count", "key", "title")}
    assert int(root.attrib["size"]) == len(root)
    assert content["myPlexSubscription"] is True
    for name in ("myPlexSigninState", "multiuser", "myPlex"):
        assert root.attrib[name] == real.attrib[name]


async def test_friendly_name_is_a_preference(server: SimulatedPlex) -> None:
    assert (await answers(server, "/"))[0]["friendlyName"] == server.friendly_name
    await ask(server, "PUT", "/:/prefs?FriendlyName=Attic%20%22%26%3C")
    content, root = await answers(server, "/")
    assert content["friendlyName"] == root.attrib["friendlyName"] == 'Attic "&<'


async def test_tasks(server: SimulatedPlex) -> None:
    content, _ = await answers(server, "/butler")
    assert list(content) == ["ButlerTask"]
    rows = {row["name"]: row for row in content["ButlerTask"]}
    assert all(fits(row, "ButlerTask") for row in rows.values())
    assert {shape(row)[0] for row in rows.values()} == {("name", "str")}
    assert {tuple(row) for row in rows.values()} == {
        ("name", "interval", "scheduleRandomized", "enabled", "title", "description")
    }
    assert {row["interval"] for row in rows.values()} == {1, 3, 7}
    assert rows["BackupDatabase"] == {
        "name": "BackupDatabase",
        "interval": 3,
        "scheduleRandomized": False,
        "enabled": True,
        "title": "Backup Database",
        "description": (
            "Create a backup copy of the server's database in the configured backup directory"
        ),
    }


async def test_tasks_tell_nothing_of_what_runs(server: SimulatedPlex) -> None:
    before = (await ask(server, "GET", "/butler")).body
    server.butler.start(SILENT)
    assert (await ask(server, "GET", "/butler")).body == before


async def test_activities_of_the_types_that_were_seen(server: SimulatedPlex) -> None:
    real = {
        row["type"]: row
        for row in json.loads(fixture("activities.json"))["MediaContainer"]["Activity"]
    }
    server.butler.start("LoudnessAnalysis")
    server.butler.start("ButlerTaskGenerateCreditsMarkers")
    server.users.open_item_page()
    server.users.scan_library()
    await server.advance(1)
    content, _ = await answers(server, "/activities")
    rows = {row["type"]: row for row in content["Activity"]}
    assert content["size"] == len(content["Activity"])
    assert all(fits(row, "Activity") for row in rows.values())
    for type_, row in real.items():
        assert shape(rows[type_]) == shape(row), type_
        assert rows[type_]["title"] == row["title"]
        assert rows[type_].get("Context") == row.get("Context")
        assert (rows[type_]["progress"] < 0) is (row["progress"] < 0)
    assert shape(rows["butler"]) == shape(real["media.generate.loudness"])


async def test_activity_in_xml(server: SimulatedPlex) -> None:
    server.faults.no_row = True
    server.users.scan_library(items=0)
    answer = await ask(server, "GET", "/activities", accept="")
    assert skeleton(answer.body.decode()) == skeleton(fixture("activities.xml"))


def skeleton(text: str) -> list[str]:
    """Return a text without what stands in quotation marks, line by line."""
    parts = text.split('"')
    return '"'.join(parts[::2]).splitlines()


async def test_no_activity_at_all(server: SimulatedPlex) -> None:
    server.faults.no_row = True
    assert (await ask(server, "GET", "/activities")).body == b'{"MediaContainer":{"size":0}}'
    answer = await ask(server, "GET", "/activities", accept="")
    assert answer.body.decode().splitlines()[1:] == [
        '<MediaContainer size="0">',
        "</MediaContainer>",
    ]


async def test_permanent_row_of_an_idle_server(server: SimulatedPlex) -> None:
    ((first),), ((again),) = [
        (await answers(server, "/activities"))[0]["Activity"] for _ in range(2)
    ]
    assert first == again
    assert (first["type"], first["progress"], first["cancellable"]) == ("butler", 100, False)


async def test_settings_of_a_real_server(server: SimulatedPlex) -> None:
    content, _ = await answers(server, "/:/prefs")
    rows = {row["id"]: row for row in content["Setting"]}
    assert content["size"] == len(rows)
    assert all(fits(row, "Setting") for row in rows.values())
    for real in json.loads(fixture("settings.json")):
        row = rows[real["id"]]
        assert list(row) == list(real)
        assert {**row, "summary": ""} == {**real, "summary": ""}
        assert shape(row["value"]) == shape(real["value"])


async def test_one_setting(server: SimulatedPlex) -> None:
    content, _ = await answers(server, "/:/prefs/get?id=ButlerStartHour")
    (row,) = content["Setting"]
    assert (content["size"], row["id"], row["value"]) == (1, "ButlerStartHour", 2)
    assert row["enumValues"].split("|")[2] == "2:2\ua78900"


async def test_every_task_follows_the_preference_of_its_name(server: SimulatedPlex) -> None:
    tasks, _ = await answers(server, "/butler")
    settings, _ = await answers(server, "/:/prefs")
    switches = {row["id"]: row["value"] for row in settings["Setting"]}
    for task in tasks["ButlerTask"]:
        if (switch := switches.get(f"ButlerTask{task['name']}")) is not None:
            assert task["enabled"] is switch


# --- JSON and XML


def as_text(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def agree(content: dict[str, Any], element: ET.Element) -> Iterator[bool]:
    """Compare fields with attributes, and rows with children."""
    fields = {name: v for name, v in content.items() if not isinstance(v, dict | list)}
    yield {name: as_text(value) for name, value in fields.items()} == element.attrib
    yield list(fields) == list(element.attrib)
    children = list(element)
    for name, value in content.items():
        if name not in fields:
            for row in value if isinstance(value, list) else [value]:
                child = children.pop(0)
                yield child.tag == name
                yield from agree(row, child)
    yield not children


@pytest.mark.parametrize("path", READS)
async def test_json_and_xml_agree(server: SimulatedPlex, path: str) -> None:
    server.friendly_name = 'Ümläut & "Söhne" <\'>'
    server.butler.start("ButlerTaskGenerateCreditsMarkers")
    server.users.scan_library()
    await server.advance(1)
    content, root = await answers(server, path)
    checked = list(agree(content, root))
    assert len(checked) >= 3
    assert all(checked)


async def test_accept_is_read_by_its_type_alone(server: SimulatedPlex) -> None:
    async def is_json(accept: str) -> bool:
        answer: Answer = await ask(server, "GET", "/identity", accept=accept)
        return answer.body.startswith(b"{")

    assert await is_json("application/json")
    assert await is_json("text/plain, application/json;q=0.9")
    assert not await is_json("*/*")
    assert not await is_json("application/xml")


# --- the API description


@pytest.mark.parametrize("operation", DESCRIBED["operations"])
async def test_operation_answers_as_described(server: SimulatedPlex, operation: str) -> None:
    described = DESCRIBED["operations"][operation]
    method, path = operation.split()
    running, idle = path.replace("{name}", SILENT), path.replace("{name}", "CleanOldBundles")
    server.butler.start(SILENT)
    names = [idle, running, path.replace("{name}", "Nobody")]
    statuses = [(await ask(server, method, name)).status for name in names]
    assert sorted(set(statuses)) == described["statuses"]
    token = server.shared_token
    refused = (await ask(server, method, names[0], token=token)).status == 403
    assert refused is described["admin"]
