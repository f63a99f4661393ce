"""What the tests of the client share: clients on a session as Home Assistant makes it."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
import ssl
from typing import Any, Final

from aiohttp import ClientSession, DummyCookieJar, TCPConnector
from yarl import URL

from custom_components.plex_butler.plex import PlexClient, refuse_redirects
from tests.plex.scripted_server import MACHINE_IDENTIFIER

TOKEN: Final = "Ow-ner_Tok3n"
CLIENT_IDENTIFIER: Final = "5b6e2d9c-0d0f-4e43-9c44-3a3c5d1f7a10"

type Call = Callable[[PlexClient], Awaitable[Any]]

READS: Final[dict[str, Call]] = {
    "GET /": PlexClient.server,
    "GET /butler": PlexClient.tasks,
    "GET /activities": PlexClient.activities,
    "GET /:/prefs": PlexClient.preferences,
    "GET /status/sessions": PlexClient.sessions,
}
COMMANDS: Final[dict[str, Call]] = {
    "POST /butler/BackupDatabase": lambda client: client.start_task("BackupDatabase"),
    "DELETE /butler/BackupDatabase": lambda client: client.stop_task("BackupDatabase"),
    "POST /butler": PlexClient.start_all,
    "DELETE /butler": PlexClient.stop_all,
    "PUT /:/prefs?ButlerStartHour=3": lambda client: client.set_preferences({"ButlerStartHour": 3}),
}
CALLS: Final = {"GET /identity": PlexClient.identity, **READS, **COMMANDS}


@asynccontextmanager
async def client_for(
    url: URL | str,
    *,
    token: str = TOKEN,
    machine_identifier: str | None = MACHINE_IDENTIFIER,
    request_timeout: float = 5,
    tls: ssl.SSLContext | bool = True,
    **connector: Any,
) -> AsyncGenerator[PlexClient]:
    """Make a client and its session."""
    async with ClientSession(
        connector=TCPConnector(ssl=tls, **connector),
        cookie_jar=DummyCookieJar(),
        middlewares=(refuse_redirects,),
    ) as session:
        yield PlexClient(
            session,
            URL(url),
            token,
            client_identifier=CLIENT_IDENTIFIER,
            machine_identifier=machine_identifier,
            version="9.8.7",
            request_timeout=request_timeout,
        )
