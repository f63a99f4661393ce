"""The account's list of webhooks, which is shared with other programs."""

from collections.abc import AsyncGenerator, Iterator
from typing import Final

from aiohttp import ClientSession
import pytest
from yarl import URL

from custom_components.plex_butler.plex import refuse_redirects
from custom_components.plex_butler.plex.account.client import PlexAccount
from custom_components.plex_butler.plex.account.errors import (
    AccountError,
    NoPlexPassError,
    NotPlexTvError,
    SignInRefusedError,
    WebhooksNotKeptError,
)
from tests.simulator.plex_tv import SimulatedPlexTv

OWN: Final = "5ecre7"
OURS: Final = f"http://192.168.1.9:8123/api/webhook/{OWN}"
CLOUD: Final = "https://hooks.nabu.casa/gAAAA0ne0fthec10ud"
OLD: Final = f"https://old.example.org/api/webhook/{OWN}"
OTHERS: Final = [
    "https://example.org/tautulli?key=a%20b&c=d+e",
    "http://192.168.1.9:8123/api/webhook/another",
    "https://example.org/ümlaut/",
]


@pytest.fixture(name="plex_tv")
async def plex_tv_fixture(socket_enabled: None) -> AsyncGenerator[SimulatedPlexTv]:
    async with SimulatedPlexTv() as plex_tv:
        yield plex_tv


@pytest.fixture(name="account")
async def account_fixture(plex_tv: SimulatedPlexTv) -> AsyncGenerator[PlexAccount]:
    async with ClientSession(middlewares=(refuse_redirects,)) as session:
        yield PlexAccount(session, client_identifier="a", version="0", url=URL(plex_tv.url))


@pytest.fixture(name="token")
async def token_fixture(plex_tv: SimulatedPlexTv, account: PlexAccount) -> str:
    return plex_tv.sign_in((await account.create_pin()).code)


@pytest.fixture(autouse=True)
def _no_address_in_the_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    caplog.set_level(0)
    yield
    logged = " ".join(record.getMessage() for record in caplog.get_records("call"))
    assert "/api/v2/user/webhooks" in logged or "pins" in logged
    assert not [secret for secret in (OWN, "tautulli", "another", "mlaut") if secret in logged]


def methods(plex_tv: SimulatedPlexTv) -> list[str]:
    """Return how the list was asked for, and changed."""
    return [each.method for each in plex_tv.requests if each.path.endswith("/user/webhooks")]


@pytest.mark.parametrize(
    ("before", "address", "after"),
    [
        ([], OURS, [OURS]),
        (OTHERS, OURS, [*OTHERS, OURS]),
        ([OLD, *OTHERS], OURS, [*OTHERS, OURS]),
        ([OURS, *OTHERS, OLD], None, OTHERS),
        ([OURS], None, []),
    ],
)
async def test_only_our_own_is_replaced(
    plex_tv: SimulatedPlexTv,
    account: PlexAccount,
    token: str,
    before: list[str],
    address: str | None,
    after: list[str],
) -> None:
    plex_tv.webhooks = before
    await account.replace_webhook(token, (OWN,), address)
    assert plex_tv.webhooks == after
    assert methods(plex_tv) == ["GET", "POST", "GET"]


@pytest.mark.parametrize("own", [(), ("",), ("", CLOUD)])
async def test_what_is_empty_is_in_no_address(
    plex_tv: SimulatedPlexTv, account: PlexAccount, token: str, own: tuple[str, ...]
) -> None:
    """Nobody else's address is taken out for it."""
    plex_tv.webhooks = [*OTHERS, CLOUD]
    await account.replace_webhook(token, own, None)
    assert plex_tv.webhooks == (OTHERS if CLOUD in own else [*OTHERS, CLOUD])


async def test_address_over_the_cloud_is_our_own_too(
    plex_tv: SimulatedPlexTv, account: PlexAccount, token: str
) -> None:
    plex_tv.webhooks = [CLOUD, *OTHERS, OURS]
    await account.replace_webhook(token, (OWN, CLOUD), OURS)
    assert plex_tv.webhooks == [*OTHERS, OURS]


@pytest.mark.parametrize(("before", "address"), [([*OTHERS, OURS], OURS), (OTHERS, None)])
async def test_nothing_is_written_if_nothing_changes(
    plex_tv: SimulatedPlexTv,
    account: PlexAccount,
    token: str,
    before: list[str],
    address: str | None,
) -> None:
    plex_tv.webhooks = before
    await account.replace_webhook(token, (OWN,), address)
    assert plex_tv.webhooks == before
    assert methods(plex_tv) == ["GET"]


async def test_without_plex_pass(
    plex_tv: SimulatedPlexTv, account: PlexAccount, token: str
) -> None:
    plex_tv.faults.no_plex_pass = True
    with pytest.raises(NoPlexPassError):
        await account.replace_webhook(token, (OWN,), OURS)
    assert methods(plex_tv) == ["GET"]


@pytest.mark.parametrize(
    ("garbage", "kind"), [(b'[{"id": 1}]', NotPlexTvError), (b"<html>", NotPlexTvError)]
)
async def test_list_that_cannot_be_read_is_not_replaced(
    plex_tv: SimulatedPlexTv,
    account: PlexAccount,
    token: str,
    garbage: bytes,
    kind: type[AccountError],
) -> None:
    plex_tv.faults.garbage = garbage
    with pytest.raises(kind):
        await account.replace_webhook(token, (OWN,), OURS)
    assert methods(plex_tv) == ["GET"]


async def test_list_that_is_not_kept(
    plex_tv: SimulatedPlexTv, account: PlexAccount, token: str
) -> None:
    plex_tv.faults.webhooks_lost = True
    with pytest.raises(WebhooksNotKeptError):
        await account.replace_webhook(token, (OWN,), OURS)


async def test_token_that_is_good_no_more(
    plex_tv: SimulatedPlexTv, account: PlexAccount, token: str
) -> None:
    plex_tv.revoke()
    for bad in (token, "", "a b"):
        with pytest.raises(SignInRefusedError):
            await account.replace_webhook(bad, (OWN,), OURS)
