"""The client of one Plex Media Server."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from copy import copy
import logging
from typing import Final
from urllib.parse import quote

from aiohttp import ClientSession
from yarl import URL

from .errors import (
    InvalidTaskNameError,
    NoButlerError,
    NotOwnerError,
    NotPlexError,
    OtherServerError,
    PlexError,
    TaskNotFoundError,
    UnauthorizedError,
)
from .http import Answer, exchange
from .models import (
    Activity,
    ButlerTask,
    Identity,
    Notification,
    Server,
    StartResult,
    StopResult,
)
from .parse import is_task_name, parse_activities, parse_identity, parse_server, parse_tasks
from .stream import open_stream

REQUEST_TIMEOUT: Final = 10.0
"""How long one request may take as a whole, in seconds."""

_LOGGER = logging.getLogger(__name__)
_PRODUCT: Final = "Home Assistant"
# OpenAPI prints the singular; the plural is what every client uses (seen). Without a filter a
# server tells everything but its log (OpenAPI); no client relies on a filter.
_STREAM: Final = "/:/websockets/notifications"


class PlexClient:
    """Asks one server and commands it, over the session that is handed in.

    The session needs the middleware `refuse_redirects` and should keep no cookies; it is not
    closed here. The token travels in a header only, and only after `/identity`, asked without it,
    showed the right server: at first, and again after everything that went wrong. Callers at the
    same time share one such question. An empty token is not sent at all.

    Every method raises PlexError. A command that left and got no answer is a
    CommandNotConfirmedError and is never repeated.
    """

    def __init__(
        self,
        session: ClientSession,
        url: URL,
        token: str,
        *,
        client_identifier: str,
        machine_identifier: str | None,
        version: str,
        request_timeout: float = REQUEST_TIMEOUT,
    ) -> None:
        """Initialize; nothing is sent.

        A `machine_identifier` of None takes any server. `client_identifier` is the one header
        that OpenAPI requires: random, and the same for ever. `version` is the caller's own.
        """
        self._session = session
        self._base = str(url.with_user(None).with_query(None).with_fragment(None)).rstrip("/")
        self._machine_identifier = machine_identifier
        self._time_limit = request_timeout
        self._headers = {
            "Accept": "application/json",
            "X-Plex-Client-Identifier": client_identifier,
            "X-Plex-Device": _PRODUCT,
            "X-Plex-Device-Name": _PRODUCT,
            "X-Plex-Platform": _PRODUCT,
            "X-Plex-Product": _PRODUCT,
            "X-Plex-Version": version,
        }
        self._token = token.strip()
        self._identity: Identity | None = None
        self._verifying = asyncio.Lock()
        self._not_verified: PlexError | None = None

    async def identity(self) -> Identity:
        """Ask who answers, without the token, and return it whoever it is.

        A 401 or a 403 is a proxy's here: a server tells its identity to everybody (seen on 1.43).
        """
        try:
            identity = await self._send(
                "GET", "/identity", lambda answer: parse_identity(answer.body), token=False
            )
        except UnauthorizedError, NotOwnerError:
            raise NotPlexError("Something in front of the server asks for a login") from None
        expected = self._machine_identifier in (None, identity.machine_identifier)
        self._identity = identity if expected else None
        return identity

    async def server(self) -> Server:
        """Ask for what the server tells about itself."""
        identity = await self._verify()
        server = await self._send("GET", "/", lambda answer: parse_server(answer.body, identity))
        if server.machine_identifier != identity.machine_identifier:
            self._identity = None
            raise _other_server()
        return server

    async def tasks(self) -> tuple[ButlerTask, ...]:
        """Ask for the Butler tasks and their schedules. Raises NoButlerError."""

        def read(answer: Answer) -> tuple[ButlerTask, ...]:
            if answer.status == 404:
                raise NoButlerError("The server has no Butler: it is too old")
            return parse_tasks(answer.body)

        return await self._ask("GET", "/butler", read, (200, 404))

    async def activities(self) -> tuple[Activity, ...] | None:
        """Ask for what the server works on now; None where it has no such list (inferred)."""

        def read(answer: Answer) -> tuple[Activity, ...] | None:
            return None if answer.status == 404 else parse_activities(answer.body)

        return await self._ask("GET", "/activities", read, (200, 404))

    async def start_task(self, name: str) -> StartResult:
        """Start a task by the server's own name.

        Raises TaskNotFoundError, and InvalidTaskNameError before anything is sent.
        """
        status = await self._ask("POST", _task_path(name), _status, (200, 202, 404))
        if status == 404:
            raise TaskNotFoundError("The server has no task of this name")
        return StartResult.ALREADY_RUNNING if status == 202 else StartResult.STARTED

    async def stop_task(self, name: str) -> StopResult:
        """Stop a task by the server's own name, or take it out of the server's queue.

        A server does not tell an unknown name from a task that does not run (OpenAPI). Raises
        InvalidTaskNameError before anything is sent.
        """
        status = await self._ask("DELETE", _task_path(name), _status, (200, 404))
        return StopResult.NOT_RUNNING if status == 404 else StopResult.STOPPED

    async def start_all(self) -> None:
        """Ask for all tasks that are enabled and due; the server may start none (OpenAPI)."""
        await self._ask("POST", "/butler", _status)

    async def stop_all(self) -> None:
        """Stop all tasks and empty the server's queue (OpenAPI)."""
        await self._ask("DELETE", "/butler", _status)

    @asynccontextmanager
    async def notifications(self) -> AsyncGenerator[AsyncIterator[tuple[Notification, ...]]]:
        """Open the notification stream: what it yields are the changes, frame by frame (seen).

        What happened before is not told: the lists have to be read once it is open. It ends when
        the server closes it, and after half a minute when the server does not answer any more.
        """
        await self._verify()
        try:
            async with open_stream(
                self._session,
                URL(self._base + _STREAM, encoded=True),
                self._with_token(),
                time_limit=self._time_limit,
            ) as changes:
                _LOGGER.debug("%s: open", _STREAM)
                yield changes
        except PlexError as err:
            _LOGGER.debug("%s: %s", _STREAM, err)
            raise
        finally:
            # Whoever takes the address next has to show who it is.
            self._identity = None

    async def _ask[T](
        self,
        method: str,
        path: str,
        read: Callable[[Answer], T],
        statuses: tuple[int, ...] = (200,),
    ) -> T:
        """Send a request with the token, to the right server only."""
        await self._verify()
        return await self._send(method, path, read, statuses)

    async def _verify(self) -> Identity:
        """Return who answers, asking only if something went wrong since it was last asked."""
        waited = self._verifying.locked()
        async with self._verifying:
            if self._identity:
                return self._identity
            if waited and self._not_verified:
                raise copy(self._not_verified)
            self._not_verified = None
            try:
                identity = await self.identity()
                if not self._identity:
                    raise _other_server()
            except PlexError as err:
                self._not_verified = copy(err)
                raise
            return identity

    async def _send[T](
        self,
        method: str,
        path: str,
        read: Callable[[Answer], T],
        statuses: tuple[int, ...] = (200,),
        *,
        token: bool = True,
    ) -> T:
        """Send one request; whatever goes wrong, the server is a stranger again."""
        headers = self._with_token() if token else self._headers
        try:
            answer = await exchange(
                self._session,
                method,
                URL(self._base + path, encoded=True),
                headers,
                statuses=statuses,
                time_limit=self._time_limit,
            )
            _LOGGER.debug("%s %s: %s", method, path, answer.status)
            return read(answer)
        except PlexError as err:
            _LOGGER.debug("%s %s: %s", method, path, err)
            self._identity = None
            raise

    def _with_token(self) -> dict[str, str]:
        """Return the headers, the token among them if there is one."""
        if not self._token:
            return self._headers
        if not self._token.isprintable():
            raise UnauthorizedError("The token holds characters that no token has")
        return self._headers | {"X-Plex-Token": self._token}


def _status(answer: Answer) -> int:
    return answer.status


def _task_path(name: str) -> str:
    """Return the path of a task, in which the whole name is one segment."""
    if not is_task_name(name):
        raise InvalidTaskNameError("No task has such a name")
    return f"/butler/{quote(name, safe='')}"


def _other_server() -> OtherServerError:
    return OtherServerError("Another Plex Media Server answers at this address")
