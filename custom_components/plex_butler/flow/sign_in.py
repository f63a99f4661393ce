"""A sign-in with Plex in the background, and the choice among the servers of the account."""

import asyncio
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Self

from homeassistant.core import HomeAssistant, callback
from yarl import URL

from ..connection import create_session, integration_version
from ..const import DOMAIN
from ..names import listed
from ..plex.account.models import AccountServer, Pin
from ..plex.account.sign_in import SignIn


class WaitingSignIn:
    """A sign-in that waits in a background task until the user has signed in on a page of Plex."""

    def __init__(
        self,
        hass: HomeAssistant,
        sign_in: SignIn,
        page: URL,
        pin: Pin,
        on_finished: Callable[[], None],
    ) -> None:
        """Start to wait. `on_finished` is called when the wait succeeds or fails, but not if closed."""
        self.page = page
        self._sign_in = sign_in
        self._task = hass.async_create_background_task(sign_in.wait(pin), f"{DOMAIN} sign-in")
        self._task.add_done_callback(lambda task: None if task.cancelled() else on_finished())
        self._servers: asyncio.Task[tuple[AccountServer, ...]] | None = None
        self._replaced: asyncio.Task[None] | None = None

    @property
    def finished(self) -> bool:
        """Return whether the user has signed in, or the wait has failed."""
        return self._task.done()

    @property
    def signed_in(self) -> bool:
        """Return whether the servers of the account can still be requested."""
        return self._sign_in.signed_in

    async def servers(self) -> tuple[AccountServer, ...]:
        """Return the servers of the account, once the user has signed in. Raises AccountError.

        They are requested once, however many windows show the dialog, and again after a failure.
        """
        await self._task
        if self._servers is None or (self._servers.done() and self._servers.exception()):
            self._servers = asyncio.ensure_future(self._sign_in.servers())
        return await asyncio.shield(self._servers)

    async def replace_webhook(self, own: tuple[str, ...], address: str | None) -> None:
        """Change the account's list of webhooks, once the user has signed in. Raises AccountError.

        It is changed once, however many windows show the dialog.
        """
        await self._task
        if self._replaced is None:
            self._replaced = asyncio.ensure_future(self._sign_in.replace_webhook(own, address))
        await asyncio.shield(self._replaced)

    @callback
    def close(self) -> None:
        """Stop waiting, and release the connections."""
        self._task.cancel()
        self._sign_in.close()


async def start_sign_in(
    hass: HomeAssistant, client_identifier: str, on_finished: Callable[[], None]
) -> WaitingSignIn:
    """Request the page on which the user signs in, and start to wait. The caller has to close it.

    Raises AccountError.
    """
    session = create_session(hass, verify_ssl=True, auto_cleanup=False)
    sign_in = SignIn(session, client_identifier, integration_version(hass))
    try:
        page, pin = await sign_in.begin()
    except BaseException:
        sign_in.close()
        raise
    return WaitingSignIn(hass, sign_in, page, pin, on_finished)


@dataclass(frozen=True, slots=True)
class ServerChoice:
    """The servers of an account: those that can be chosen, and the names of the others.

    Those that are connected to plex.tv now come first: of two of one name, the other one is most
    likely the installation that it has replaced.
    """

    usable: dict[str, AccountServer]
    shared: list[str]
    added: list[str]
    wanted: str | None = None

    @classmethod
    def among(
        cls, servers: Sequence[AccountServer], added: Container[str | None], wanted: str | None
    ) -> Self:
        """Sort the servers of an account.

        `added` holds the machine identifiers of servers that have an entry already. If `wanted` is
        not None, only the server with this machine identifier can be chosen.
        """
        owned = [server for server in servers if server.owned]
        owned.sort(key=lambda server: server.presence is False)
        return cls(
            usable={
                server.machine_identifier: server
                for server in owned
                if server.machine_identifier not in added
                and wanted in (None, server.machine_identifier)
            },
            shared=[server.name for server in servers if not server.owned],
            added=[server.name for server in owned if server.machine_identifier in added],
            wanted=wanted,
        )

    @property
    def labels(self) -> dict[str, tuple[str, ...]]:
        """Return what to call the servers that can be chosen, the shortest label first."""
        return {key: _labels(server) for key, server in self.usable.items()}

    @property
    def placeholders(self) -> dict[str, str]:
        """Return the names of the servers that cannot be chosen, for the description of a step."""
        return {"shared": listed(self.shared), "known": listed(self.added)}


def _labels(server: AccountServer) -> tuple[str, ...]:
    name, identifier = server.name, server.machine_identifier[:8]
    if not server.connections:
        return name, f"{name} ({identifier})"
    best = min(server.connections, key=lambda each: (each.relay, not each.local, each.ipv6))
    host = f"{best.address}:{best.port}"
    return name, f"{name} ({host})", f"{name} ({host}, {identifier})"
