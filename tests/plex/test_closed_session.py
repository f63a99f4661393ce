"""A session that was closed, as when Home Assistant stops: an error of ours, and nothing is sent."""

from aiohttp import ClientSession
import pytest
from yarl import URL

from custom_components.plex_butler.plex import CannotConnectError, PlexClient
from custom_components.plex_butler.plex.account.client import PlexAccount
from custom_components.plex_butler.plex.account.errors import PlexTvDownError


async def test_a_server_over_a_closed_session() -> None:
    session = ClientSession()
    await session.close()
    client = PlexClient(
        session,
        URL("http://127.0.0.1:1"),
        "",
        client_identifier="test",
        machine_identifier=None,
        version="0",
    )

    for call in (client.activities, client.start_all):
        with pytest.raises(CannotConnectError):
            await call()


async def test_plex_tv_over_a_closed_session() -> None:
    session = ClientSession()
    await session.close()
    account = PlexAccount(session, client_identifier="test", version="0")

    with pytest.raises(PlexTvDownError):
        await account.create_pin()
