"""Which addresses are local by themselves, whatever plex.tv says about them."""

import pytest
from yarl import URL

from custom_components.plex_butler.plex.locality import is_local, sends_in_the_clear


@pytest.mark.parametrize(
    "host",
    [
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.5",
        "169.254.3.4",
        "127.0.0.1",
        "[::1]",
        "[fd00::5]",
        "[fe80::5]",
        "[::ffff:192.168.1.5]",
        "nas",
        "NAS",
        "nas.local",
        "nas.local.",
        "nas.lan",
        "nas.home.arpa",
        "plex.nas.internal",
    ],
)
def test_local(host: str) -> None:
    assert is_local(URL(f"http://{host}:32400"))
    assert not sends_in_the_clear(URL(f"http://{host}:32400"))


@pytest.mark.parametrize(
    "host",
    [
        "9.255.255.255",
        "11.0.0.0",
        "172.15.255.255",
        "172.32.0.0",
        "192.167.255.255",
        "192.169.0.0",
        "100.64.0.1",
        "203.0.113.5",
        "0.0.0.0",  # noqa: S104
        "255.255.255.255",
        "[2001:db8::5]",
        "[fec0::5]",
        "[::ffff:203.0.113.5]",
        "[64:ff9b::c0a8:105]",
        "plex.example.org",
        "192-168-1-5.0123456789abcdef.plex.direct",
        "fd00--5.0123456789abcdef.plex.direct",
        "local.example",
        "nas.local.example",
        "nasinternal.org",
        "nas.fritz.box",
        "xn--a.example",
    ],
)
def test_not_local(host: str) -> None:
    assert not is_local(URL(f"https://{host}:32400"))
    assert sends_in_the_clear(URL(f"http://{host}:32400"))
    assert not sends_in_the_clear(URL(f"https://{host}:32400"))
