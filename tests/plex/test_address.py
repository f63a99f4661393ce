"""Addresses: everything that people type, and what a certificate tells."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
import ssl
from unittest.mock import AsyncMock, Mock

from hypothesis import given, settings, strategies as st
import pytest
import trustme
from yarl import URL

from custom_components.plex_butler.plex import address, parse_address, plex_direct_address

HASH = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("192.168.1.5", "http://192.168.1.5:32400"),
        ("  192.168.1.5\n", "http://192.168.1.5:32400"),
        ("192.168.1.5:32401", "http://192.168.1.5:32401"),
        ("nas", "http://nas:32400"),
        ("nas:", "http://nas:32400"),
        ("nas:32400", "http://nas:32400"),
        ("NAS.Home.Arpa", "http://nas.home.arpa:32400"),
        ("my_nas.local/", "http://my_nas.local:32400"),
        ("//nas", "http://nas:32400"),
        ("localhost", "http://localhost:32400"),
        ("müller.example", "http://xn--mller-kva.example:32400"),
        ("http://nas", "http://nas:32400"),
        ("http://nas:80", "http://nas:80"),
        ("HTTP://nas:32400//", "http://nas:32400"),
        ("http://nas:32400/web", "http://nas:32400"),
        ("http://nas:32400/web/index.html#!/media/0123/com.plexapp", "http://nas:32400"),
        ("http://nas:32400/web/index.html?X-Plex-Token=secret", "http://nas:32400"),
        ("nas:32400/library/metadata/1?X-Plex-Token=secret", "http://nas:32400"),
        ("http://nas:32400/?X-Plex-Token=secret", "http://nas:32400"),
        ("http://nas:32400/status/sessions?X-Plex-Token=secret", "http://nas:32400"),
        ("http://nas:32400/accounts?X-Plex-Token=secret", "http://nas:32400"),
        ("http://nas:32400/accounts/", "http://nas:32400"),
        ("http://nas:32400/statistics/resources?timespan=6", "http://nas:32400"),
        ("http://nas:32400/hubs/search?query=a", "http://nas:32400"),
        ("http://nas:32400/playlists", "http://nas:32400"),
        ("http://nas:32400/media/providers?X-Plex-Token=secret", "http://nas:32400"),
        ("http://nas:32400/log?level=3", "http://nas:32400"),
        ("https://example.org/plex/status/sessions", "https://example.org:443/plex"),
        ("https://example.org/media", "https://example.org:443/media"),
        ("https://example.org/media/", "https://example.org:443/media"),
        ("https://example.org/media/plex", "https://example.org:443/media/plex"),
        ("https://example.org/user/plex/web/index.html#!/", "https://example.org:443/user/plex"),
        (
            "https://example.org/server/plex?X-Plex-Token=secret",
            "https://example.org:443/server/plex",
        ),
        (
            "https://example.org/video/plex/photo/:/transcode?a=b",
            "https://example.org:443/video/plex",
        ),
        ("http://nas:32400/photo/:/transcode?width=1", "http://nas:32400"),
        ("http://nas:32400/services/browse/L2hvbWU=", "http://nas:32400"),
        ("http://nas:32400/media?X-Plex-Token=secret", "http://nas:32400"),
        ("\u200e192.168.1.5:32401\u202c", "http://192.168.1.5:32401"),
        ("\ufeffhttp\u200b://nas:32400\u2060 ", "http://nas:32400"),
        ("http://nas:32400?X-Plex-Token=secret", "http://nas:32400"),
        ("http://nas:32400#secret", "http://nas:32400"),
        ("http://nas:32400/:/prefs", "http://nas:32400"),
        ("http://me:secret@nas:32400/", "http://nas:32400"),
        ("me:secret@nas", "http://nas:32400"),
        ("http://me@x:secret@nas", "http://nas:32400"),
        ("https://192.168.1.5", "https://192.168.1.5:32400"),
        ("https://192.168.1.5:443", "https://192.168.1.5:443"),
        (
            f"https://192-168-1-5.{HASH}.plex.direct",
            f"https://192-168-1-5.{HASH}.plex.direct:32400",
        ),
        ("https://plex.example.org", "https://plex.example.org:443"),
        ("https://plex.example.org:32400", "https://plex.example.org:32400"),
        ("https://example.org/plex/", "https://example.org:443/plex"),
        ("https://example.org/plex/status", "https://example.org:443/plex"),
        ("http://nas:32400//library/sections", "http://nas:32400"),
        ("http://nas:32400/status/sessions?a=b", "http://nas:32400"),
        ("http://nas:32400/devices", "http://nas:32400"),
        ("http://nas:32400/metadata/1", "http://nas:32400"),
        ("http://nas:32400/tv.plex.providers.epg.cloud:2/grid", "http://nas:32400"),
        ("http://nas/media", "http://nas:32400/media"),
        ("https://example.org/a/plex/web/index.html#!/", "https://example.org:443/a/plex"),
        ("https://example.org/my%20plex", "https://example.org:443/my%20plex"),
        ("2001:db8::5", "http://[2001:db8::5]:32400"),
        ("[2001:DB8::5]", "http://[2001:db8::5]:32400"),
        ("[2001:db8:0::5]:32401", "http://[2001:db8::5]:32401"),
        ("http://[::1]:32400/web", "http://[::1]:32400"),
        ("http://2001:db8::5/web", "http://[2001:db8::5]:32400"),
        ("https://[2001:db8::5]", "https://[2001:db8::5]:32400"),
    ],
)
def test_what_people_type(typed: str, url: str) -> None:
    parsed = parse_address(typed)

    assert parsed.url == URL(url)
    assert parsed.text == url
    assert parsed.scheme_given == ("http" in typed.lower().partition(":")[0])


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "  ",
        "http://",
        "https://:32400",
        "ftp://nas",
        "http://10.0.0.160/:32400",
        "http:/x",
        "http//x",
        "http://http://x",
        "http://x/http://y",
        "http.//x",
        "htpp//x",
        "ttp//10.0.0.160:32400",
        "http://10.0.0.160/32400",
        "https:/x",
        "https://https://x",
        "http://HTTP/x",
        "https",
        "file:///etc/passwd",
        "nas:port",
        "nas:0",
        "nas:65536",
        f"nas:{'9' * 5000}",
        "my nas",
        "nas/my plex",
        "nas/my\N{NO-BREAK SPACE}plex",
        "nas\\web",
        "na\x00s",
        "-nas",
        "nas..local",
        f"{'a' * 64}.local",
        ".".join(["abcdefg"] * 40),
        "192.168.1",
        "192.168.1.500",
        "192.168.1.5.6",
        "1234",
        "[nas]",
        "[2001:db8::5",
        "2001:db8:::5",
        "[fe80::1%eth0]",
        "me:sec/ret@nas",
        "me:32400/ret@nas",
        "nas/../x",
        "nas/%2E%2E/x",
        "na%2fs",
        "plex!",
        "\ud800",
    ],
)
def test_nonsense_is_refused_without_repeating_it(typed: str) -> None:
    with pytest.raises(ValueError, match="not the address of a server") as caught:
        parse_address(typed)

    assert caught.value.__context__ is None


@settings(deadline=None)
@given(
    st.one_of(
        st.text(),
        st.from_regex(
            r"(https?://)?(u:p@)?([a-z0-9.\[\]:%-]{1,12})(:[0-9]{1,5})?(/[^\n]{0,12})?([?#].{0,8})?",
            fullmatch=True,
        ),
    )
)
def test_what_is_read_is_clean_and_reads_back(typed: str) -> None:
    try:
        parsed = parse_address(typed)
    except ValueError:
        return

    assert parsed.url.scheme in ("http", "https")
    assert parsed.url.host
    assert parsed.url.port
    assert parsed.url.user is parsed.url.password is None
    assert not parsed.url.raw_query_string
    assert not parsed.url.raw_fragment
    assert "@" not in parsed.text
    assert parse_address(parsed.text).url == parsed.url
    assert URL(parsed.text) == parsed.url
    assert parse_address(parsed.text).text == parsed.text


@asynccontextmanager
async def tls_server(
    authority: trustme.CA, *names: str
) -> AsyncIterator[tuple[URL, asyncio.Queue[bytes]]]:
    """Serve TLS with a certificate for `names` and keep what a client says."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names).configure_cert(context)
    said: asyncio.Queue[bytes] = asyncio.Queue()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            said.put_nowait(await reader.read())
        except ConnectionResetError:
            said.put_nowait(b"")
        writer.transport.abort()

    server = await asyncio.start_server(listen, "127.0.0.1", ssl=context)
    async with server:
        yield URL(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"), said


@pytest.fixture(name="authority", scope="module")
def authority_fixture() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(name="context")
def context_fixture(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    authority.configure_trust(context)
    return context


@pytest.mark.usefixtures("socket_enabled")
async def test_a_certificate_of_plex_tells_the_address_it_is_made_out_to(
    authority: trustme.CA, context: ssl.SSLContext
) -> None:
    async with tls_server(authority, f"*.{HASH}.plex.direct") as (url, said):
        found = await plex_direct_address(url, context)
        assert await said.get() == b""

    assert found == URL(f"https://127-0-0-1.{HASH}.plex.direct:{url.port}")


@pytest.mark.usefixtures("socket_enabled")
@pytest.mark.parametrize(
    "name",
    ["plex.example.org", f"{HASH}.plex.direct", f"*.{HASH}.plex.direct.evil.org", "10.0.0.1"],
)
async def test_another_certificate_tells_nothing(
    authority: trustme.CA, context: ssl.SSLContext, name: str
) -> None:
    async with tls_server(authority, name) as (url, _):
        assert await plex_direct_address(url, context) is None


@pytest.mark.usefixtures("socket_enabled")
async def test_a_certificate_that_is_not_trusted_tells_nothing(context: ssl.SSLContext) -> None:
    async with tls_server(trustme.CA(), f"*.{HASH}.plex.direct") as (url, _):
        assert await plex_direct_address(url, context) is None


@pytest.mark.usefixtures("socket_enabled")
async def test_nothing_answers_to_the_question_for_a_certificate(
    context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(address, "LOOKUP_TIMEOUT", 0.05)
    release = asyncio.Event()

    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        writer.transport.abort()

    server = await asyncio.start_server(silent, "127.0.0.1")
    url = URL(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    async with server:
        assert await plex_direct_address(url, context) is None
        release.set()
    assert await plex_direct_address(url, context) is None


@pytest.mark.usefixtures("socket_enabled")
@pytest.mark.parametrize(
    "host", ["localhost", "127-0-0-1.0ld.plex.direct", "127-0-0-1.0LD.Plex.Direct"]
)
async def test_a_name_leads_to_the_address_behind_it(
    authority: trustme.CA, context: ssl.SSLContext, host: str
) -> None:
    async with tls_server(authority, f"*.{HASH}.plex.direct") as (url, _):
        found = await plex_direct_address(url.with_host(host), context)

    assert found == URL(f"https://127-0-0-1.{HASH}.plex.direct:{url.port}")


@pytest.mark.parametrize(
    ("host", "asked", "peer", "label"),
    [
        ("[2001:db8::5]", "2001:db8::5", "2001:db8::5", f"2001-0db8-{'0000-' * 5}0005"),
        (
            f"2001-0db8-{'0000-' * 5}0005.0ld.plex.direct",
            "2001:db8::5",
            "2001:db8::5",
            f"2001-0db8-{'0000-' * 5}0005",
        ),
        ("[::ffff:10.0.0.5]", "::ffff:10.0.0.5", "::ffff:10.0.0.5", "10-0-0-5"),
        ("nas", "nas", "fe80::1%eth0", None),
        ("9-9.0ld.plex.direct", "9-9.0ld.plex.direct", "10.0.0.5", "10-0-0-5"),
    ],
)
async def test_an_address_is_written_as_plex_does(
    monkeypatch: pytest.MonkeyPatch,
    context: ssl.SSLContext,
    host: str,
    asked: str,
    peer: str,
    label: str | None,
) -> None:
    """No network that the tests can rely on has IPv6."""
    writer = Mock()
    writer.get_extra_info = {
        "peercert": {"subjectAltName": (("DNS", f"*.{HASH}.plex.direct"),)},
        "peername": (peer, 32400),
    }.__getitem__
    connect = AsyncMock(return_value=(Mock(), writer))
    monkeypatch.setattr("asyncio.open_connection", connect)

    found = await plex_direct_address(URL(f"https://{host}:32400"), context)

    assert connect.await_args
    assert connect.await_args.args == (asked, 32400)
    assert found == (URL(f"https://{label}.{HASH}.plex.direct:32400") if label else None)


async def test_a_context_that_does_not_verify_is_refused() -> None:
    context = ssl.create_default_context()
    with pytest.raises(ValueError, match="context"):
        await plex_direct_address(URL("https://127.0.0.1"), context)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with pytest.raises(ValueError, match="context"):
        await plex_direct_address(URL("https://127.0.0.1"), context)
