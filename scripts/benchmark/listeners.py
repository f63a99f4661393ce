"""Who listens to a server's stream: Home Assistant with Plex Butler, and a bare client."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum, auto
import time
from typing import Any, Final, Protocol

import aiohttp
from homeassistant.const import EVENT_STATE_CHANGED
from homeassistant.core import Event, EventStateChangedData, HomeAssistant, callback
import orjson

from .home import Writes, add_entry, entity_id, home_assistant, quiet, set_up
from .servers import STREAM, Server

BARE: Final = "bare aiohttp + orjson"
INTEGRATION: Final = "Plex Butler"

INTROS: Final = "media.generate.intros"
INTROS_TASK: Final = "ButlerTaskGenerateIntroMarkers"
THUMBS: Final = "media.generate.chapter.thumbs"
THUMBS_TASK: Final = "GenerateChapterThumbs"


class Sign(Enum):
    """What a listener shows once it has handled a frame."""

    BUSY = auto()
    """Butler is at work."""
    IDLE = auto()
    """Butler is not at work any more."""
    INTROS = auto()
    """The task that finds intros runs."""
    INTROS_OVER = auto()
    """That task is over."""
    THUMBS = auto()
    """The task that makes chapter thumbnails runs."""


class Listener(Protocol):
    """Somebody who listens to one server."""

    @property
    def server(self) -> Server:
        """The server."""

    @property
    def frames(self) -> int | None:
        """How many frames about activities have arrived; None where nobody counts them."""

    @property
    def writes(self) -> tuple[int, int]:
        """How many states have been written: changed, and unchanged."""

    def shows(self, sign: Sign) -> asyncio.Future[float]:
        """Return when a sign is shown next, in seconds of `time.perf_counter`."""


class Waiting:
    """Futures that wait for signs."""

    def __init__(self) -> None:
        """Nobody waits."""
        self._futures: defaultdict[Sign, list[asyncio.Future[float]]] = defaultdict(list)

    def wait_for(self, sign: Sign) -> asyncio.Future[float]:
        """Return when a sign is shown next."""
        future = asyncio.get_running_loop().create_future()
        self._futures[sign].append(future)
        return future

    def show(self, *signs: Sign) -> None:
        """End the waiting for these signs."""
        now = time.perf_counter()
        for sign in signs:
            for future in self._futures.pop(sign, ()):
                future.set_result(now)


class HomeListener:
    """Home Assistant, set up with the server; its states are the signs."""

    frames: int | None = None

    def __init__(self, hass: HomeAssistant, server: Server) -> None:
        """Begin to watch the states."""
        self.server = server
        self._waiting = Waiting()
        self._writes = Writes(hass)
        address = server.address
        maintenance = entity_id(hass, address, "binary_sensor", "maintenance")
        intros = entity_id(hass, address, "switch", f"task_{INTROS_TASK}")
        thumbs = entity_id(hass, address, "switch", f"task_{THUMBS_TASK}")
        self._signs = {
            (maintenance, "on"): Sign.BUSY,
            (maintenance, "off"): Sign.IDLE,
            (intros, "on"): Sign.INTROS,
            (intros, "off"): Sign.INTROS_OVER,
            (thumbs, "on"): Sign.THUMBS,
        }
        hass.bus.async_listen(EVENT_STATE_CHANGED, self._state_changed)

    @property
    def writes(self) -> tuple[int, int]:
        """How many states have been written: changed, and unchanged."""
        return self._writes.now

    def shows(self, sign: Sign) -> asyncio.Future[float]:
        """Return when a sign is shown next."""
        return self._waiting.wait_for(sign)

    @callback
    def _state_changed(self, event: Event[EventStateChangedData]) -> None:
        state = event.data["new_state"]
        if state and (sign := self._signs.get((state.entity_id, state.state))):
            self._waiting.show(sign)


class BareListener:
    """A client that decodes each frame and keeps the activities by their uuid: no more."""

    writes: tuple[int, int] = (0, 0)

    def __init__(self, server: Server) -> None:
        """Listen to nothing yet."""
        self.server = server
        self.frames: int | None = 0
        self._waiting = Waiting()
        self._listed: dict[str, Any] = {}

    def shows(self, sign: Sign) -> asyncio.Future[float]:
        """Return when a sign is shown next."""
        return self._waiting.wait_for(sign)

    async def listen(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        """Listen until the server closes the connection."""
        frames = 0
        async for message in socket:
            container = orjson.loads(message.data)["NotificationContainer"]
            if container["type"] != "activity":
                continue
            frames += 1
            self.frames = frames
            for row in container["ActivityNotification"]:
                if row["event"] == "ended":
                    self._listed.pop(row["uuid"], None)
                    continue
                activity = self._listed[row["uuid"]] = row["Activity"]
                if activity["type"] == "butler":
                    busy = activity["progress"] < 100
                    self._waiting.show(*_BUSY if busy else _IDLE)
                elif sign := _SIGNS.get(activity["type"]):
                    self._waiting.show(sign)


_BUSY: Final = (Sign.BUSY,)
_IDLE: Final = (Sign.IDLE, Sign.INTROS_OVER)
_SIGNS: Final = {INTROS: Sign.INTROS, THUMBS: Sign.THUMBS}


@asynccontextmanager
async def home_listener(server: Server) -> AsyncIterator[HomeListener]:
    """Set Home Assistant up with the server."""
    async with home_assistant() as hass:
        await set_up(hass, add_entry(hass, server.address))
        await server.listened_to()
        await quiet()
        yield HomeListener(hass, server)


@asynccontextmanager
async def bare_listener(server: Server) -> AsyncIterator[BareListener]:
    """Let a bare client listen to the server."""
    listener = BareListener(server)
    address = server.address
    async with (
        aiohttp.ClientSession(headers={"X-Plex-Token": address.token}) as session,
        session.ws_connect(address.url + STREAM) as socket,
    ):
        listening = asyncio.create_task(listener.listen(socket))
        await server.listened_to()
        yield listener
        listening.cancel()
