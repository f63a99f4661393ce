"""Finding servers on the network: one question, real sockets, and answers that anybody may give."""

import asyncio
import inspect
import socket
from typing import Any, Final, override

from hypothesis import given, strategies as st
import pytest

from custom_components.plex_butler.plex.gdm import GROUP, FoundServer, find_servers, parse_reply
from tests.simulator.gdm import SimulatedGdm, reply

pytestmark = pytest.mark.usefixtures("socket_enabled")

MACHINE: Final = "e004a7de" + "0" * 32
CELLAR: Final = FoundServer("Cellar", MACHINE, "127.0.0.1", 32400, "1.43.4.10903-e5521bd8c")


async def found(*replies: bytes) -> tuple[FoundServer, ...]:
    """Search where these are the replies; the last one of our own tells that all have come."""
    last = reply("last")
    async with SimulatedGdm(*replies, last) as network:
        servers = await find_servers(seconds=0.1, group=network.address)
    assert network.received == [b"M-SEARCH * HTTP/1.0"]
    assert servers[-1].machine_identifier == "last"
    return servers[:-1]


async def test_a_server_answers() -> None:
    assert await found(reply()) == (CELLAR,)


async def test_servers_answer() -> None:
    servers = await found(reply("a", Name="Attic", Port="32401"), reply("b", Version=""))
    assert [(each.name, each.machine_identifier, each.port) for each in servers] == [
        ("Attic", "a", 32401),
        ("Cellar", "b", 32400),
    ]
    assert servers[1].version is None


async def test_a_server_that_answers_twice_is_one_server() -> None:
    assert await found(reply(), reply(), reply(Name="Impostor")) == (CELLAR,)


@pytest.mark.parametrize(
    "answer",
    [
        reply().replace(b"\r\n", b"\n"),
        reply().replace(b"HTTP/1.0 200 OK", b"HTTP/1.1 200 ok"),
        reply().lower().replace(b"http", b"HTTP").replace(b"cellar", b"Cellar"),
        reply().replace(b": ", b":"),
        reply(Port=""),
        reply(Updated_At="", Host=""),
        reply() + b"Name: Second\r\nno field\r\n: \r\n",
        b"\r\n".join(reply().strip().split(b"\r\n")),
    ],
)
async def test_replies_that_are_tolerated(answer: bytes) -> None:
    assert await found(answer) == (CELLAR,)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\xff\xfe\x00",
        b"HTTP/1.0 200 OK",
        b"M-SEARCH * HTTP/1.0",
        reply(status="404 Not Found"),
        reply(status="2000 OK"),
        reply(Content_Type="plex/media-player"),
        reply(Content_Type=""),
        reply(Resource_Identifier=""),
        reply("x" * 129),
        reply("a\x07b"),
        reply(Port="0"),
        reply(Port="65536"),
        reply(Port="-1"),
        reply(Port="x"),
        reply(Port="\u0663"),
        reply(Port="9" * 5000),
        reply(Noise="x" * 4096),
    ],
)
async def test_broken_replies_are_dropped(answer: bytes) -> None:
    # The next one is another server: of two replies of one server the first would count.
    assert [each.machine_identifier for each in await found(answer, reply("good"))] == ["good"]


@pytest.mark.parametrize("name", ["", "x" * 129, "a\x1b[31m", "\u202egnp.exe"])
async def test_a_name_that_cannot_be_shown_is_none(name: str) -> None:
    (server,) = await found(reply(Name=name))
    assert server.name is None


async def test_a_name_in_any_language() -> None:
    (server,) = await found(reply(Name="B\u00fccherei \u5730\u4e0b: 2"))
    assert server.name == "B\u00fccherei \u5730\u4e0b: 2"


async def test_a_flood_of_one_host_leaves_room_for_others() -> None:
    flood = [reply(f"fake-{number}") for number in range(400)]
    async with (
        SimulatedGdm(*flood) as noisy,
        SimulatedGdm(reply("quiet"), host="127.0.0.2", delay=500) as quiet,
    ):
        noisy.others.append(quiet)
        servers = await find_servers(seconds=1, group=noisy.address)
    assert len(servers) == 33
    assert servers[-1].machine_identifier == "quiet"
    assert servers[-1].host == "127.0.0.2"


async def test_a_flood_of_many_hosts_ends_the_search() -> None:
    search = asyncio.create_task(find_servers(seconds=60, group=("127.0.0.1", 9)))
    protocols: list[Any] = []
    loop = asyncio.get_running_loop()
    create = loop.create_datagram_endpoint

    async def watched(factory: Any, **options: Any) -> Any:
        protocols.append(factory())
        return await create(factory, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "create_datagram_endpoint", watched)
        while not protocols:
            await asyncio.sleep(0)
    for number in range(4200):
        host = f"10.0.{number // 256}.{number % 256}"
        protocols[0].datagram_received(reply(f"fake-{number}"), (host, 32414))
    async with asyncio.timeout(5):
        assert len(await search) == 4096


async def test_the_question_is_asked_on_every_adapter() -> None:
    async with SimulatedGdm(reply()) as network:
        sources = ["127.0.0.2", "127.0.0.3"]
        servers = await find_servers(seconds=0.1, group=network.address, sources=sources)
    assert servers == (CELLAR,)
    assert [host for host, _ in network.searchers] == sources


@pytest.mark.parametrize(
    ("sources", "used"),
    [(["192.0.2.99"], ["127.0.0.1"]), (["192.0.2.99", "127.0.0.2"], ["127.0.0.2"])],
)
async def test_an_adapter_that_is_gone_is_passed_by(sources: list[str], used: list[str]) -> None:
    async with SimulatedGdm(reply()) as network:
        servers = await find_servers(seconds=0.1, group=network.address, sources=sources)
    assert servers == (CELLAR,)
    assert [host for host, _ in network.searchers] == used


async def test_nobody_answers() -> None:
    async with SimulatedGdm() as network:
        assert await find_servers(seconds=0.05, group=network.address) == ()
    assert len(network.received) == 1


async def test_afterwards_nobody_listens() -> None:
    async with SimulatedGdm() as network:
        await find_servers(seconds=0.05, group=network.address)
        # A transport closes its socket with the next turn of the loop.
        await asyncio.sleep(0)
    (searcher,) = network.searchers
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(searcher)


async def test_a_search_that_is_given_up_listens_no_more() -> None:
    async with SimulatedGdm() as network:
        search = asyncio.create_task(find_servers(seconds=60, group=network.address))
        while not network.searchers:
            await asyncio.sleep(0)
        search.cancel()
        with pytest.raises(asyncio.CancelledError):
            await search
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(network.searchers[0])


async def test_a_network_that_lets_nothing_through() -> None:
    """A broadcast is refused to a socket that did not ask to be allowed one; nothing leaves."""
    async with asyncio.timeout(2):
        assert await find_servers(seconds=60, group=("255.255.255.255", 9)) == ()


async def test_no_network_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_socket(*_: Any, **__: Any) -> Any:
        raise OSError("no network")

    monkeypatch.setattr(socket, "socket", no_socket)
    assert await find_servers(seconds=0.05, group=("127.0.0.1", 9)) == ()


def test_the_question_goes_to_where_servers_listen_and_no_further() -> None:
    assert GROUP == ("239.0.0.250", 32414)
    assert inspect.signature(find_servers).parameters["group"].default == GROUP


async def test_the_question_does_not_pass_a_router() -> None:
    """Where a question leaves through is only to be seen while its socket is open."""
    loop = asyncio.get_running_loop()
    hops: list[int] = []

    class Watching(SimulatedGdm):
        @override
        def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
            for transport in open_transports:
                own = transport.get_extra_info("socket")
                hops.append(own.getsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL))

    open_transports: list[asyncio.DatagramTransport] = []
    create = loop.create_datagram_endpoint

    async def watched(*args: Any, **options: Any) -> Any:
        created = await create(*args, **options)
        open_transports.append(created[0])
        return created

    async with Watching() as network:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loop, "create_datagram_endpoint", watched)
            await find_servers(seconds=0.05, group=network.address)
    assert hops == [1]


def broken(replies: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Return replies with some bytes of theirs replaced."""

    def break_some(reply: bytes, places: dict[int, bytes]) -> bytes:
        parts = [reply[index : index + 1] for index in range(len(reply))]
        for place, value in places.items():
            parts[place % len(parts)] = value
        return b"".join(parts)

    places = st.dictionaries(st.integers(0, 400), st.binary(max_size=3), max_size=6)
    return st.builds(break_some, replies, places)


@given(st.binary() | broken(st.just(reply())))
def test_no_reply_breaks_the_parser(data: bytes) -> None:
    server = parse_reply(data, "192.0.2.5")
    if server:
        assert server.host == "192.0.2.5"
        assert 0 < server.port < 65536
        for shown in (server.machine_identifier, server.name or "x", server.version or "x"):
            assert shown
            assert shown.isprintable()
            assert len(shown) <= 128
