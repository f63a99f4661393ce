"""Every fault of the simulated server shows on the wire, and is gone when it is switched off."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import fields
import json
import socket
import ssl
from typing import Any, Final

import aiohttp
import pytest
import trustme

from tests.bare_http import JSON, ask, request, send, session_of
from tests.receiver import receiver
from tests.simulator import Faults, SimulatedPlex

pytestmark = pytest.mark.usefixtures("socket_enabled")

type Check = Callable[[SimulatedPlex], Awaitable[bool]]

BACKUP = "BackupDatabase"
SILENT = "DeepMediaAnalysis"
NEVER = "GenerateMediaIndexFiles"
SOCKET = "/:/websockets/notifications"

VALUES: Final[dict[str, Any]] = {
    "backup_code": 11,
    "late_answers": "POST",
    "log_refused": 403,
    "prefs_status": 403,
    "prefs_unreadable": 2,
    "proxy_status": 404,
    "proxy_status_but_identity": 404,
    "retry_after": 7,
    "redirect_to": "http://127.0.0.1:9/elsewhere",
    "slow": 0.1,
}
"""What a fault is set to that is not just on."""

SHOWS: Final[dict[str, Check]] = {}
"""How each fault shows: these are true with it and false without."""


def shows(check: Check) -> Check:
    """Note how a fault shows."""
    SHOWS[check.__name__] = check
    return check


async def tasks(server: SimulatedPlex) -> list[dict[str, Any]]:
    answer = (await ask(server, "GET", "/butler")).json()
    rows: list[dict[str, Any]] = answer["ButlerTasks"]["ButlerTask"]
    return rows


async def activities(server: SimulatedPlex) -> Any:
    return (await ask(server, "GET", "/activities")).json()["MediaContainer"].get("Activity", [])


async def frames(server: SimulatedPlex, act: Callable[[], object], count: int) -> list[Any]:
    """Return what the websocket tells while something happens; at most so many frames."""
    got = []
    async with session_of(server) as session, session.ws_connect(server.url + SOCKET) as socket:
        act()
        with suppress(TimeoutError):
            got += [
                (await socket.receive_json(timeout=0.2))["NotificationContainer"]
                for _ in range(count)
            ]
    return got


async def row_progress(server: SimulatedPlex) -> int | None:
    """Return what Butler's row shows while a task runs."""
    server.butler.start(SILENT)
    rows = [row["progress"] for row in await activities(server) if row["type"] == "butler"]
    server.butler.stop(SILENT)
    return rows[0] if rows else None


# --- refusals


@shows
async def unauthorized(server: SimulatedPlex) -> bool:
    assert (await ask(server, "GET", "/identity")).status == 200
    return (await ask(server, "GET", "/butler")).status == 401


@shows
async def forbidden(server: SimulatedPlex) -> bool:
    assert (await ask(server, "GET", "/identity")).status == 200
    statuses = {(await ask(server, "GET", path)).status for path in ("/", "/butler", "/activities")}
    return statuses == {403}


@shows
async def unknown_host_name(server: SimulatedPlex) -> bool:
    assert (await ask(server, "GET", "/butler", Host="localhost")).status == 200
    return (await ask(server, "GET", "/butler", Host="plex.example.org:32400")).status == 401


@shows
async def maintenance(server: SimulatedPlex) -> bool:
    answers = [await ask(server, "GET", path) for path in ("/identity", "/butler")]
    answers.append(await ask(server, "POST", f"/butler/{SILENT}"))
    server.butler.stop_all()
    return [answer.status for answer in answers] == [503] * 3


@shows
async def maintenance_but_identity(server: SimulatedPlex) -> bool:
    assert (await ask(server, "GET", "/identity")).status == 200
    return (await ask(server, "GET", "/butler")).status == 503


@shows
async def retry_after(server: SimulatedPlex) -> bool:
    server.faults.maintenance = True
    values = {
        (await ask(server, "GET", "/butler", accept=accept)).headers.get("Retry-After")
        for accept in (JSON, "")
    }
    return values == {"7"}


@shows
async def still_starting_up(server: SimulatedPlex) -> bool:
    assert (await ask(server, "GET", "/butler")).status == 200
    answer = await ask(server, "POST", "/butler/Nobody")
    return answer.status == 400 and b"still starting up" in answer.body


@shows
async def own_error(server: SimulatedPlex) -> bool:
    assert (await ask(server, "GET", "/identity")).status == 200
    answer = await ask(server, "GET", "/activities")
    return answer.status == 500 and "X-Plex-Protocol" in answer.headers


@shows
async def no_activities(server: SimulatedPlex) -> bool:
    assert (await ask(server, "GET", "/butler")).status == 200
    return (await ask(server, "GET", "/activities")).status == 404


@shows
async def no_butler(server: SimulatedPlex) -> bool:
    assert (await ask(server, "GET", "/activities")).status == 200
    get, post = await ask(server, "GET", "/butler"), await ask(server, "POST", "/butler")
    return (get.status, post.status) == (404, 404)


async def status_of_sessions(server: SimulatedPlex) -> int:
    assert (await ask(server, "GET", "/activities")).status == 200
    return (await ask(server, "GET", "/status/sessions")).status


@shows
async def no_sessions(server: SimulatedPlex) -> bool:
    return await status_of_sessions(server) == 404


@shows
async def sessions_refused(server: SimulatedPlex) -> bool:
    return await status_of_sessions(server) == 403


@shows
async def other_machine_identifier(server: SimulatedPlex) -> bool:
    got = {
        (await ask(server, "GET", path)).json()["MediaContainer"]["machineIdentifier"]
        for path in ("/identity", "/")
    }
    return server.machine_identifier not in got and len(got) == 1


# --- something else answers


@shows
async def bad_gateway(server: SimulatedPlex) -> bool:
    answer = await ask(server, "GET", "/identity")
    assert (answer.status == 502) is ("X-Plex-Protocol" not in answer.headers)
    return answer.status == 502 and answer.headers["Content-Type"].startswith("text/html")


@shows
async def login_page(server: SimulatedPlex) -> bool:
    answer = await ask(server, "GET", "/butler")
    return answer.status == 200 and answer.body.startswith(b"<!DOCTYPE html>")


@shows
async def other_json(server: SimulatedPlex) -> bool:
    answer = await ask(server, "GET", "/identity")
    return answer.status == 200 and answer.json() == {"status": "ok"}


@shows
async def root_redirect(server: SimulatedPlex) -> bool:
    answer = await ask(server, "GET", "/")
    return (answer.status, answer.headers.get("Location")) == (302, "/web/index.html")


@shows
async def redirect_to(server: SimulatedPlex) -> bool:
    answers = [
        await ask(server, method, path)
        for method, path in (("GET", "/identity"), ("DELETE", "/butler"))
    ]
    locations = {answer.headers.get("Location") for answer in answers}
    return {a.status for a in answers} == {302} and locations == {"http://127.0.0.1:9/elsewhere"}


@shows
async def proxy_status(server: SimulatedPlex) -> bool:
    answers = [
        await ask(server, method, path)
        for method, path in (("GET", "/identity"), ("DELETE", "/butler"))
    ]
    return all(a.status == 404 and "X-Plex-Protocol" not in a.headers for a in answers)


@shows
async def proxy_status_but_identity(server: SimulatedPlex) -> bool:
    assert (await ask(server, "GET", "/identity")).status == 200
    answer = await ask(server, "DELETE", "/butler")
    return answer.status == 404 and "X-Plex-Protocol" not in answer.headers


@shows
async def proxy_wants_password(server: SimulatedPlex) -> bool:
    answer = await ask(server, "GET", "/identity")
    return answer.status == 401 and "WWW-Authenticate" in answer.headers


@shows
async def https_port(server: SimulatedPlex) -> bool:
    answer = await ask(server, "GET", "/identity")
    return answer.status == 400 and b"HTTPS port" in answer.body


# --- the connection


@shows
async def hang(server: SimulatedPlex) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request(server, "GET /identity"))
    try:
        async with asyncio.timeout(0.1):
            return not await reader.read(1)
    except TimeoutError:
        return True
    finally:
        writer.close()


@shows
async def slow(server: SimulatedPlex) -> bool:
    loop = asyncio.get_running_loop()
    before = loop.time()
    assert (await ask(server, "GET", "/identity")).status == 200
    return loop.time() - before >= 0.1


@shows
async def empty_reply(server: SimulatedPlex) -> bool:
    answers = [
        await send(server, request(server, line, "Connection: close"))
        for line in ("GET /identity", "POST /butler/Nobody")
    ]
    return answers == [b"", b""]


@shows
async def drop_reply(server: SimulatedPlex) -> bool:
    line = f"POST /butler/{SILENT}"
    answer = await send(server, request(server, line, "Connection: close"))
    assert server.butler.running == {SILENT}
    server.butler.stop(SILENT)
    assert await send(server, request(server, "GET /identity", "Connection: close"))
    return answer == b""


@shows
async def late_answers(server: SimulatedPlex) -> bool:
    sending = asyncio.create_task(
        send(server, request(server, f"POST /butler/{SILENT}", "Connection: close"))
    )
    while server.butler.running != {SILENT}:
        await asyncio.sleep(0)
    for _ in range(200):
        await asyncio.sleep(0)
    late, before = not sending.done(), server.faults.late_answers
    server.faults.late_answers = ""
    assert b" 200 " in await sending
    server.faults.late_answers = before
    server.butler.stop(SILENT)
    return late


@shows
async def late_websocket(server: SimulatedPlex) -> bool:
    upgrade = request(
        server,
        "GET /:/websockets/notifications",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(upgrade)
    answering = asyncio.create_task(reader.readuntil(b"\r\n\r\n"))
    await asyncio.wait([answering], timeout=0.3)
    late, before = not answering.done(), server.faults.late_websocket
    server.faults.late_websocket = False
    assert b" 101 " in await answering
    server.faults.late_websocket = before
    writer.close()
    return late


@shows
async def drop_reused(server: SimulatedPlex) -> bool:
    def get(*headers: str) -> bytes:
        return request(server, "GET /identity", *headers)

    answers = await send(server, get() + get("Connection: close"))
    return answers.count(b"HTTP/1.1 200 OK") == 1


@shows
async def close_behind_answers(server: SimulatedPlex) -> bool:
    first, last = request(server, "GET /identity"), request(server, "GET /", "Connection: close")
    answers = await send(server, first + last)
    return b"Connection: close" not in answers


@shows
async def cut_body(server: SimulatedPlex) -> bool:
    answer = await send(server, request(server, "GET /butler", "Connection: close"))
    head, _, body = answer.partition(b"\r\n\r\n")
    length = next(line for line in head.split(b"\r\n") if line.startswith(b"Content-Length"))
    return 0 < len(body) < int(length.split()[1])


@shows
async def endless_body(server: SimulatedPlex) -> bool:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request(server, "GET /identity", "Connection: close"))
    try:
        return len(await reader.readexactly(8 << 20)) > 0
    except asyncio.IncompleteReadError:
        return False
    finally:
        writer.close()


@shows
async def no_websocket(server: SimulatedPlex) -> bool:
    async with session_of(server) as session:
        async with session.get(f"{server.url}/:/eventsource/notifications") as events:
            assert events.status == 200
        try:
            async with session.ws_connect(server.url + SOCKET):
                return False
        except aiohttp.WSServerHandshakeError as error:
            return error.status == 404


@shows
async def silent_websocket(server: SimulatedPlex) -> bool:
    return not await frames(server, server.users.play, 1)


# --- the content


@shows
async def control_characters(server: SimulatedPlex) -> bool:
    in_json = await ask(server, "GET", "/butler")
    in_xml = await ask(server, "GET", "/", accept="")
    begun = (b'"title":"\x04\n' in in_json.body, b' friendlyName="\x04&#4;&#x1f;' in in_xml.body)
    assert len(set(begun)) == 1
    return all(begun)


@shows
async def always_xml(server: SimulatedPlex) -> bool:
    answers = [await ask(server, "GET", path) for path in ("/identity", "/butler", "/activities")]
    return all(answer.body.startswith(b"<?xml") for answer in answers)


@shows
async def strings(server: SimulatedPlex) -> bool:
    values = {type(v) for row in await tasks(server) for v in row.values()}
    (row,) = await activities(server)
    identity = (await ask(server, "GET", "/identity")).json()["MediaContainer"]
    return bool(values == {str} and row["progress"] == "100" and identity["claimed"] == "1")


@shows
async def missing_enabled(server: SimulatedPlex) -> bool:
    return not any("enabled" in row for row in await tasks(server))


@shows
async def media_container_root(server: SimulatedPlex) -> bool:
    root = (await ask(server, "GET", "/butler", accept="")).xml().tag
    (key,) = (await ask(server, "GET", "/butler")).json()
    return bool(root == key == "MediaContainer")


@shows
async def bare_list(server: SimulatedPlex) -> bool:
    answer = (await ask(server, "GET", "/butler")).json()
    return isinstance(answer, list) and len(answer) == len(server.butler.tasks)


@shows
async def single_object(server: SimulatedPlex) -> bool:
    return isinstance(await tasks(server), dict) and isinstance(await activities(server), dict)


@shows
async def malformed_rows(server: SimulatedPlex) -> bool:
    names = [row.get("name") for row in await tasks(server)]
    assert set(server.butler.tasks) <= set(names)
    uuids = [row.get("uuid") for row in await activities(server)]
    return {None, 7} <= set(names) and None in uuids


@shows
async def unusable_names(server: SimulatedPlex) -> bool:
    return {"", ".", ".."} <= {row["name"] for row in await tasks(server)}


@shows
async def unknown_task(server: SimulatedPlex) -> bool:
    name = "ButlerTaskPolishSilverware"
    listed = name in {row["name"] for row in await tasks(server)}
    started = (await ask(server, "POST", f"/butler/{name}")).status == 200
    assert listed is started
    assert len({row["name"] for row in await tasks(server)}) == 22 + listed
    return listed


@shows
async def numeric_uuids(server: SimulatedPlex) -> bool:
    (frame,) = await frames(server, server.users.add_episode, 1)
    told = frame["ActivityNotification"][0]
    uuids = {row["uuid"] for row in await activities(server)}
    assert told["uuid"] == told["Activity"]["uuid"]
    assert told["uuid"] in uuids
    return {type(uuid) for uuid in uuids} == {int}


@shows
async def no_context(server: SimulatedPlex) -> bool:
    server.users.scan_library()
    told = await frames(server, lambda: server.clock.advance(1), 3)
    rows = [row for row in await activities(server) if row["type"] == "library.update.section"]
    return "Context" not in rows[0] and "Context" not in json.dumps(told)


@shows
async def html_after_command(server: SimulatedPlex) -> bool:
    bodies = {(await ask(server, method, "/butler")).body for method in ("POST", "DELETE")}
    return bodies == {b"<html><body></body></html>"}


@shows
async def stops_under_another_key(server: SimulatedPlex) -> bool:
    def play_and_stop() -> None:
        server.users.play()
        server.users.play("stopped")

    told = [
        frame["PlaySessionStateNotification"][0] for frame in await frames(server, play_and_stop, 2)
    ]
    return len({row["sessionKey"] for row in told}) == 2


@shows
async def late_sessions(server: SimulatedPlex) -> bool:
    server.users.play()
    answer = await ask(server, "GET", "/status/sessions")
    server.users.play("stopped")
    return bool(answer.json()["MediaContainer"]["size"] == 0)


@shows
async def refuse_unknown_preference(server: SimulatedPlex) -> bool:
    assert (await ask(server, "PUT", "/:/prefs?ButlerStartHour=2")).status == 200
    return (await ask(server, "PUT", "/:/prefs?NoSuchName=2")).status == 400


async def hours(server: SimulatedPlex) -> str:
    answer = (await ask(server, "GET", "/:/prefs")).json()["MediaContainer"]
    row = next(row for row in answer["Setting"] if row["id"] == "ButlerStartHour")
    return str(row["enumValues"])


@shows
async def prefs_status(server: SimulatedPlex) -> bool:
    paths = ("/:/prefs", "/:/prefs/get?id=ButlerStartHour")
    statuses = {(await ask(server, "GET", path)).status for path in paths}
    statuses.add((await ask(server, "PUT", "/:/prefs?ButlerStartHour=2")).status)
    assert (await ask(server, "GET", "/butler")).status == 200
    return statuses == {403}


@shows
async def prefs_unreadable(server: SimulatedPlex) -> bool:
    assert (await ask(server, "GET", "/:/prefs")).status == 200
    assert (await ask(server, "PUT", "/:/prefs?ButlerStartHour=2")).status == 200
    paths = ("/:/prefs", "/:/prefs/get?id=ButlerStartHour", "/:/prefs")
    return [(await ask(server, "GET", path)).status for path in paths] == [400, 400, 200]


@shows
async def prefs_ignored(server: SimulatedPlex) -> bool:
    before = int(server.preferences.values["ButlerStartHour"])
    assert (await ask(server, "PUT", f"/:/prefs?ButlerStartHour={before + 1}")).status == 200
    return server.preferences.values["ButlerStartHour"] == before


@shows
async def no_prefs_get(server: SimulatedPlex) -> bool:
    assert (await ask(server, "GET", "/:/prefs")).status == 200
    return (await ask(server, "GET", "/:/prefs/get?id=ButlerStartHour")).status == 404


@shows
async def old_hour_labels(server: SimulatedPlex) -> bool:
    listed = (await hours(server)).split("|")
    assert len(listed) == 24
    return listed[:2] + listed[12:14] == ["0:Midnight", "1:1 am", "12:12 pm", "13:1 pm"]


@shows
async def no_enum_labels(server: SimulatedPlex) -> bool:
    return (await hours(server)).startswith("0|1|2|")


@shows
async def never_is_ignored(server: SimulatedPlex) -> bool:
    assert server.butler.start(NEVER) == 200
    runs = NEVER in server.butler.running
    server.butler.stop(NEVER)
    return runs


# --- the log


async def log_of_backup(server: SimulatedPlex, token: str | None = None) -> list[str] | int:
    """Return what a backup writes into the log; or the status with which that is refused."""
    written = []
    tokens = (token,) if token else ()
    async with session_of(server, *tokens) as session:
        try:
            async with session.ws_connect(f"{server.url}{SOCKET}?filters=log") as log:
                server.butler.start(BACKUP)
                await server.advance(1)
                with suppress(TimeoutError):
                    while True:
                        frame = json.loads((await log.receive(timeout=0.05)).data)
                        (row,) = frame["NotificationContainer"]["LogSentNotification"]
                        written.append(row["message"])
        except aiohttp.WSServerHandshakeError as error:
            return error.status
    return written


@shows
async def log_refused(server: SimulatedPlex) -> bool:
    async with session_of(server) as session, session.ws_connect(server.url + SOCKET):
        return await log_of_backup(server) == 403


@shows
async def log_for_everybody(server: SimulatedPlex) -> bool:
    refused = await log_of_backup(server, server.shared_token) == 403
    assert await log_of_backup(server)
    return not refused


@shows
async def no_log(server: SimulatedPlex) -> bool:
    return await log_of_backup(server) == []


@shows
async def log_other_verbs(server: SimulatedPlex) -> bool:
    written = await log_of_backup(server)
    assert isinstance(written, list)
    return f"Butler: Considering '{BACKUP}'" in written


@shows
async def log_activities(server: SimulatedPlex) -> bool:
    """The lines are those of the log that was published, but for the uuids."""
    uuid, butlers = "00000000-0000-0000-0000-000000000001", "80000000-0000-0000-0000-000000000000"
    activity = f"Activity: registered new sub-activity {uuid}"
    end = f"Activity: ended sub-activity {uuid} parent: {butlers} overall progress: 100.0% (1/1)"
    written = await log_of_backup(server)
    assert isinstance(written, list)
    shown = f'{activity} - "{BACKUP}" parent: {butlers} overall progress: 0.0% (0/1)' in written
    assert shown == (end in written) == all("Butler:" not in text for text in written)
    return shown


@shows
async def log_exceptions(server: SimulatedPlex) -> bool:
    written = await log_of_backup(server)
    assert isinstance(written, list)
    return "Uncaught exception running subtask" in written


@shows
async def log_foreign_exceptions(server: SimulatedPlex) -> bool:
    written = await log_of_backup(server)
    assert isinstance(written, list)
    found = [text.split("]")[0] for text in written if "xception" in text and text[0] == "["]
    at_start = "[DatabaseFixups/25DatabaseFixupsOfSomething"
    request = "[Req#4a2/Database optimization/com.plexapp.plugins.library.db"
    assert found in ([], [request, at_start, at_start])
    return bool(found)


@shows
async def backup_code(server: SimulatedPlex) -> bool:
    written = await log_of_backup(server)
    assert isinstance(written, list)
    return written[-1] == "Database backup completed: 11"


# --- the webhooks


async def after_backup(server: SimulatedPlex, *, scheduled: bool = False) -> list[Any]:
    """Return what arrives after a backup, each part with its content type."""
    async with receiver() as received:
        server.webhooks.addresses = [received.url]
        server.webhooks.backed_up(scheduled=scheduled)
        await server.webhooks.sent()
    return [parts["payload"] for parts in received.parts]


@shows
async def webhooks_off(server: SimulatedPlex) -> bool:
    return not await after_backup(server)


@shows
async def no_plex_pass(server: SimulatedPlex) -> bool:
    return not await after_backup(server)


@shows
async def untyped_webhook(server: SimulatedPlex) -> bool:
    [(content_type, content)] = await after_backup(server)
    assert json.loads(content)["event"] == "admin.database.backup"
    assert content_type in (None, "application/json")
    return content_type is None


@shows
async def backup_fails(server: SimulatedPlex) -> bool:
    return not await after_backup(server, scheduled=True)


@shows
async def by_name_is_silent(server: SimulatedPlex) -> bool:
    assert await after_backup(server, scheduled=True)
    return not await after_backup(server)


# --- Butler's row


@shows
async def no_row(server: SimulatedPlex) -> bool:
    told = await frames(server, lambda: server.butler.start(SILENT), 1)
    server.butler.stop(SILENT)
    return await row_progress(server) is None and not await activities(server) and not told


@shows
async def row_always_100(server: SimulatedPlex) -> bool:
    told = await frames(server, lambda: server.butler.start(SILENT), 1)
    server.butler.stop(SILENT)
    return await row_progress(server) == 100 and not told


@shows
async def row_indeterminate(server: SimulatedPlex) -> bool:
    return await row_progress(server) == -1


@shows
async def row_per_run(server: SimulatedPlex) -> bool:
    idle = await activities(server)

    def work() -> None:
        for _ in range(2):
            server.butler.start(SILENT)
            server.butler.stop(SILENT)

    told = [frame["ActivityNotification"][0] for frame in await frames(server, work, 4)]
    events = [row["event"] for row in told]
    uuids = {row["uuid"] for row in told}
    progress = await row_progress(server)
    return not idle and events == ["started", "ended"] * 2 and len(uuids) == 2 and progress == 0


@shows
async def row_counts_tasks(server: SimulatedPlex) -> bool:
    server.butler.start(SILENT)
    server.butler.stop(SILENT)
    server.butler.start(SILENT)
    return await row_progress(server) == 50


# --- all of them


def test_no_fault_is_forgotten() -> None:
    assert list(SHOWS) == [field.name for field in fields(Faults)]


@pytest.mark.parametrize("name", SHOWS)
async def test_fault(name: str) -> None:
    value = VALUES.get(name, True)
    async with SimulatedPlex() as server:
        assert not await SHOWS[name](server)
        server.butler.reset()
        setattr(server.faults, name, value)
        assert await SHOWS[name](server)
    async with SimulatedPlex(faults=Faults(**{name: value})) as server:
        assert await SHOWS[name](server)
        server.butler.reset()
        setattr(server.faults, name, getattr(Faults(), name))
        assert not await SHOWS[name](server)


async def test_row_follows_a_switch_while_a_task_runs(server: SimulatedPlex) -> None:
    async def progress() -> list[int]:
        return [row["progress"] for row in await activities(server)]

    server.butler.start(SILENT)
    assert await progress() == [0]
    server.faults.row_always_100 = True
    assert await progress() == [100]
    server.faults.row_always_100 = False
    server.faults.row_indeterminate = True
    assert await progress() == [-1]
    server.faults.no_row = True
    server.butler.stop(SILENT)
    server.faults.no_row = False
    assert await progress() == [100]


# --- the listener


@pytest.fixture
def authority() -> trustme.CA:
    """Who signs the server's certificate."""
    return trustme.CA()


@pytest.fixture
def serving(authority: trustme.CA) -> ssl.SSLContext:
    """What the server shows."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """What a client trusts."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_one_port_speaks_http_and_https(
    serving: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    async with SimulatedPlex(tls=serving) as server:
        secure = server.url.replace("http:", "https:")
        for _ in range(2):
            assert (await ask(server, "GET", "/butler")).status == 200
            answer = await ask(server, "GET", "/butler", url=secure, tls=trusting)
            assert answer.json()["ButlerTasks"]
            with pytest.raises(aiohttp.ClientConnectorCertificateError):
                await ask(server, "GET", "/butler", url=secure)
            await server.restart()
        assert len(server.requests) == 4


async def test_secure_connections_required(
    serving: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    async with SimulatedPlex(tls=serving) as server:
        line = request(server, "GET /identity", "Connection: close")
        assert await send(server, line)
        server.require_secure_connections()
        server.requests.clear()
        assert await send(server, line) == b""
        assert await send(server, line + b" " * 10_000) == b""
        assert not server.requests
        secure = server.url.replace("http:", "https:")
        assert (await ask(server, "GET", "/identity", url=secure, tls=trusting)).status == 200


async def test_being_off_cuts_whatever_hangs(serving: ssl.SSLContext) -> None:
    tasks_before = asyncio.all_tasks()
    async with SimulatedPlex(tls=serving) as server:
        opened = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(6)]
        lines = (
            request(server, "GET /:/eventsource/notifications"),
            request(
                server,
                f"GET {SOCKET}",
                "Connection: Upgrade",
                "Upgrade: websocket",
                "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
            ),
            request(server, "GET /identity"),
        )
        for (reader, writer), line in zip(opened, lines, strict=False):
            writer.write(line)
            await reader.readuntil(b"\r\n\r\n")
        server.faults.endless_body = True
        opened[3][1].write(request(server, "GET /butler"))
        await opened[3][0].readuntil(b"\r\n\r\n")
        server.faults.hang = True
        opened[4][1].write(request(server, "GET /butler"))
        async with asyncio.timeout(1):
            while len(server.requests) < 5:
                await asyncio.sleep(0)
            await server.stop_listening()
            for reader, writer in opened:
                with suppress(ConnectionError):
                    await reader.read()
                writer.close()
        await server.listen()
        server.faults.hang = server.faults.endless_body = False
        assert (await ask(server, "GET", "/identity")).status == 200
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == tasks_before


async def test_connection_from_a_port_used_before_is_a_new_one(server: SimulatedPlex) -> None:
    server.faults.drop_reused = True
    address = ("127.0.0.2", 0)  # nobody else takes a port there
    for _ in range(2):
        client = socket.socket()
        client.setblocking(False)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.bind(address)
        address = client.getsockname()
        await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", server.port))
        reader, writer = await asyncio.open_connection(sock=client)
        writer.write(request(server, "GET /identity", "Connection: close"))
        assert await reader.read()
        writer.close()
        await writer.wait_closed()
