"""plex.tv on 127.0.0.1, as far as signing in and finding one's servers go.

    async with SimulatedPlexTv() as plex_tv:
        plex_tv.add(server)  # a SimulatedPlex
        ...  # plex_tv.url is the address; a client makes a PIN
        plex_tv.sign_in(plex_tv.codes[-1])

What is only inferred of the real one: 201 for a new PIN, 404 for one that it has forgotten, how a
PIN is answered whose user refused, and the fields that PlexAPI and plex-api-client do not read.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
import json
import secrets
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from . import wire
from .answers import Dropped, something_else
from .clock import Clock
from .faults import Faults
from .front import Front
from .plex_tv_faults import PlexTvFaults
from .plex_tv_pins import Pins
from .plex_tv_rows import connection, device, player, resources_of, user, xml_of
from .server import EVENING, Recorded, SimulatedPlex


class SimulatedPlexTv:
    """plex.tv, with one account. Its clock stands still until `advance`."""

    def __init__(self, *, start: datetime = EVENING, faults: PlexTvFaults | None = None) -> None:
        """Prepare; the account has a player, and no server."""
        self.faults = faults or PlexTvFaults()
        self.requests: list[Recorded] = []
        self.tokens: set[str] = set()
        """Every token that was ever given to anybody, of the account and of servers."""
        self.devices: list[dict[str, Any]] = [player()]
        self.webhooks: list[str] = []
        """The addresses that the account's servers send their events to."""
        self._clock = Clock(start)
        self._pins = Pins(self._clock)
        self._account_tokens: set[str] = set()
        self._front = Front(self._answer, 0, None, secure_required=False)

    @property
    def url(self) -> str:
        """The address that stands for https://plex.tv."""
        return f"http://127.0.0.1:{self._front.port}"

    @property
    def codes(self) -> list[str]:
        """The codes of all PINs, the last one last."""
        return self._pins.codes

    def add(self, server: SimulatedPlex, *, owned: bool = True, **fields: Any) -> None:
        """Let the account have a simulated server, at its own address or other `connections`."""
        token = server.owner_token if owned else server.shared_token
        told = {"connections": [connection(server.url)]} | fields
        name = server.friendly_name
        self.devices.append(device(name, server.machine_identifier, token, owned=owned, **told))

    def sign_in(self, code: str) -> str:
        """Let the user sign in on the page of a code, and return the account's new token."""
        token = secrets.token_urlsafe(15)
        self._pins.with_code(code).token = token
        self._account_tokens.add(token)
        return token

    def refuse(self, code: str) -> None:
        """Let the user refuse on the page of a code."""
        self._pins.with_code(code).refused = True

    def expire(self, code: str) -> None:
        """Forget a PIN."""
        self._pins.with_code(code).expires = self._clock.now

    def revoke(self) -> None:
        """Sign out everywhere: no token of the account is good any more."""
        self._account_tokens.clear()

    def advance(self, seconds: float) -> None:
        """Let simulated time pass."""
        self._clock.advance(seconds)

    async def listen(self) -> None:
        """Take connections, on the same port as before."""
        await self._front.open()

    async def stop_listening(self) -> None:
        """Be off: connections are cut, new ones are refused."""
        await self._front.close()

    async def __aenter__(self) -> Self:
        """Start."""
        await self.listen()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop, whatever hangs."""
        await self.stop_listening()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        """Record a request, answer it, and record what it got."""
        headers = {key.lower(): value for key, value in request.headers.items()}
        recorded = Recorded(request.method, request.path, dict(request.query), headers)
        position = len(self.requests)
        self.requests.append(recorded)
        response = await self._answer_with_faults(request)
        if position < len(self.requests) and self.requests[position] is recorded:
            status = None if isinstance(response, Dropped) else response.status
            self.requests[position] = replace(recorded, status=status)
        return response

    async def _answer_with_faults(self, request: web.Request) -> web.StreamResponse:
        faults = self.faults if request.path.endswith(self.faults.only_at) else PlexTvFaults()
        await asyncio.sleep(faults.slow)
        if faults.empty_reply:
            return Dropped()
        foreign = Faults(bad_gateway=faults.bad_gateway, redirect_to=faults.redirect_to)
        if answer := something_else(request, foreign):
            return answer
        if faults.garbage is not None:
            return web.Response(body=faults.garbage)
        if faults.rate_limited:
            response = self._error(request, 429, 1003, "API rate limit exceeded")
            if faults.retry_after is not None:
                response.headers["Retry-After"] = faults.retry_after
            return response
        urls = (await request.post()).getall("urls[]", [])
        return self._route(request, [str(url) for url in urls])

    def _route(self, request: web.Request, urls: list[str]) -> web.Response:
        client = _sent(request, "X-Plex-Client-Identifier")
        if not client:
            return self._error(request, 400, 1000, "X-Plex-Client-Identifier is missing")
        match request.method, request.path.removeprefix("/api/v2").split("/")[1:]:
            case "POST", ["pins"]:
                strong = request.query.get("strong", "").lower() in ("true", "1")
                product = _sent(request, "X-Plex-Product")
                pin = self._pins.create(client, product, strong=strong)
                fields = pin.fields(self._clock.now)
                return self._told(request, "pin", fields, self.faults.created)
            case "GET", ["pins", number]:
                known = self._pins.of(number, client)
                if not known:
                    return self._error(request, 404, 1020, "Code not found or expired")
                if known.refused:
                    return self._error(request, 401, 1001, "User could not be authenticated")
                self.tokens |= {known.token} if known.token else set()
                return self._told(request, "pin", known.fields(self._clock.now))
            case ("GET" | "POST", ["user", "webhooks"]) | ("GET", ["resources" | "user"]):
                return self._of_account(request, urls)
            case _:
                return self._error(request, 404, 1002, "Not Found")

    def _of_account(self, request: web.Request, urls: list[str]) -> web.Response:
        """Answer what needs the account's token. A POST replaces the whole list of webhooks."""
        token = _sent(request, "X-Plex-Token")
        if token not in self._account_tokens:
            return self._error(request, 401, 1001, "User could not be authenticated")
        match request.path.rpartition("/")[2]:
            case "webhooks":
                if self.faults.no_plex_pass:
                    return self._error(request, 403, 1043, "Plex Pass is required")
                if request.method == "POST" and not self.faults.webhooks_lost:
                    self.webhooks = urls
                rows = [{"url": url} for url in self.webhooks]
                return self._told(request, "webhooks", rows)
            case "user":
                return self._told(request, "user", user(token))
            case what:
                rows = resources_of(self.devices, request.query)
                self.tokens |= {row["accessToken"] for row in rows if row["accessToken"]}
                return self._told(request, what, rows)

    def _error(self, request: web.Request, status: int, code: int, message: str) -> web.Response:
        row = {"code": code, "message": message, "status": status}
        return self._told(request, "errors", {"errors": [row]}, status)

    def _told(self, request: web.Request, root: str, told: Any, status: int = 200) -> web.Response:
        if self.faults.always_xml or not wire.wants_json(request):
            return web.Response(
                body=xml_of(root, told), status=status, content_type="application/xml"
            )
        told = wire.with_strings(told) if self.faults.strings else told
        return web.Response(body=json.dumps(told).encode(), status=status, content_type=wire.JSON)


def _sent(request: web.Request, name: str) -> str:
    """Return what stands in a header, or in the query; plex.tv takes both."""
    both: tuple[Mapping[str, str], ...] = (request.headers, request.query)
    return next((value for each in both if (value := each.get(name))), "")
