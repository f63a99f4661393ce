"""The client of plex.tv for signing in: a PIN, its token, and the servers of the account."""

from collections.abc import Callable, Sequence
import logging
from typing import Final
from urllib.parse import urlencode

from aiohttp import ClientResponse, ClientSession
from yarl import URL

from ..errors import NotPlexError, PlexError, TlsError
from ..failures import retry_after_of
from ..http import (
    REFUSAL_LIMIT,
    Answer,
    exchange,
    plex_headers,
    read_body,
    request_limits,
)
from .errors import (
    AccountError,
    NoPlexPassError,
    NotPlexTvError,
    PinExpiredError,
    PlexTvDownError,
    RateLimitedError,
    SignInRefusedError,
    WebhooksNotKeptError,
)
from .models import AccountServer, Pin
from .parse import is_token, parse_pin, parse_pin_token, parse_servers, parse_webhooks

PLEX_TV: Final = URL("https://plex.tv")
SIGN_IN_PAGE: Final = "https://app.plex.tv/auth"

_LOGGER = logging.getLogger(__name__)
# Shown on the sign-in page and in the list of devices of the account.
_PRODUCT: Final = "Plex Butler"
_PINS: Final = "/api/v2/pins"
_RESOURCES: Final = "/api/v2/resources"
_WEBHOOKS: Final = "/api/v2/user/webhooks"
_ALL_CONNECTIONS: Final = {"includeHttps": "1", "includeRelay": "1", "includeIPv6": "1"}
# 404 is inferred; 410 (Gone) would mean the same.
_EXPIRED: Final = (404, 410)
_NO_PLEX_PASS: Final = b"1043"


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
        return URL(f"{SIGN_IN_PAGE}#?{urlencode(query)}", encoded=True)

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
        return await self._request(
            "GET",
            _RESOURCES,
            lambda answer: parse_servers(answer.body),
            query=_ALL_CONNECTIONS,
            token=token,
        )

    async def replace_webhook(self, token: str, own: tuple[str, ...], address: str | None) -> None:
        """Put one address into the account's list of webhooks, or none, in place of our own.

        Our own are those that contain one of `own`. The list is shared with other programs: all
        others are kept as they are. plex.tv has no way to change one of them alone (known from
        PlexAPI).

        Raises NoPlexPassError without a Plex Pass, and WebhooksNotKeptError if plex.tv does not have
        the list afterwards.
        """
        # An empty string is in every address.
        own = tuple(part for part in own if part)
        listed = await self._webhooks(token)
        wanted = [url for url in listed if not any(part in url for part in own)]
        if address:
            wanted.append(address)
        if wanted == listed:
            return
        await self._request(
            "POST",
            _WEBHOOKS,
            lambda _: None,
            token=token,
            statuses=(200, 201, 204),
            form=[("urls[]", url) for url in wanted] or [("urls", "")],
        )
        if sorted(await self._webhooks(token)) != sorted(wanted):
            raise WebhooksNotKeptError("plex.tv does not have the list that it was sent")

    async def _webhooks(self, token: str) -> list[str]:
        return await self._request(
            "GET", _WEBHOOKS, lambda answer: list(parse_webhooks(answer.body)), token=token
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
        form: Sequence[tuple[str, str]] | None = None,
    ) -> T:
        """Send a request and return what `read` makes of the answer."""
        if token is not None and not is_token(token):
            raise SignInRefusedError("The token contains characters that no token has")
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
                form=form,
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
        case 403 if _NO_PLEX_PASS in await read_body(response, REFUSAL_LIMIT):
            return NoPlexPassError("The account has no Plex Pass")
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
