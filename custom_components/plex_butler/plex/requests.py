"""Requests to one server, whose identity is verified before the token is sent."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from copy import copy
import logging
from time import monotonic
from typing import Any, Final

from aiohttp import ClientSession
from yarl import URL

from .errors import (
    CannotConnectError,
    CommandNotConfirmedError,
    HttpsRequiredError,
    NotOwnerError,
    NotPlexError,
    OtherServerError,
    PlexError,
    ProxyRefusesError,
    UnauthorizedError,
)
from .failures import identity_failure
from .http import (
    Answer,
    exchange,
    plex_headers,
    request_limits,
    server_refusal,
    takes_https,
)
from .log import LogReader
from .log_lines import LogLine
from .models import Identity, Notification
from .parse import parse_identity, parse_notifications
from .stream import open_stream

SILENCE: Final = 10.0
"""After how long without an answer a server is verified before it is sent a command, in seconds.

Twice the shortest time between two polls: while something runs, commands need no other request.
"""

_LOGGER = logging.getLogger(__name__)
_PRODUCT: Final = "Home Assistant"
# OpenAPI has the singular; every client uses the plural (seen). Without a filter a server sends
# everything but its log (OpenAPI); no client relies on a filter.
_STREAM: Final = "/:/websockets/notifications"
_LOG: Final = f"{_STREAM}?filters=log"
_LARGEST_LOG_FRAME: Final = 1024 * 1024
# In one turn of the event loop the end of a connection is read, in the next one it is closed.
_TURNS: Final = 3


class ServerRequests:
    """Sends requests over a session of the caller's, and verifies the server first.

    The server is verified by `/identity`, requested without the token: before the first request, and
    again after any failure. Concurrent requests share one verification. An empty token is not sent.

    Every method raises PlexError. A command that was sent but not answered raises
    CommandNotConfirmedError.
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
        time_limit: float,
    ) -> None:
        """Initialize; nothing is sent. A `machine_identifier` of None accepts any server."""
        self._session = session
        self._base = str(url.with_user(None).with_query(None).with_fragment(None)).rstrip("/")
        self._machine_identifier = machine_identifier
        self._time_limit = time_limit
        self._limits = request_limits(time_limit)
        # Created once to make polls cheap.
        self._headers = plex_headers(client_identifier, product=_PRODUCT, version=version)
        token = token.strip()
        self._token_headers = (
            plex_headers(client_identifier, product=_PRODUCT, version=version, token=token)
            if token.isprintable()
            else None
        )
        self._identity: Identity | None = None
        self._last_answer = float("-inf")
        self._verifying = asyncio.Lock()
        self._not_verified: PlexError | None = None

    async def identify(self) -> Identity:
        """Request the identity without the token, and return that of whatever server answers.

        A server gives its identity to everybody (seen on 1.43): whatever else answers is not it.
        """
        try:
            identity = await self._send(
                "GET",
                "/identity",
                lambda answer: parse_identity(answer.body),
                (200,),
                headers=self._headers,
            )
        except PlexError as err:
            raise identity_failure(err) from None
        expected = self._machine_identifier in (None, identity.machine_identifier)
        self._identity = identity if expected else None
        return identity

    async def verify(self) -> Identity:
        """Return the identity of the server, which is requested unless it is verified already.

        Raises OtherServerError for another server than the expected one, and HttpsRequiredError for
        one that drops plain http because it requires secure connections (reported for real servers).
        """
        if self._identity:
            return self._identity
        waited = self._verifying.locked()
        async with self._verifying:
            if self._identity:
                return self._identity
            if waited and self._not_verified:
                # Copied because each of those who waited adds a traceback of its own.
                raise copy(self._not_verified)
            self._not_verified = None
            try:
                identity = await self.identify()
                if not self._identity:
                    raise OtherServerError("Another Plex Media Server answers at this address")
            except PlexError as err:
                failure = await self._meaning(err)
                self._not_verified = copy(failure)
                raise failure from None
            return identity

    async def _meaning(self, err: PlexError) -> PlexError:
        """Return the error for an identity that was requested in vain, once https was tried too."""
        base = URL(self._base)
        if base.scheme != "http" or not (isinstance(err, CannotConnectError) and err.empty_reply):
            return err
        if not await takes_https(
            self._session, URL(f"{self._base}/identity", encoded=True), self._limits
        ):
            return err
        return HttpsRequiredError(
            "The server requires https: plain http is dropped", address=base.with_scheme("https")
        )

    def forget_identity(self) -> None:
        """Forget the identity, so that the server is verified before the next request."""
        self._identity = None

    async def send[T](
        self,
        method: str,
        path: str,
        read: Callable[[Answer], T],
        statuses: tuple[int, ...] = (200,),
    ) -> T:
        """Send a request with the token, and return what `read` makes of the answer.

        Anything but a GET is a command: the body of its answer is not read. Raises for every status
        that is not in `statuses`.

        A 404, or an answer with a body where a server sends none, may be that of a proxy or a login
        page. It counts only if `/identity`, requested once more, shows the right server. After a
        silence a command is not sent before that either.
        """
        command = method != "GET"
        if command and monotonic() - self._last_answer > SILENCE:
            self.forget_identity()
        await self.verify()
        if command:
            await _notice_closed_connections()
        headers = self._headers_with_token()
        try:
            answer = await self._send(
                method, path, lambda answer: answer, statuses, headers=headers
            )
        except PlexError as err:
            if err.doubtful:
                await self._confirm(err, command=command)
            raise
        # A server answers commands without a body, or with a page of HTML (OpenAPI; reported).
        if answer.status == 404 or (command and answer.has_body):
            await self._confirm(None, command=command)
        try:
            return read(answer)
        except PlexError as err:
            _LOGGER.debug("%s %s: %s", method, path, err)
            self.forget_identity()
            err.sent = command
            raise

    def notifications(
        self,
    ) -> AbstractAsyncContextManager[AsyncIterator[tuple[Notification, ...]]]:
        """Open the notification stream, and iterate over the changes frame by frame (seen)."""
        return self._open(_STREAM, parse_notifications)

    def log(
        self, reader: LogReader
    ) -> AbstractAsyncContextManager[AsyncIterator[tuple[LogLine, ...]]]:
        """Open the stream of the log, and iterate over the lines that the reader makes of it (seen)."""
        return self._open(_LOG, reader.read, raw=True, largest_frame=_LARGEST_LOG_FRAME)

    @asynccontextmanager
    async def _open[T](
        self, path: str, parse: Callable[[Any], T | None], **options: Any
    ) -> AsyncGenerator[AsyncIterator[T]]:
        """Open a stream with the token, once the server is verified."""
        await self.verify()
        try:
            async with open_stream(
                self._session,
                URL(self._base + path, encoded=True),
                self._headers_with_token(),
                parse,
                time_limit=self._time_limit,
                **options,
            ) as results:
                _LOGGER.debug("%s: open", path)
                yield results
        except PlexError as err:
            _LOGGER.debug("%s: %s", path, err)
            if isinstance(err, UnauthorizedError | NotOwnerError) and err.doubtful:
                await self._confirm(err, command=False)
            raise
        finally:
            # The address may belong to another server by now.
            self.forget_identity()

    async def _send[T](
        self,
        method: str,
        path: str,
        read: Callable[[Answer], T],
        statuses: tuple[int, ...],
        *,
        headers: Mapping[str, str],
    ) -> T:
        try:
            answer = await exchange(
                self._session,
                method,
                URL(self._base + path, encoded=True),
                headers,
                statuses=statuses,
                limits=self._limits,
                refusal=server_refusal,
                command=method != "GET",
            )
            _LOGGER.debug("%s %s: %s", method, path, answer.status)
            result = read(answer)
        except PlexError as err:
            _LOGGER.debug("%s %s: %s", method, path, err)
            self.forget_identity()
            if isinstance(err, HttpsRequiredError):
                base = URL(self._base)
                err.address = (err.address or base.with_scheme("https")).with_path(
                    base.raw_path, encoded=True
                )
            raise
        self._last_answer = monotonic()
        return result

    async def _confirm(self, failure: PlexError | None, *, command: bool) -> None:
        """Raise unless the right server identifies itself, so that its doubtful answer counts.

        `failure` is what the answer means if it is the server's own, None for a success.
        """
        self.forget_identity()
        try:
            await self.verify()
        except PlexError as err:
            refused = isinstance(failure, UnauthorizedError | NotOwnerError)
            if refused and isinstance(err, NotPlexError | ProxyRefusesError):
                refusal = ProxyRefusesError("Something in front of the server refuses")
                refusal.sent = command
                raise refusal from None
            if command:
                text = "Something in front of the server has answered: the command may have arrived"
                raise CommandNotConfirmedError(text) from None
            raise err from None

    def _headers_with_token(self) -> Mapping[str, str]:
        """Return the headers with the token. Raises UnauthorizedError if it cannot be sent."""
        if self._token_headers is None:
            raise UnauthorizedError("The token contains characters that no token has")
        return self._token_headers


async def _notice_closed_connections() -> None:
    """Let the event loop close the connections that the server has closed behind its last answer.

    A server may do that without a word. A command sent over such a connection would not arrive, and
    nobody would know; a GET is repeated by aiohttp.
    """
    for _ in range(_TURNS):
        await asyncio.sleep(0)
