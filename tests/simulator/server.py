"""The simulated server: its state, its listeners, and what it does to a request."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
import secrets
import ssl
from types import TracebackType
from typing import Any, Final, Self

from aiohttp import web

from .activities import Activities
from .answers import Dropped, refusal, something_else, unavailable
from .api import Api
from .auth import Auth
from .butler import Butler
from .clock import Clock
from .faults import Faults
from .front import Front
from .log import Log
from .notifications import Notifications
from .players import Players
from .prefs import Preferences
from .run import Run
from .tasks import Profile, Task, profiles as default_profiles, tasks as default_tasks
from .users import Users
from .webhooks import Webhooks

EVENING: Final = datetime(2026, 11, 23, 20)
"""When a simulated server's clock begins, if nothing else is said: long before its window."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A request as it arrived, and the status that it got; None where it got no answer."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    status: int | None = None


class SimulatedPlex:
    """A Plex Media Server on 127.0.0.1, as far as Butler is concerned."""

    def __init__(
        self,
        *,
        port: int = 0,
        machine_identifier: str = "e004a7de" + "0" * 32,
        friendly_name: str = "Cellar",
        version: str = "1.43.4.10903-e5521bd8c",
        owner_token: str | None = None,
        claimed: bool = True,
        plex_pass: bool = True,
        allowed_networks: str = "",
        faults: Faults | None = None,
        tasks: dict[str, Task] | None = None,
        profiles: dict[str, Profile] | None = None,
        start: datetime = EVENING,
        speed: float | None = None,
        nightly: bool = False,
        at_once: int = 1,
        lingering: float = 3,
        seed: int = 1,
        tls: ssl.SSLContext | None = None,
        secure_connections_required: bool = False,
    ) -> None:
        """Prepare a server. Without a `speed` its clock stands still until `advance`."""
        self.machine_identifier = machine_identifier
        self.friendly_name = friendly_name
        self.version = version
        self.faults = faults or Faults()
        self.requests: list[Recorded] = []
        self.clock = Clock(start)
        self.notifications = Notifications(self.faults)
        self.activities = Activities(self.faults, self.notifications.publish, seed)
        tasks = default_tasks() if tasks is None else tasks
        self.preferences = Preferences(
            self.faults, tasks, allowed_networks, lambda: self.has_plex_pass
        )
        self._plex_pass = plex_pass
        self.log = Log(self.clock, self.preferences, self.faults, self.notifications.publish)
        self.auth = Auth(
            self.faults, self.preferences, owner_token or secrets.token_urlsafe(15), claimed
        )
        self.butler = Butler(
            self.clock,
            self.activities,
            self.preferences,
            tasks,
            default_profiles() if profiles is None else profiles,
            seed=seed,
            lingering=lingering,
            nightly=nightly,
            at_once=at_once,
            log=self.log,
            faults=self.faults,
            on_stall=self._stall,
            on_finish=self._finish,
        )
        self.webhooks = Webhooks(self.faults, friendly_name, machine_identifier)
        self.players = Players(self.clock, self.faults, self.notifications.publish)
        self.users = Users(self.clock, self.activities, self.players, self.notifications.publish)
        self._stalled = False
        self._from_next_command: dict[str, Any] = {}
        self._speed = speed
        self._ticking: asyncio.Task[None] | None = None
        self._api = Api(self)
        self._front = Front(self._answer, port, tls, secure_connections_required)

    @property
    def url(self) -> str:
        """The address for http; for https only the scheme is another."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        """The port; the same again after a restart."""
        return self._front.port

    @property
    def owner_token(self) -> str:
        """The owner's token."""
        return self.auth.owner_token

    @property
    def shared_token(self) -> str:
        """A shared user's token."""
        return self.auth.shared_token

    @property
    def tokens(self) -> set[str]:
        """All tokens that were ever good for anything here."""
        return self.auth.tokens

    @property
    def silent(self) -> bool:
        """Whether connections are accepted and nothing is answered, for whatever reason."""
        return self.faults.hang or self._stalled

    def fail_from_next_command(self, **faults: Any) -> None:
        """Set these faults when the next request arrives that is not a GET."""
        self._from_next_command = faults

    def _fail(self) -> None:
        for name, value in self._from_next_command.items():
            setattr(self.faults, name, value)
        self._from_next_command = {}

    @property
    def has_plex_pass(self) -> bool:
        """Whether the account that has claimed the server has a Plex Pass."""
        return self._plex_pass and self.auth.claimed

    def change_preferences(self, values: Mapping[str, str]) -> None:
        """Set preferences, as Plex Web does, and tell those who listen; unknown names are ignored."""
        changed = [name for name, text in values.items() if self.preferences.put(name, text)]
        if changed:
            rows = [self.preferences.notification(name) for name in changed]
            self.notifications.publish("preference", "Setting", rows)

    def claim(self) -> None:
        """Let an account claim the server: from now on it wants a token."""
        self.auth.claimed = True

    def require_secure_connections(self) -> None:
        """Drop plain http from now on."""
        self._front.secure_required = True

    async def __aenter__(self) -> Self:
        """Start."""
        await self.listen()
        if self._speed is not None:
            self._ticking = asyncio.create_task(self.clock.run(self._speed))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop, whatever hangs."""
        if self._ticking:
            self._ticking.cancel()
            with suppress(asyncio.CancelledError):
                await self._ticking
        await self.webhooks.sent()
        await self.stop_listening()

    async def listen(self) -> None:
        """Take connections, on the same port as before."""
        await self._front.open()

    async def stop_listening(self) -> None:
        """Be off: connections are cut, new ones are refused. Nothing else changes."""
        await self._front.close()

    async def restart(self) -> None:
        """Stop and start again: whatever ran has died."""
        await self.stop_listening()
        self.butler.reset()
        self.activities.reset()
        self.players.reset()
        await self.listen()
        self.log.restarted()

    async def advance(self, seconds: float) -> None:
        """Let simulated time pass, and what it brings about reach those who listen."""
        self.clock.advance(seconds)
        for _ in range(3):
            await asyncio.sleep(0)

    def _finish(self, run: Run) -> None:
        if run.task == "BackupDatabase":
            self.webhooks.backed_up(scheduled=run.scheduled)

    def _stall(self, stalled: bool) -> None:
        self._stalled = stalled

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        """Record a request, answer it, and record what it got."""
        position = len(self.requests)
        recorded = Recorded(
            request.method,
            request.path,
            dict(request.query),
            {key.lower(): value for key, value in request.headers.items()},
        )
        self.requests.append(recorded)
        response = await self._answer_with_faults(request)
        if position < len(self.requests) and self.requests[position] is recorded:
            status = None if isinstance(response, Dropped) else response.status
            self.requests[position] = replace(recorded, status=status)
        if self.faults.close_behind_answers and not response.prepared:
            await response.prepare(request)
            await response.write_eof()
            if request.transport:
                request.transport.close()
        return response

    async def _answer_with_faults(self, request: web.Request) -> web.StreamResponse:
        faults = self.faults
        if request.method not in ("GET", "HEAD"):
            self._fail()
        while self.silent:
            await asyncio.sleep(0.01)
        while faults.late_websocket and "Upgrade" in request.headers:
            await asyncio.sleep(0)
        if faults.slow:
            await asyncio.sleep(faults.slow)
        reused = self._front.is_reused(request)
        if faults.empty_reply or (faults.drop_reused and reused):
            return Dropped()
        if answer := something_else(request, faults) or unavailable(request, faults):
            return answer
        access = self.auth.access(request)
        if title := self.auth.refusal(request, access):
            to_the_app = request.path == "/" and "text/html" in request.headers.get("Accept", "")
            return refusal(title, to_the_app=to_the_app)
        response = await self._api.answer(request, access)
        while faults.late_answers in (request.method, request.path):
            await asyncio.sleep(0)
        if faults.drop_reply and request.method not in ("GET", "HEAD"):
            return Dropped()
        return response
