"""The client of one Plex Media Server."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
import logging
from typing import Final
from urllib.parse import quote, urlencode

from aiohttp import ClientSession
from yarl import URL

from .errors import (
    InvalidTaskNameError,
    NoButlerError,
    NotPlexError,
    OtherServerError,
    PreferencesRefusedError,
    TaskNotFoundError,
)
from .http import Answer
from .log import LogReader
from .log_lines import LogLine
from .memo import ParseMemo
from .models import (
    Activity,
    ButlerTask,
    Identity,
    Notification,
    Server,
    StartResult,
    StopResult,
)
from .parse import (
    MOST_TASKS,
    is_task_name,
    parse_activities,
    parse_server,
    parse_sessions,
    parse_tasks,
    server_without_description,
)
from .preferences import Preferences, PreferenceValue, parse_preferences
from .requests import ServerRequests

REQUEST_TIMEOUT: Final = 10.0
"""How long one request may take as a whole, in seconds."""

_LOGGER = logging.getLogger(__name__)
_PREFERENCES: Final = "/:/prefs"


class PlexClient:
    """Reads from one server and sends it commands, over a session of the caller's.

    The session needs the middleware `refuse_redirects` and should keep no cookies; the client does
    not close it. The token is sent in a header only, and only after `/identity`, requested without
    it, has shown that the right server answers.

    Every method raises PlexError. A command that was sent but not answered raises
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

        A `machine_identifier` of None accepts any server. `client_identifier` identifies this
        client to the server: random, but always the same. `version` is that of the caller.
        """
        self._requests = ServerRequests(
            session,
            url,
            token,
            client_identifier=client_identifier,
            machine_identifier=machine_identifier,
            version=version,
            time_limit=request_timeout,
        )
        self._parse_tasks = ParseMemo(parse_tasks)
        self._parse_activities = ParseMemo(parse_activities)
        self._parse_preferences = ParseMemo(parse_preferences)
        self._told_of_rest = False

    async def identity(self) -> Identity:
        """Return which server answers, be it the right one or not. The token is not sent."""
        return await self._requests.identify()

    async def server(self) -> Server:
        """Return the server's description of itself, as far as there is one."""
        identity = await self._requests.verify()
        try:
            server = await self._requests.send(
                "GET", "/", lambda answer: parse_server(answer.body, identity)
            )
        except NotPlexError as err:
            # Proxies lead browsers from here to the web app. Only the identity is needed.
            if err.redirected and not err.no_server:
                return server_without_description(identity)
            raise
        if server.machine_identifier != identity.machine_identifier:
            self._requests.forget_identity()
            raise OtherServerError("The server contradicts its identity")
        return server

    async def tasks(self) -> tuple[ButlerTask, ...]:
        """Return the Butler tasks and their schedules, at most MOST_TASKS. Raises NoButlerError."""

        def read(answer: Answer) -> tuple[ButlerTask, ...]:
            _require_butler(answer)
            tasks = self._parse_tasks(answer.body)
            if len(tasks) > MOST_TASKS and not self._told_of_rest:
                self._told_of_rest = True
                _LOGGER.warning(
                    "The server lists more than %s Butler tasks; the rest are left out", MOST_TASKS
                )
            return tasks[:MOST_TASKS]

        return await self._requests.send("GET", "/butler", read, (200, 404))

    async def activities(self) -> tuple[Activity, ...] | None:
        """Return the current activities; None if the server has no list of them (inferred)."""

        def read(answer: Answer) -> tuple[Activity, ...] | None:
            return None if answer.status == 404 else self._parse_activities(answer.body)

        return await self._requests.send("GET", "/activities", read, (200, 404))

    async def preferences(self) -> Preferences | None:
        """Return the preferences that Butler's schedule depends on; None if the server lists none.

        Raises PreferencesRefusedError, as for some seconds after a change (reported for a live server).
        """

        def read(answer: Answer) -> Preferences | None:
            return None if answer.status == 404 else self._parse_preferences(answer.body)

        with _refusing_preferences():
            return await self._requests.send("GET", _PREFERENCES, read, (200, 404))

    async def set_preferences(self, values: Mapping[str, PreferenceValue]) -> None:
        """Set preferences by the server's ids, all in one request.

        A server accepts ids that it does not know (measured); only the list of preferences shows what
        it has made of them. Raises PreferencesRefusedError.
        """
        query = urlencode(
            {
                key: int(value) if isinstance(value, bool) else value
                for key, value in values.items()
            },
            quote_via=quote,
        )
        with _refusing_preferences():
            await self._requests.send("PUT", f"{_PREFERENCES}?{query}", _status)

    async def sessions(self) -> int | None:
        """Return in how many sessions something is played; None if the server has no list of them."""

        def read(answer: Answer) -> int | None:
            return None if answer.status == 404 else parse_sessions(answer.body)

        return await self._requests.send("GET", "/status/sessions", read, (200, 404))

    async def start_task(self, name: str) -> StartResult:
        """Start a task by the server's name for it.

        Raises TaskNotFoundError, and InvalidTaskNameError before anything is sent.
        """
        status = await self._requests.send("POST", _task_path(name), _status, (200, 202, 404))
        if status == 404:
            raise TaskNotFoundError("The server has no task of this name")
        return StartResult.ALREADY_RUNNING if status == 202 else StartResult.STARTED

    async def stop_task(self, name: str) -> StopResult:
        """Stop a task by the server's name for it, or remove it from the server's queue.

        A server answers the same for an unknown name as for a task that is not running (OpenAPI).
        Raises InvalidTaskNameError before anything is sent.
        """
        status = await self._requests.send("DELETE", _task_path(name), _status, (200, 404))
        return StopResult.NOT_RUNNING if status == 404 else StopResult.STOPPED

    async def start_all(self) -> None:
        """Start all tasks that are enabled and due, which may be none (OpenAPI).

        Raises NoButlerError.
        """
        await self._requests.send("POST", "/butler", _require_butler, (200, 404))

    async def stop_all(self) -> None:
        """Stop all tasks and empty the server's queue (OpenAPI). Raises NoButlerError."""
        await self._requests.send("DELETE", "/butler", _require_butler, (200, 404))

    def notifications(
        self,
    ) -> AbstractAsyncContextManager[AsyncIterator[tuple[Notification, ...]]]:
        """Open the notification stream, and iterate over the changes frame by frame (seen).

        The stream does not repeat earlier changes: read the lists once it is open. It ends when
        the server closes it, and half a minute after the server has become unreachable.
        """
        return self._requests.notifications()

    def log(
        self, reader: LogReader
    ) -> AbstractAsyncContextManager[AsyncIterator[tuple[LogLine, ...]]]:
        """Open the stream of the server's log, and iterate over the lines that are signs (seen).

        Only the owner may read it (inferred). It ends as `notifications` does; it is cut off by
        FloodError if it brings more than any real server sends.
        """
        return self._requests.log(reader)


@contextmanager
def _refusing_preferences() -> Iterator[None]:
    """Raise PreferencesRefusedError for a status that is no other error, if it is the server's own."""
    try:
        yield
    except NotPlexError as err:
        if not err.doubtful or err.no_server:
            raise
        raise PreferencesRefusedError("The server refuses to list or set preferences") from None


def _require_butler(answer: Answer) -> None:
    if answer.status == 404:
        raise NoButlerError("The server has no Butler: it is too old")


def _status(answer: Answer) -> int:
    return answer.status


def _task_path(name: str) -> str:
    """Return the path of a task, with the whole name as one segment."""
    if not is_task_name(name):
        raise InvalidTaskNameError("No task has such a name")
    return f"/butler/{quote(name, safe='')}"
