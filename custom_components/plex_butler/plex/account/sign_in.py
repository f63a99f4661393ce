"""One sign-in with Plex: a page for the user, and the wait for what comes of it."""

import asyncio
from typing import Final

from aiohttp import ClientSession
from yarl import URL

from . import client
from .errors import PinExpiredError, PlexTvDownError, RateLimitedError
from .models import AccountServer, Pin

PIN_INTERVAL: Final = 2.0
"""How often plex.tv is asked whether the user has signed in, in seconds."""
PIN_LIFE: Final = 900.0
"""How long the user has for it, where plex.tv does not say."""


class SignIn:
    """A sign-in that waits for its user. The token of the account is handed out once, not kept."""

    def __init__(self, session: ClientSession, client_identifier: str, version: str) -> None:
        """Initialize; nothing is asked."""
        self._session = session
        self._plex_tv = client.PlexAccount(
            session, client_identifier=client_identifier, version=version, url=client.PLEX_TV
        )
        self._token = ""

    async def begin(self) -> tuple[URL, Pin]:
        """Return the page to open, and what to wait with. Raises AccountError."""
        pin = await self._plex_tv.create_pin()
        return self._plex_tv.sign_in_url(pin), pin

    async def wait(self, pin: Pin) -> None:
        """Wait until the user has signed in. Raises AccountError."""
        try:
            async with asyncio.timeout(pin.expires_in or PIN_LIFE):
                while not self._token:
                    await asyncio.sleep(PIN_INTERVAL)
                    self._token = await self._ask(pin) or ""
        except TimeoutError:
            raise PinExpiredError("Nobody signed in in time") from None

    async def _ask(self, pin: Pin) -> str | None:
        """Ask once; a plex.tv that is away, or was asked too often, is asked again later."""
        try:
            return await self._plex_tv.token(pin)
        except RateLimitedError as err:
            await asyncio.sleep(err.retry_after or PIN_INTERVAL)
        except PlexTvDownError:
            pass
        return None

    async def servers(self) -> tuple[AccountServer, ...]:
        """Return the servers of the account, each with its own token. Raises AccountError."""
        token, self._token = self._token, ""
        return await self._plex_tv.servers(token)

    def close(self) -> None:
        """Give the connections back."""
        self._session.detach()
