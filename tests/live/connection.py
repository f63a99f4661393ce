"""A login at Home Assistant as a browser has it: REST, and numbered commands on one WebSocket."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

import aiohttp
from yarl import URL

type Json = dict[str, Any]

TIMEOUT: Final = 30.0
"""Seconds for one request, one command, or one change of a state."""
RUNNING_TIMEOUT: Final = 120.0


class FrontendError(Exception):
    """Home Assistant refused something; the text is what it said."""


class LoginError(FrontendError):
    """User name or password are wrong."""


class Connection:
    """One browser tab: logged in, with all states and their changes."""

    def __init__(self, url: URL) -> None:
        """Take Home Assistant's address; to be used as an async context."""
        self.url = url
        self.states: dict[str, Json] = {}
        self.changes: list[Json] = []
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(TIMEOUT))
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._reader: asyncio.Task[None] | None = None
        self._results: dict[int, asyncio.Future[Any]] = {}
        self._subscribers: dict[int, Callable[[Any], None]] = {}
        self._news = asyncio.Condition()
        self._last_id = 0
        self._refresh_token = ""

    async def __aenter__(self) -> Self:
        """Return the tab, not logged in yet."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Log out and close the tab, also when Home Assistant is gone already."""
        if self._socket is not None:
            await self._socket.close()
        if self._reader is not None:
            await self._reader
        with suppress(aiohttp.ClientError, TimeoutError):
            if self._refresh_token:
                await self.post("/auth/revoke", data={"token": self._refresh_token})
        await self._session.close()

    async def needs_user(self) -> bool:
        """Tell whether the onboarding has still to make the first user."""
        async with self._session.get(self.url / "api/onboarding") as response:
            if response.status == 404:
                return False
            steps = await response.json()
        return any(step["step"] == "user" and not step["done"] for step in steps)

    async def create_user(self, username: str, password: str) -> None:
        """Make the first user, its owner, and be logged in as that one."""
        answer = await self.post(
            "/api/onboarding/users",
            json={
                "client_id": self._client_id,
                "name": username.title(),
                "username": username,
                "password": password,
                "language": "en",
            },
        )
        await self._open(answer["auth_code"])

    async def log_in(self, username: str, password: str) -> None:
        """Log in by the form.

        Raises:
            LoginError: Home Assistant does not know this user with this password.
        """
        form = await self.post(
            "/auth/login_flow",
            json={
                "client_id": self._client_id,
                "handler": ["homeassistant", None],
                "redirect_uri": self._client_id,
            },
        )
        answer = await self.post(
            f"/auth/login_flow/{form['flow_id']}",
            json={"client_id": self._client_id, "username": username, "password": password},
        )
        if answer["type"] != "create_entry":
            raise LoginError(f"user {username!r} cannot log in: {answer.get('errors')}")
        await self._open(answer["result"])

    @property
    def _client_id(self) -> str:
        return str(self.url / "")

    async def _open(self, code: str) -> None:
        """Turn a login's code into a token and open the WebSocket with it."""
        grant = {"grant_type": "authorization_code", "code": code, "client_id": self._client_id}
        tokens = await self.post("/auth/token", data=grant)
        self._refresh_token = tokens["refresh_token"]
        self._session.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        self._socket = await self._session.ws_connect(self.url / "api/websocket", max_msg_size=0)
        async with asyncio.timeout(TIMEOUT):
            await self._socket.receive_json()
            await self._socket.send_json({"type": "auth", "access_token": tokens["access_token"]})
            if (await self._socket.receive_json())["type"] != "auth_ok":
                raise LoginError("the WebSocket did not take the token")
        self._reader = asyncio.create_task(self._read(self._socket))
        await self.subscribe(self._note, "subscribe_events", event_type="state_changed")
        self.states = {state["entity_id"]: state for state in await self.command("get_states")}

    async def wait_until_running(self) -> None:
        """Wait until every integration is set up."""
        started: list[Json] = []
        event = "homeassistant_started"
        await self.subscribe(started.append, "subscribe_events", event_type=event)
        if (await self.command("get_config"))["state"] != "RUNNING":
            await self.wait_for(lambda: started or None, within=RUNNING_TIMEOUT)

    async def request(self, method: str, path: str, **content: Any) -> Any:
        """Send one request and return the JSON of its answer; None when it is empty.

        Raises:
            FrontendError: An answer of 400 or more.
        """
        async with self._session.request(method, self.url.join(URL(path)), **content) as response:
            if response.status >= 400:
                text = await response.text()
                raise FrontendError(f"{method} {path}: {response.status} {text}")
            return await response.json() if await response.read() else None

    async def post(self, path: str, **content: Any) -> Any:
        """Send a POST."""
        return await self.request("POST", path, **content)

    async def command(self, name: str, /, **fields: Any) -> Any:
        """Send a command and return its result.

        Raises:
            FrontendError: Home Assistant answered with an error.
        """
        return await self._send(self._next_id(), name, fields)

    async def subscribe(self, note: Callable[[Any], None], name: str, /, **fields: Any) -> None:
        """Send a command that events follow; each of them goes to `note`, before others look."""
        number = self._next_id()
        self._subscribers[number] = note
        await self._send(number, name, fields)

    def _next_id(self) -> int:
        self._last_id += 1
        return self._last_id

    async def _send(self, number: int, name: str, fields: Json) -> Any:
        if self._socket is None:
            raise FrontendError("not logged in")
        result = self._results[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(TIMEOUT):
                await self._socket.send_json({"id": number, "type": name, **fields})
                return await result
        finally:
            self._results.pop(number, None)

    async def wait_for[T](self, look: Callable[[], T | None], *, within: float = TIMEOUT) -> T:
        """Return what `look` returns, as soon as that is not None; it is asked at every change.

        Raises:
            TimeoutError: It never was.
            FrontendError: The connection was closed first.
        """
        async with asyncio.timeout(within), self._news:
            while (found := look()) is None:
                if self._reader is None or self._reader.done():
                    raise FrontendError("the WebSocket is closed")
                await self._news.wait()
            return found

    async def _read(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        """Hand out what the WebSocket brings until it is closed."""
        async for frame in websocket:
            message = frame.json()
            if message["type"] == "event":
                self._subscribers[message["id"]](message["event"])
            elif message["type"] == "result":
                self._answer(message)
            async with self._news:
                self._news.notify_all()
        for result in self._results.values():
            if not result.done():
                result.set_exception(FrontendError("the WebSocket is closed"))

    def _note(self, event: Json) -> None:
        """Keep a changed state; a removed one goes."""
        change = event["data"]
        if change["new_state"] is None:
            self.states.pop(change["entity_id"], None)
        else:
            self.states[change["entity_id"]] = change["new_state"]
            self.changes.append(change["new_state"])

    def _answer(self, message: Json) -> None:
        result = self._results.get(message["id"])
        if result is None or result.done():
            return
        if message["success"]:
            result.set_result(message["result"])
        else:
            error = message["error"]
            result.set_exception(FrontendError(f"{error['code']}: {error['message']}"))
