"""The webhooks of the simulated server, as a receiver that others wrote sees them."""

import json

import pytest

from tests.receiver import receiver
from tests.simulator import Faults, SimulatedPlex
from tests.simulator.webhooks import LOOK_ALIKE, PICTURE

pytestmark = pytest.mark.usefixtures("socket_enabled")

BACKUP = "BackupDatabase"


async def test_backup_is_reported_when_it_has_ended(server: SimulatedPlex) -> None:
    async with receiver() as received:
        server.webhooks.addresses = [received.url]
        server.butler.start(BACKUP)
        server.butler.start("OptimizeDatabase")
        await server.webhooks.sent()
        assert not received.parts
        await server.advance(3600)
        await server.webhooks.sent()
    [parts] = received.parts
    [(content_type, content)] = parts.values()
    assert content_type == "application/json"
    assert json.loads(content) == {
        "event": "admin.database.backup",
        "user": True,
        "owner": True,
        "Account": {"id": 1, "thumb": "https://plex.tv/users/0/avatar", "title": "owner"},
        "Server": {"title": "Cellar", "uuid": server.machine_identifier},
    }
    assert server.webhooks.delivered == [("admin.database.backup", 200)]


async def test_backup_that_is_stopped_is_not_reported(server: SimulatedPlex) -> None:
    async with receiver() as received:
        server.webhooks.addresses = [received.url]
        server.butler.start(BACKUP)
        server.butler.stop(BACKUP)
        await server.advance(3600)
        await server.webhooks.sent()
    assert not received.parts


async def test_only_a_scheduled_backup_is_reported_by_some() -> None:
    async with (
        receiver() as received,
        SimulatedPlex(nightly=True, faults=Faults(by_name_is_silent=True)) as server,
    ):
        server.webhooks.addresses = [received.url]
        server.butler.start(BACKUP)
        await server.advance(3600)
        await server.webhooks.sent()
        assert not received.parts
        await server.advance(3 * 86400)
        await server.webhooks.sent()
        assert len(received.parts) == 1


async def test_what_is_played_comes_with_a_picture(server: SimulatedPlex) -> None:
    async with receiver() as received:
        server.webhooks.addresses = [received.url]
        server.webhooks.send(server.webhooks.fields("media.play"), picture=PICTURE)
        server.webhooks.send(LOOK_ALIKE)
        server.webhooks.send(b"no JSON")
        await server.webhooks.sent()
    play, *others = sorted(received.parts, key=len, reverse=True)
    assert {"Player", "Metadata"} <= json.loads(play["payload"][1]).keys()
    assert play["thumb"] == ("image/jpeg", PICTURE)
    assert len(PICTURE) > 60_000
    contents = {parts["payload"][1] for parts in others}
    assert contents == {b'{"event": "admin.database.backup"}', b"no JSON"}


async def test_each_address_gets_one_try(server: SimulatedPlex) -> None:
    async with receiver() as received:
        gone = received.url
    async with receiver() as received:
        server.webhooks.addresses = [gone, received.url]
        server.webhooks.send(server.webhooks.fields("device.new", Account=None))
        await server.webhooks.sent()
    assert "Account" not in json.loads(received.parts[0]["payload"][1])
    assert sorted(server.webhooks.delivered, key=str) == [("device.new", 200), ("device.new", None)]
