"""The parser of plex.tv's answers, and the order in which a server's addresses are tried."""

from dataclasses import replace
from itertools import product
import json
from typing import Any, Final

from hypothesis import given, strategies as st
import pytest
from yarl import URL

from custom_components.plex_butler.plex.account.errors import AccountError, NotPlexTvError
from custom_components.plex_butler.plex.account.models import (
    AccountServer,
    Connection,
    Pin,
    addresses,
)
from custom_components.plex_butler.plex.account.parse import (
    is_token,
    parse_pin,
    parse_pin_token,
    parse_servers,
    parse_webhooks,
)

HASH: Final = "123456789001234567890"

ROW: Final[dict[str, Any]] = {
    "name": "Plex Server 1",
    "clientIdentifier": "unique_id_123",
    "provides": "server",
    "owned": True,
    "accessToken": "faketoken",
    "httpsRequired": False,
    "presence": True,
    "connections": [
        {
            "protocol": "https",
            "address": "1.2.3.4",
            "port": 32400,
            "uri": f"https://1-2-3-4.{HASH}.plex.direct:32400",
            "local": True,
            "relay": False,
            "IPv6": False,
        }
    ],
}
CONNECTION: Final = Connection(
    URL(f"https://1-2-3-4.{HASH}.plex.direct:32400"),
    "1.2.3.4",
    32400,
    local=True,
    relay=False,
    ipv6=False,
)
SERVER: Final = AccountServer(
    name="Plex Server 1",
    machine_identifier="unique_id_123",
    owned=True,
    token="faketoken",
    https_required=False,
    presence=True,
    connections=(CONNECTION,),
)


def body(answer: Any) -> bytes:
    return json.dumps(answer).encode()


def strings(value: Any) -> Any:
    match value:
        case dict():
            return {key: strings(inner) for key, inner in value.items()}
        case list():
            return [strings(inner) for inner in value]
        case _:
            return str(value)


def server_of(**fields: Any) -> AccountServer:
    (server,) = parse_servers(body([ROW | fields]))
    return server


def connection_of(**fields: Any) -> Connection | None:
    return next(iter(server_of(connections=[fields]).connections), None)


# Servers


@pytest.mark.parametrize(
    "answer",
    [
        body([ROW]),
        b"\xef\xbb\xbf \r\n" + body([ROW]),
        body([strings(ROW)]),
        body(ROW),
        body([ROW | {"connections": ROW["connections"][0]}]),
        body([ROW, {}, None, 1, "x", [], ROW | {"name": "twin"}, {"clientIdentifier": "y"}]),
    ],
    ids=["list", "bom", "strings", "single", "single connection", "broken rows"],
)
def test_servers(answer: bytes) -> None:
    assert parse_servers(answer) == (SERVER,)


@pytest.mark.parametrize("rows", [[], [ROW | {"provides": "client,player"}]])
def test_accounts_without_a_server(rows: list[Any]) -> None:
    assert parse_servers(body(rows)) == ()


@pytest.mark.parametrize(
    ("provides", "is_server"),
    [
        ("server", True),
        ("client, server ,player", True),
        ("pubsub-server", False),
        ("", False),
        (None, False),
        (["server"], False),
    ],
)
def test_what_a_server_is(provides: Any, is_server: bool) -> None:
    assert bool(parse_servers(body([ROW | {"provides": provides}]))) is is_server


def test_a_server_of_which_little_is_told() -> None:
    row = {"clientIdentifier": "x", "provides": "server"}
    (server,) = parse_servers(body([row]))
    assert server == AccountServer("x", "x", True, None, False, None, ())


@pytest.mark.parametrize("owned", [False, 0, "0", "false"])
def test_what_others_share(owned: Any) -> None:
    assert not server_of(owned=owned).owned


@pytest.mark.parametrize("token", ["", None, "a b", "a\r\nb", True, ["x"]])
def test_a_token_that_nobody_could_send_is_none(token: Any) -> None:
    assert server_of(accessToken=token).token is None


def test_order_is_that_of_plex_tv() -> None:
    rows = [ROW | {"clientIdentifier": each} for each in "bca"]
    assert [each.machine_identifier for each in parse_servers(body(rows))] == ["b", "c", "a"]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"null",
        b"7",
        b'"text"',
        b"{}",
        b"{",
        b"[7]",
        b'[{"name":"x"}]',
        b'{"MediaContainer":{}}',
        b'{"devices":[]}',
        b"<html/>",
        b"<resources/>",
        b'<resources><resource clientIdentifier="x" provides="server"/></resources>',
        b"[" * 100000,
    ],
)
def test_what_is_no_list_of_devices(answer: bytes) -> None:
    with pytest.raises(NotPlexTvError) as caught:
        parse_servers(answer)
    assert caught.value.__cause__ is caught.value.__context__ is None


# Connections


@pytest.mark.parametrize(
    ("row", "uri", "address", "port"),
    [
        ({"uri": "https://nas.example:8443"}, "https://nas.example:8443", "nas.example", 8443),
        ({"uri": "https://nas.example"}, "https://nas.example:443", "nas.example", 443),
        ({"uri": "http://10.0.0.1:1", "port": "x"}, "http://10.0.0.1:1", "10.0.0.1", 1),
        ({"uri": "http://10.0.0.1:1", "port": 70000}, "http://10.0.0.1:1", "10.0.0.1", 1),
        ({"address": "10.0.0.1", "port": "5"}, "http://10.0.0.1:5", "10.0.0.1", 5),
        (
            {"protocol": "https", "address": "fd00::5", "port": 5, "uri": "?"},
            "https://[fd00::5]:5",
            "fd00::5",
            5,
        ),
        (
            {"uri": "https://me:secret@nas:5/plex?X-Plex-Token=secret#secret", "address": "::1"},
            "https://nas:5/plex",
            "::1",
            5,
        ),
    ],
)
def test_connections(row: dict[str, Any], uri: str, address: str, port: int) -> None:
    connection = connection_of(**row)
    assert connection
    assert (connection.uri, connection.address, connection.port) == (URL(uri), address, port)
    assert (connection.local, connection.relay) == (False, False)
    assert connection.ipv6 == (":" in address)
    assert "secret" not in repr(connection)


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"uri": "nas"},
        {"uri": "ftp://nas:1"},
        {"uri": "http://:1"},
        {"uri": "http://nas:99999"},
        {"uri": "http://a b:1"},
        {"uri": "http://\ud800:1"},
        {"address": "10.0.0.1"},
        {"address": "10.0.0.1", "port": 0},
        {"address": "10.0.0.1", "port": -1},
        {"address": "fe80::1%eth0", "port": 5},
        {"address": "10.0.0.1", "port": 5, "protocol": "gopher"},
        {"port": 5},
        {"uri": True, "address": {}, "port": []},
    ],
)
def test_connections_that_lead_nowhere(row: dict[str, Any]) -> None:
    assert connection_of(**row) is None


def test_a_broken_connection_does_not_cost_the_others() -> None:
    rows = [None, 7, {}, *ROW["connections"], "x"]
    assert server_of(connections=rows).connections == (CONNECTION,)


@pytest.mark.parametrize("nothing", [None, [], "x", 7])
def test_no_connections(nothing: Any) -> None:
    assert server_of(connections=nothing).connections == ()


# PINs


@pytest.mark.parametrize(
    ("answer", "pin"),
    [
        (body({"id": 5, "code": "abc", "expiresIn": 1800}), Pin(5, "abc", 1800)),
        (body({"id": "5", "code": "abc", "expiresIn": "1800"}), Pin(5, "abc", 1800)),
        (body({"id": 5, "code": "abc"}), Pin(5, "abc", None)),
        (body({"id": 5, "code": 1234, "expiresIn": -1}), Pin(5, "1234", None)),
    ],
)
def test_pins(answer: bytes, pin: Pin) -> None:
    assert parse_pin(answer) == pin
    assert pin.code not in repr(pin)


@pytest.mark.parametrize(
    "fields",
    [
        {"id": 5},
        {"code": "abc"},
        {"id": -5, "code": "abc"},
        {"id": "../resources", "code": "abc"},
        {"id": 5, "code": ""},
        {"id": 5, "code": "a b"},
        {"id": None, "code": None},
    ],
)
def test_pins_that_are_of_no_use(fields: dict[str, Any]) -> None:
    with pytest.raises(NotPlexTvError):
        parse_pin(body(fields))


@pytest.mark.parametrize(
    ("answer", "token"),
    [
        (body({"id": 5, "authToken": "T0ken"}), "T0ken"),
        (body({"authToken": "T0ken"}), "T0ken"),
        (body({"id": 5, "authToken": None}), None),
        (body({"id": 5, "authToken": ""}), None),
        (body({"id": 5, "authToken": False}), None),
        (body({"code": "abc"}), None),
    ],
)
def test_the_token_of_a_pin(answer: bytes, token: str | None) -> None:
    assert parse_pin_token(answer) == token


# Errors


def test_each_error_has_a_key_of_its_own() -> None:
    kinds = AccountError.__subclasses__()
    assert len({kind.key for kind in kinds}) == len(kinds) == 7
    assert not hasattr(AccountError, "key")


# Laws

JSON: Final = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["server", "1", "https", "http://h:1", "10.0.0.1", "::1", "x\r\ny"]),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.text() | st.sampled_from([*ROW, *ROW["connections"][0], "id", "code", "authToken"]),
            inner,
        )
    ),
)


@given(JSON | st.lists(JSON.map(lambda value: ROW | {"connections": value})) | st.binary())
def test_no_answer_breaks_the_parser(answer: Any) -> None:
    raw = answer if isinstance(answer, bytes) else body(answer)
    for parse in (parse_pin, parse_pin_token, parse_servers):
        try:
            told = parse(raw)
        except NotPlexTvError:
            continue
        if isinstance(told, Pin):
            assert told.id >= 0
            assert is_token(told.code)
        elif isinstance(told, str):
            assert is_token(told)
        for server in told if isinstance(told, tuple) else ():
            assert server.token is None or is_token(server.token)
            for each in server.connections:
                assert (each.uri.scheme in ("http", "https"), bool(each.uri.host)) == (True, True)
                assert 0 < each.port < 65536
            addresses(server)


def in_direct(address: str) -> str:
    return f"{address.replace('.', '-').replace(':', '-')}.{HASH}.plex.direct"


def connection(
    address: str = "192.168.2.5", scheme: str = "https", place: str = "local", *, port: int = 32400
) -> Connection:
    """Return a connection as plex.tv tells it: by https with Plex's own name."""
    return Connection(
        URL.build(
            scheme=scheme, host=in_direct(address) if scheme == "https" else address, port=port
        ),
        address,
        port,
        local=place == "local",
        relay=place == "relay",
        ipv6=":" in address,
    )


def known(*connections: Connection, https_required: bool = False) -> AccountServer:
    return replace(SERVER, connections=connections, https_required=https_required)


def told(server: AccountServer) -> list[str]:
    return [f"{url.scheme}://{url.host_subcomponent}:{url.port}" for url in addresses(server)]


EVERYWHERE: Final = (
    connection("198.51.100.9", place="relay", port=8443),
    connection("2001:db8::7", place="remote"),
    connection("198.51.100.7", "http", place="remote"),
    connection("198.51.100.7", place="remote", port=40001),
    connection("fd00::5"),
    connection("192.168.2.5"),
    connection("172.17.0.2"),
)


def test_the_order_of_addresses() -> None:
    assert told(known(*EVERYWHERE)) == [
        f"https://{in_direct('192.168.2.5')}:32400",
        f"https://{in_direct('172.17.0.2')}:32400",
        f"https://{in_direct('fd00::5')}:32400",
        "http://192.168.2.5:32400",
        "http://172.17.0.2:32400",
        "http://[fd00::5]:32400",
        f"https://{in_direct('198.51.100.7')}:40001",
        f"https://{in_direct('2001:db8::7')}:32400",
        f"https://{in_direct('198.51.100.9')}:8443",
    ]


def test_no_plain_address_where_https_is_required() -> None:
    plain = known(*EVERYWHERE)
    secure = replace(plain, https_required=True)
    assert told(secure) == [url for url in told(plain) if url.startswith("https:")]


@pytest.mark.parametrize(
    "of",
    [
        connection(place="remote"),
        connection(place="relay"),
        replace(connection(), relay=True),
        connection(scheme="http"),
        replace(connection(), uri=URL("https://nas.example")),
        replace(connection(), uri=URL("https://plex.direct")),
        replace(connection(), address="nas"),
        replace(connection(), address=""),
    ],
)
def test_only_behind_a_local_plex_direct_name_is_a_plain_address(of: Connection) -> None:
    assert addresses(known(of)) == (of.uri,)


def test_a_server_without_connections_has_no_address() -> None:
    assert addresses(known()) == ()


PLACES: Final = ("local", "remote", "relay")
ADDRESSES: Final = ("192.168.2.5", "192.168.2.6", "fd00::5")


@given(
    st.lists(
        st.sampled_from(
            [connection(*fields) for fields in product(ADDRESSES, ("https", "http"), PLACES)]
        )
    ),
    st.booleans(),
)
def test_addresses_stand_in_their_order_and_once(
    connections: list[Connection], https_required: bool
) -> None:
    urls = addresses(known(*connections, https_required=https_required))
    assert len(set(urls)) == len(urls)
    # The best place that an address was told to be in is the one that counts.
    ranks: dict[URL, tuple[int, bool, bool]] = {}
    for each in connections:
        place = 2 if each.relay else 0 if each.local else 1
        uris = {each.uri}
        if place == 0:
            uris.add(URL.build(scheme="http", host=each.address, port=each.port))
        for uri in uris:
            rank = (place, uri.scheme == "http", each.ipv6)
            ranks[uri] = min(rank, ranks.get(uri, rank))
    # Outside the local network nothing is sent in the clear.
    expected = {
        uri
        for uri, (place, _, _) in ranks.items()
        if uri.scheme == "https" or (place == 0 and not https_required)
    }
    assert set(urls) == expected
    assert [ranks[url] for url in urls] == sorted(ranks[url] for url in urls)


# Webhooks


@pytest.mark.parametrize(
    ("answer", "urls"),
    [
        ([], ()),
        ([{"url": " http://a/ "}, {"url": "http://b/?c=\u00e9", "id": 1}], None),
        ({"webhooks": [{"url": "http://a/"}]}, ("http://a/",)),
    ],
)
def test_webhooks_are_kept_as_they_are(answer: Any, urls: tuple[str, ...] | None) -> None:
    if urls is None:
        urls = tuple(row["url"] for row in answer)
    assert parse_webhooks(json.dumps(answer).encode()) == urls


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"errors": []},
        {"webhooks": {"url": "http://a/"}},
        [{"url": "http://a/"}, {}],
        [{"url": ""}],
        [{"url": 1}],
        ["http://a/"],
        [None],
        "http://a/",
        None,
    ],
)
def test_list_of_webhooks_that_cannot_be_read_as_a_whole_is_none(answer: Any) -> None:
    with pytest.raises(NotPlexTvError):
        parse_webhooks(json.dumps(answer).encode())
