"""A sign-in with Plex: a page for the user, and the wait until the user has signed in."""

import asyncio
from typing import Final

from aiohttp import ClientSession
from yarl import URL

from . import client
from .errors import (
    AccountError,
    PinExpiredError,
    PlexTvDownError,
    RateLimitedError,
    SignInRefusedError,
)
from .models import AccountServer, Pin

PIN_INTERVAL: Final = 2.0
"""How often the result of a sign-in is requested, in seconds."""
PIN_LIFE: Final = 900.0
"""How long the user can sign in if plex.tv does not say, in seconds."""


class SignIn:
    """A sign-in that waits for the user. `close` must be called when it is over."""

    def __init__(self, session: ClientSession, client_identifier: str, version: str) -> None:
        """Initialize; nothing is sent."""
        self._session = session
        self._plex_tv = client.PlexAccount(
            session, client_identifier=client_identifier, version=version, url=client.PLEX_TV
        )
        self._token = ""

    @property
    def signed_in(self) -> bool:
        """Return whether the user has signed in, and `servers` has not succeeded or been refused."""
        return bool(self._token)

    async def begin(self) -> tuple[URL, Pin]:
        """Create a PIN, and return it and the page to open. Raises AccountError."""
        pin = await self._plex_tv.create_pin()
        return self._plex_tv.sign_in_url(pin), pin

    async def wait(self, pin: Pin) -> None:
        """Wait until the user has signed in, and keep the token for `servers`. Raises AccountError.

        If plex.tv cannot be asked until the PIN has expired, the error says why: the user may have
        signed in.
        """
        loop = asyncio.get_running_loop()
        expires = loop.time() + (pin.expires_in or PIN_LIFE)
        failure: AccountError | None = None
        try:
            async with asyncio.timeout_at(expires):
                while not self._token:
                    await asyncio.sleep(PIN_INTERVAL)
                    try:
                        self._token = await self._plex_tv.token(pin) or ""
                        failure = None
                    except PlexTvDownError as err:
                        failure = err
                    except RateLimitedError as err:
                        failure = err
                        pause = err.retry_after or PIN_INTERVAL
                        if loop.time() + pause >= expires:
                            raise
                        await asyncio.sleep(pause)
        except TimeoutError:
            raise failure or PinExpiredError("Nobody signed in while the PIN was valid") from None

    async def servers(self) -> tuple[AccountServer, ...]:
        """Return the servers of the account, each with a token of its own, and drop the account's token.

        Raises AccountError. Unless the token is refused, it is kept then for another try.
        """
        try:
            servers = await self._plex_tv.servers(self._token)
        except SignInRefusedError:
            self._token = ""
            raise
        self._token = ""
        return servers

    async def replace_webhook(self, own: tuple[str, ...], address: str | None) -> None:
        """Change the account's list of webhooks, and drop the account's token. Raises AccountError."""
        token, self._token = self._token, ""
        await self._plex_tv.replace_webhook(token, own, address)

    def close(self) -> None:
        """Detach the session from its connections, which are Home Assistant's."""
        self._session.detach()
