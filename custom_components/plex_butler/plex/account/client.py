"""The client of plex.tv, as far as signing in goes: a PIN, its token, the account's servers."""

from collections.abc import Callable
import logging
from typing import Final
from urllib.parse import urlencode

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout
from yarl import URL

from ..errors import NotPlexError, TlsError
from ..http import BODY_LIMIT, Answer, no_answer, read_body, seconds_of
from .errors import (
    AccountError,
    NotPlexTvError,
    PinExpiredError,
    PlexTvDownError,
    RateLimitedError,
    SignInRefusedError,
)
from .models import AccountServer, Pin
from .parse import is_token, parse_pin, parse_pin_token, parse_servers

PLEX_TV: Final = URL("https://plex.tv")

_LOGGER = logging.getLogger(__name__)
_SIGN_IN: Final = "https://app.plex.tv/auth"
_DEVICE: Final = "Home Assistant"
# What the sign-in page and the account's list of devices show.
_PRODUCT: Final = "Plex Butler"
_PINS: Final = "/api/v2/pins"
_RESOURCES: Final = "/api/v2/resources"
_ALL_CONNECTIONS: Final = {"includeHttps": "1", "includeRelay": "1", "includeIPv6": "1"}
# 404 is inferred. A forgotten PIN may as well be called gone.
_FORGOTTEN: Final = (404, 410)


class PlexAccount:
    """Asks plex.tv, over the session that is handed in.

    The session needs the middleware `refuse_redirects` and should keep no cookies; it is not
    closed here. Tokens travel in a header only. No token is kept.

    Every method raises AccountError.
    """

    def __init__(
        self,
        session: ClientSession,
        *,
        client_identifier: str,
        version: str,
        url: URL = PLEX_TV,
        request_timeout: float = 10.0,
    ) -> None:
        """Initialize; nothing is sent.

        A PIN belongs to its `client_identifier`: the same has to ask for its token.
        """
        self._session = session
        self._client_identifier = client_identifier
        self._url = url
        self._time_limit = request_timeout
        self._headers = {
            "Accept": "application/json",
            "X-Plex-Client-Identifier": client_identifier,
            "X-Plex-Device": _DEVICE,
            "X-Plex-Device-Name": _DEVICE,
            "X-Plex-Platform": _DEVICE,
            "X-Plex-Product": _PRODUCT,
            "X-Plex-Version": version,
        }

    async def create_pin(self) -> Pin:
        """Begin a sign-in."""
        return await self._ask(
            "POST",
            _PINS,
            lambda answer: parse_pin(answer.body),
            query={"strong": "true"},
            # 201 is inferred, the API description of others has 200.
            statuses=(200, 201),
        )

    def sign_in_url(self, pin: Pin) -> URL:
        """Return the page on which the user signs in."""
        query = {
            "clientID": self._client_identifier,
            "code": pin.code,
            "context[device][product]": _PRODUCT,
        }
        return URL(f"{_SIGN_IN}#?{urlencode(query)}", encoded=True)

    async def token(self, pin: Pin) -> str | None:
        """Ask for the token of the account; None while nobody has signed in.

        Raises PinExpiredError once plex.tv has forgotten the PIN.
        """

        def read(answer: Answer) -> str | None:
            if answer.status in _FORGOTTEN:
                raise PinExpiredError("Nobody signed in while the PIN was good")
            return parse_pin_token(answer.body)

        return await self._ask("GET", f"{_PINS}/{pin.id}", read, statuses=(200, *_FORGOTTEN))

    async def servers(self, token: str) -> tuple[AccountServer, ...]:
        """Ask for the servers that the account can use, those that others share among them."""
        if not is_token(token):
            raise SignInRefusedError("The token holds characters that no token has")
        return await self._ask(
            "GET",
            _RESOURCES,
            lambda answer: parse_servers(answer.body),
            query=_ALL_CONNECTIONS,
            token=token,
        )

    async def _ask[T](
        self,
        method: str,
        path: str,
        read: Callable[[Answer], T],
        *,
        query: dict[str, str] | None = None,
        token: str | None = None,
        statuses: tuple[int, ...] = (200,),
    ) -> T:
        """Send one request and read its answer."""
        headers = self._headers | ({"X-Plex-Token": token} if token else {})
        # The number of a PIN is half of what its token is to be had for.
        shown = path.rstrip("0123456789")
        try:
            answer = await self._exchange(
                method, self._url.with_path(path).with_query(query), headers, statuses
            )
            _LOGGER.debug("plex.tv: %s %s: %s", method, shown, answer.status)
            return read(answer)
        except AccountError as err:
            _LOGGER.debug("plex.tv: %s %s: %s", method, shown, err)
            raise

    async def _exchange(
        self, method: str, url: URL, headers: dict[str, str], statuses: tuple[int, ...]
    ) -> Answer:
        """Send one request; raise AccountError for every status but `statuses`.

        Other than a server's commands, to which `exchange` is fitted, a POST has an answer here
        and may be repeated.
        """
        limits = ClientTimeout(total=self._time_limit, connect=self._time_limit / 2)
        try:
            async with self._session.request(
                method,
                url,
                headers=headers,
                allow_redirects=False,
                raise_for_status=False,
                timeout=limits,
            ) as response:
                failure = None if response.status in statuses else _refusal(response)
                body = b"" if failure else await read_body(response, BODY_LIMIT)
        except (ClientError, OSError) as err:
            failure = _not_reached(err)
        # Not inside the except block: aiohttp's errors come with the headers that hold the token.
        if failure:
            raise failure
        if len(body) > BODY_LIMIT:
            raise NotPlexTvError("The answer is larger than any that plex.tv gives")
        return Answer(response.status, body)


def _refusal(response: ClientResponse) -> AccountError:
    """Say what an unexpected status means (401 and 429 as reported; 422 as PlexAPI knows it)."""
    match response.status:
        case 401 | 403 | 422:
            return SignInRefusedError("plex.tv refuses the sign-in, or the token that came of it")
        case 429:
            return RateLimitedError(
                "plex.tv was asked too often",
                retry_after=seconds_of(response.headers.get("Retry-After")),
            )
        case status if status >= 500:
            return PlexTvDownError(f"plex.tv is down (status {status})")
        case status:
            return NotPlexTvError(f"Status {status} is not one that plex.tv answers here")


def _not_reached(err: Exception) -> AccountError:
    """Say what an error of aiohttp means."""
    failure = no_answer(err)
    if isinstance(failure, NotPlexError | TlsError):
        return NotPlexTvError(f"Something else stands in the place of plex.tv: {failure}")
    return PlexTvDownError(f"plex.tv is not reached: {failure}")
