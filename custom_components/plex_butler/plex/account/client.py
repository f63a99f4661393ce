"""The client of plex.tv for signing in: a PIN, its token, and the servers of the account."""

from collections.abc import Callable
import logging
from typing import Final
from urllib.parse import urlencode

from aiohttp import ClientResponse, ClientSession
from yarl import URL

from ..errors import NotPlexError, PlexError, TlsError
from ..failures import retry_after_of
from ..http import Answer, exchange, plex_headers, request_limits
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
# Shown on the sign-in page and in the list of devices of the account.
_PRODUCT: Final = "Plex Butler"
_PINS: Final = "/api/v2/pins"
_RESOURCES: Final = "/api/v2/resources"
_ALL_CONNECTIONS: Final = {"includeHttps": "1", "includeRelay": "1", "includeIPv6": "1"}
# 404 is inferred; 410 (Gone) would mean the same.
_EXPIRED: Final = (404, 410)


class PlexAccount:
    """Sends requests to plex.tv over a session of the caller's.

    The session needs the middleware `refuse_redirects` and should keep no cookies; the client does
    not close it. Tokens are sent in a header only, and are not kept.

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

        A PIN belongs to the `client_identifier` that created it: only the same one gets its token.
        """
        self._session = session
        self._client_identifier = client_identifier
        self._version = version
        self._url = url
        self._limits = request_limits(request_timeout)

    async def create_pin(self) -> Pin:
        """Begin a sign-in."""
        return await self._request(
            "POST",
            _PINS,
            lambda answer: parse_pin(answer.body),
            query={"strong": "true"},
            # 201 is inferred; API descriptions by others have 200.
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
        """Return the token of the account, or None as long as the user has not signed in.

        Raises PinExpiredError once the PIN is no longer valid.
        """

        def read(answer: Answer) -> str | None:
            if answer.status in _EXPIRED:
                raise PinExpiredError("Nobody signed in while the PIN was valid")
            return parse_pin_token(answer.body)

        return await self._request("GET", f"{_PINS}/{pin.id}", read, statuses=(200, *_EXPIRED))

    async def servers(self, token: str) -> tuple[AccountServer, ...]:
        """Return the servers that the account can use, including those that others share."""
        if not is_token(token):
            raise SignInRefusedError("The token contains characters that no token has")
        return await self._request(
            "GET",
            _RESOURCES,
            lambda answer: parse_servers(answer.body),
            query=_ALL_CONNECTIONS,
            token=token,
        )

    async def _request[T](
        self,
        method: str,
        path: str,
        read: Callable[[Answer], T],
        *,
        query: dict[str, str] | None = None,
        token: str | None = None,
        statuses: tuple[int, ...] = (200,),
    ) -> T:
        """Send a request and return what `read` makes of the answer."""
        # Without the id of a PIN, which is secret.
        shown = path.rstrip("0123456789")
        try:
            answer = await exchange(
                self._session,
                method,
                self._url.with_path(path).with_query(query),
                plex_headers(
                    self._client_identifier, product=_PRODUCT, version=self._version, token=token
                ),
                statuses=statuses,
                limits=self._limits,
                refusal=_refusal,
            )
            _LOGGER.debug("plex.tv: %s %s: %s", method, shown, answer.status)
            return read(answer)
        except PlexError as err:
            failure = _account_error(err)
            _LOGGER.debug("plex.tv: %s %s: %s", method, shown, failure)
            raise failure from None


async def _refusal(response: ClientResponse) -> AccountError:
    """Return what an unexpected status means (401, 429: reported; 422: known from PlexAPI)."""
    match response.status:
        case 401 | 403 | 422:
            return SignInRefusedError("plex.tv refuses the sign-in, or the token that came of it")
        case 429:
            return RateLimitedError(
                "plex.tv was asked too often", retry_after=retry_after_of(response.headers)
            )
        case status if status >= 500:
            return PlexTvDownError(f"plex.tv is down (status {status})")
        case status:
            return NotPlexTvError(f"Status {status} is not one that plex.tv answers here")


def _account_error(err: PlexError) -> AccountError:
    """Return the error for plex.tv that corresponds to one that any server can cause."""
    match err:
        case AccountError():
            return err
        case NotPlexError() | TlsError():
            return NotPlexTvError(f"Something else answers in the place of plex.tv: {err}")
        case _:
            return PlexTvDownError(f"plex.tv cannot be reached: {err}")
