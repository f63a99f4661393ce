"""The ways to a server, in a real Home Assistant: each of them adds one."""

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
import json
from pathlib import Path
from typing import Any, Final

import pytest

from tests.live.connection import Json
from tests.live.frontend import Frontend
from tests.live.instance import Instance
from tests.live.steps import DOMAIN, USER, complaints
from tests.simulator import SimulatedPlex
from tests.simulator.gdm import SimulatedGdm, reply
from tests.simulator.plex_tv import SimulatedPlexTv

pytestmark = pytest.mark.live

FOR_TESTS: Final = Path(__file__).parent / "custom_components" / "plex_tv_for_tests"
NAMES: Final = ("Cellar", "Attic", "Barn", "Shed")


def plex_entry(server: SimulatedPlex) -> Json:
    """Return an entry of Home Assistant's own Plex integration, as it is stored."""
    config = {"url": server.url, "token": server.owner_token, "verify_ssl": True}
    return {
        "created_at": "2026-01-01T00:00:00+00:00",
        "data": {
            "server": server.friendly_name,
            "server_id": server.machine_identifier,
            "server_config": config,
        },
        "disabled_by": None,
        "discovery_keys": {},
        "domain": "plex",
        "entry_id": "0" * 32,
        "minor_version": 1,
        "modified_at": "2026-01-01T00:00:00+00:00",
        "options": {},
        "pref_disable_new_entities": False,
        "pref_disable_polling": False,
        "source": "user",
        "subentries": [],
        "title": server.friendly_name,
        "unique_id": server.machine_identifier,
        "version": 1,
    }


class World:
    """Four servers of one owner, and one that somebody shares; plex.tv, and a network."""

    def __init__(self) -> None:
        """Prepare; nothing listens yet."""
        self.servers = {
            name: SimulatedPlex(machine_identifier=f"{number}" * 40, friendly_name=name)
            for number, name in enumerate(NAMES)
        }
        self.shared = SimulatedPlex(machine_identifier="f" * 40, friendly_name="Neighbour")
        self.plex_tv = SimulatedPlexTv()
        self.gdm = SimulatedGdm()

    @property
    def secrets(self) -> set[str]:
        """Everything that may stand nowhere, the servers' own tokens aside."""
        own = {server.owner_token for server in self.servers.values()}
        return (self.plex_tv.tokens | set(self.plex_tv.codes)) - own


@pytest.fixture
async def world(socket_enabled: None) -> AsyncGenerator[World]:
    made = World()
    async with AsyncExitStack() as stack:
        for server in (*made.servers.values(), made.shared):
            await stack.enter_async_context(server)
        await stack.enter_async_context(made.plex_tv)
        await stack.enter_async_context(made.gdm)
        for server in made.servers.values():
            made.plex_tv.add(server)
        made.plex_tv.add(made.shared, owned=False)
        barn = made.servers["Barn"]
        made.gdm.replies.append(reply(barn.machine_identifier, Name="Barn", Port=f"{barn.port}"))
        yield made


async def choose(frontend: Frontend, way: str) -> Json:
    """Open the menu and choose a way."""
    menu = await frontend.start_flow(DOMAIN)
    assert (menu["type"], menu["step_id"]) == ("menu", "user")
    return await frontend.continue_flow(menu["flow_id"], {"next_step_id": way})


async def sign_in(frontend: Frontend, world: World, step: Json) -> Json:
    """Sign in on the page that opens; the flow goes on by itself."""
    assert (step["type"], step["step_id"]) == ("external", "sign_in")
    code = world.plex_tv.codes[-1]
    assert step["url"].startswith("https://app.plex.tv/auth#?")
    assert code in step["url"]
    # Not asked meanwhile: each look at a flow would move it on.
    moved: list[Json] = []
    await frontend.subscribe(
        moved.append, "subscribe_events", event_type="data_entry_flow_progressed"
    )
    world.plex_tv.sign_in(code)
    wanted = step["flow_id"]
    await frontend.wait_for(
        lambda: next((True for event in moved if event["data"]["flow_id"] == wanted), None)
    )
    found: Json = await frontend.request("GET", f"/api/config/config_entries/flow/{wanted}")
    return found


def added(result: Json) -> str:
    """Return the title of the entry that was created."""
    assert result["type"] == "create_entry", result
    title: str = result["title"]
    return title


async def test_each_way_adds_a_server(tmp_path: Path, world: World) -> None:
    """By hand, by the Plex integration's entry, by a sign-in, and by the network and a sign-in."""
    more = (
        f"plex_tv_for_tests:\n  plex_tv: {world.plex_tv.url}\n  gdm_port: {world.gdm.address[1]}\n"
    )
    instance = Instance(
        tmp_path / "config",
        level="debug",
        more=more,
        components=[FOR_TESTS],
        entries=[plex_entry(world.servers["Attic"])],
    )
    try:
        await instance.start()
        async with instance.frontend(*USER) as frontend:
            await add_each(frontend, world)
            entries = await frontend.entries(DOMAIN)
        assert {entry["title"]: entry["state"] for entry in entries} == dict.fromkeys(
            NAMES, "loaded"
        )
    finally:
        await instance.stop()
    stored = json.loads((instance.folder / ".storage" / "core.config_entries").read_text())
    assert {
        entry["unique_id"] for entry in stored["data"]["entries"] if entry["domain"] == DOMAIN
    } == {server.machine_identifier for server in world.servers.values()}
    nothing_is_told(instance, world)


async def add_each(frontend: Frontend, world: World) -> None:
    """Add one server by each way."""
    form = await choose(frontend, "manual")
    cellar = world.servers["Cellar"]
    typed = {"url": cellar.url, "token": cellar.owner_token, "verify_ssl": True}
    assert added(await frontend.continue_flow(form["flow_id"], typed)) == "Cellar"

    form = await choose(frontend, "plex")
    chosen = {"server": "0" * 32}
    assert added(await frontend.continue_flow(form["flow_id"], chosen)) == "Attic"

    form = await choose(frontend, "find")
    chosen = {"server": world.servers["Barn"].machine_identifier}
    menu = await frontend.continue_flow(form["flow_id"], chosen)
    assert (menu["type"], menu["step_id"]) == ("menu", "found")
    step = await frontend.continue_flow(menu["flow_id"], {"next_step_id": "sign_in"})
    assert added(await sign_in(frontend, world, step)) == "Barn"

    form = await sign_in(frontend, world, await choose(frontend, "sign_in"))
    assert form["step_id"] == "choose_server"
    assert form["description_placeholders"] == {
        "shared": "Neighbour",
        "known": "Cellar, Attic, Barn",
    }
    chosen = {"server": world.servers["Shed"].machine_identifier}
    assert added(await frontend.continue_flow(form["flow_id"], chosen)) == "Shed"


def nothing_is_told(instance: Instance, world: World) -> None:
    """Find each server's token in the entries alone, and no other secret anywhere."""
    entries = instance.folder / ".storage" / "core.config_entries"
    for path in instance.folder.rglob("*"):
        if not path.is_file() or path.is_symlink():
            continue
        content = path.read_bytes()
        own = set() if path == entries else {s.owner_token for s in world.servers.values()}
        assert not [secret for secret in world.secrets | own if secret.encode() in content], path
    requests: list[Any] = [*world.plex_tv.requests]
    for server in (*world.servers.values(), world.shared):
        requests += server.requests
    for request in requests:
        secret = world.plex_tv.tokens | set(world.plex_tv.codes)
        assert not [value for value in request.query.values() if value in secret]
    # The Plex integration itself complains: what it requires is not installed for these tests.
    assert [line for line in complaints(instance.log) if DOMAIN in line] == []
