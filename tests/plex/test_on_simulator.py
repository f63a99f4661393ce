"""The client against the simulated server: whole conversations, every quirk, every fault."""

from contextlib import AbstractAsyncContextManager
import ssl
from typing import Any

import pytest
import trustme
from yarl import URL

from custom_components.plex_butler.plex import (
    CannotConnectError,
    CommandNotConfirmedError,
    HttpsRequiredError,
    NoButlerError,
    NotOwnerError,
    NotPlexError,
    OtherServerError,
    PlexClient,
    PlexError,
    PlexTimeoutError,
    StartingUpError,
    StartResult,
    StopResult,
    TaskNotFoundError,
    UnauthorizedError,
)
from custom_components.plex_butler.plex.parse import MOST_TASKS
from tests.plex.clients import COMMANDS, client_for
from tests.simulator import Faults, SimulatedPlex

pytestmark = pytest.mark.usefixtures("socket_enabled")


def client_of(server: SimulatedPlex, **changes: Any) -> AbstractAsyncContextManager[PlexClient]:
    """Make a client for a simulated server, with the owner's token."""
    return client_for(
        **{
            "url": server.url,
            "token": server.owner_token,
            "machine_identifier": server.machine_identifier,
        }
        | changes
    )


async def test_a_task_is_started_and_stopped(server: SimulatedPlex) -> None:
    async with client_of(server) as client:
        assert (await client.server()).friendly_name == server.friendly_name
        names = [task.name for task in await client.tasks()]
        assert names == list(server.butler.tasks)

        assert await client.start_task("DeepMediaAnalysis") is StartResult.STARTED
        assert await client.start_task("DeepMediaAnalysis") is StartResult.ALREADY_RUNNING
        assert "DeepMediaAnalysis" in server.butler.running
        assert await client.stop_task("DeepMediaAnalysis") is StopResult.STOPPED
        assert await client.stop_task("DeepMediaAnalysis") is StopResult.NOT_RUNNING
        with pytest.raises(TaskNotFoundError):
            await client.start_task("deepmediaanalysis")

        await client.start_all()
        assert server.butler.running
        await client.stop_all()
        assert not server.butler.running


async def test_activities_name_nobodys_films(server: SimulatedPlex) -> None:
    async with client_of(server) as client:
        await client.start_task("LoudnessAnalysis")
        await server.advance(1)
        activities = await client.activities() or ()

    rows = server.activities.rows()
    assert {activity.type for activity in activities} == {row["type"] for row in rows}
    assert {activity.uuid for activity in activities} == {row["uuid"] for row in rows}
    assert not any(row["title"] in repr(activities) for row in rows)


@pytest.mark.parametrize(
    "quirk",
    [
        "always_xml",
        "strings",
        "media_container_root",
        "bare_list",
        "malformed_rows",
        "unusable_names",
        "no_context",
        "html_after_command",
    ],
)
async def test_a_quirk_changes_nothing(server: SimulatedPlex, quirk: str) -> None:
    async with client_of(server) as client:
        await client.start_task("LoudnessAnalysis")
        expected = [await client.server(), await client.tasks(), await client.activities()]
        setattr(server.faults, quirk, True)

        assert [await client.server(), await client.tasks(), await client.activities()] == expected
        assert await client.stop_task("LoudnessAnalysis") is StopResult.STOPPED


async def test_quirks_that_leave_something_out(server: SimulatedPlex) -> None:
    async with client_of(server) as client:
        server.faults.missing_enabled = True
        assert {task.enabled for task in await client.tasks()} == {None}
        server.faults.single_object = True
        assert len(await client.tasks()) == 1
        server.faults.numeric_uuids = True
        (row,) = await client.activities() or ()
        assert row.uuid.isdigit()
        server.faults.no_activities = True
        assert await client.activities() is None


@pytest.mark.parametrize(
    ("fault", "failure"),
    [
        ({"unauthorized": True}, UnauthorizedError),
        ({"forbidden": True}, NotOwnerError),
        ({"maintenance": True}, StartingUpError),
        ({"maintenance": True, "always_xml": True}, StartingUpError),
        ({"maintenance_but_identity": True}, StartingUpError),
        ({"no_butler": True}, NoButlerError),
        ({"other_machine_identifier": True}, OtherServerError),
        ({"bad_gateway": True}, CannotConnectError),
        ({"login_page": True}, NotPlexError),
        ({"other_json": True}, NotPlexError),
        ({"redirect_to": "http://127.0.0.1:1/"}, NotPlexError),
        ({"hang": True}, PlexTimeoutError),
        ({"empty_reply": True}, CannotConnectError),
        ({"cut_body": True}, CannotConnectError),
        ({"endless_body": True}, NotPlexError),
    ],
    ids=str,
)
async def test_faults(
    server: SimulatedPlex, fault: dict[str, Any], failure: type[PlexError]
) -> None:
    async with client_of(server, request_timeout=0.5) as client:
        for name, value in fault.items():
            setattr(server.faults, name, value)
        with pytest.raises(failure):
            await client.tasks()

        for name in fault:
            setattr(server.faults, name, getattr(Faults(), name))
        assert await client.tasks()


@pytest.mark.parametrize("always_xml", [True, False])
async def test_control_characters_in_texts_do_not_matter(
    server: SimulatedPlex, *, always_xml: bool
) -> None:
    server.faults.always_xml = always_xml
    server.butler.start("ButlerTaskGenerateIntroMarkers")
    async with client_of(server) as client:
        expected = (await client.server(), await client.tasks(), await client.activities())
        server.faults.control_characters = True
        assert (await client.server(), await client.tasks(), await client.activities()) == expected


@pytest.mark.parametrize(("more", "told"), [(0, 0), (1, 1), (500, 1)])
async def test_more_tasks_than_any_server_has_are_left_out_and_told_once(
    server: SimulatedPlex, caplog: pytest.LogCaptureFixture, more: int, told: int
) -> None:
    for number in range(MOST_TASKS - len(server.butler.tasks) + more):
        server.butler.add_task(f"Brew{number}")
    async with client_of(server) as client:
        assert len(await client.tasks()) == MOST_TASKS
        server.butler.tasks["Brew1"].enabled = False
        assert len(await client.tasks()) == MOST_TASKS
    warnings = [record for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == told


async def test_a_server_that_starts_up_takes_no_commands(server: SimulatedPlex) -> None:
    server.faults.still_starting_up = True
    async with client_of(server) as client:
        assert await client.tasks()
        for command in COMMANDS.values():
            with pytest.raises(StartingUpError):
                await command(client)


async def test_a_dropped_answer_leaves_a_command_open(server: SimulatedPlex) -> None:
    server.faults.drop_reply = True
    async with client_of(server) as client:
        with pytest.raises(CommandNotConfirmedError):
            await client.start_task("DeepMediaAnalysis")

    assert [(r.method, r.path) for r in server.requests if r.method != "GET"] == [
        ("POST", "/butler/DeepMediaAnalysis")
    ]


async def test_connections_that_close_after_one_request(server: SimulatedPlex) -> None:
    server.faults.drop_reused = True
    async with client_of(server) as client:
        for _ in range(3):
            assert await client.tasks()


async def test_commands_arrive_where_connections_are_closed_behind_answers(
    server: SimulatedPlex,
) -> None:
    server.faults.close_behind_answers = True
    async with client_of(server) as client:
        assert await client.tasks()
        assert await client.start_task("DeepMediaAnalysis") is StartResult.STARTED
        assert await client.stop_task("DeepMediaAnalysis") is StopResult.STOPPED


async def test_proxy_that_leads_from_the_root_to_the_web_app(server: SimulatedPlex) -> None:
    server.faults.root_redirect = True
    async with client_of(server) as client:
        described = await client.server()
        assert described.machine_identifier == server.machine_identifier
        assert described.version == server.version
        assert described.friendly_name is None
        assert await client.tasks()


async def test_a_shared_users_token(server: SimulatedPlex) -> None:
    async with client_of(server, token=server.shared_token) as client:
        with pytest.raises(NotOwnerError):
            await client.tasks()


async def test_an_unclaimed_server_wants_no_token() -> None:
    async with SimulatedPlex(claimed=False) as server, client_of(server, token="") as client:
        assert await client.tasks()
        assert not (await client.identity()).claimed


async def test_after_an_outage_the_server_is_asked_who_it_is(server: SimulatedPlex) -> None:
    async with client_of(server) as client:
        await client.tasks()
        await server.stop_listening()
        with pytest.raises(CannotConnectError):
            await client.tasks()
        await server.listen()
        server.faults.other_machine_identifier = True
        server.requests.clear()
        with pytest.raises(OtherServerError):
            await client.tasks()

    assert [request.path for request in server.requests] == ["/identity"]
    assert "x-plex-token" not in server.requests[0].headers


async def test_secure_connections_required() -> None:
    authority = trustme.CA()
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(serving)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with SimulatedPlex(tls=serving, secure_connections_required=True) as server:
        async with client_of(server) as client:
            with pytest.raises(CannotConnectError) as dropped:
                await client.identity()
            assert dropped.value.empty_reply
            with pytest.raises(HttpsRequiredError) as caught:
                await client.tasks()
        url = URL(server.url).with_scheme("https")
        assert caught.value.address == url
        async with client_of(server, url=url, tls=trusting) as client:
            assert await client.tasks()
