"""The control listener: what a test in another process does to a simulated server.

A real server has nothing like it. It speaks JSON on a port of its own on 127.0.0.1:

    GET /state             what runs and what is queued, and the simulated time
    GET /requests          what arrived, with whose token it was in place of the token
    PATCH /faults          {"maintenance": true}: sets switches of `Faults`
    POST /users/{what}     lets somebody do something, a method of `Users`: play {"state": "paused"}
    POST /activities       {"type": "media.generate.bif", "count": 9, "frames": "each"}: begins them
    DELETE /activities     {"count": 9, "frames": "one"}: ends the newest; see `Frames`
    POST /task             {"name": "BrewCoffee", "enabled": false}, or "remove": true
    POST /tasks            {"name": "Brew", "count": 9}: adds Brew0 to Brew8
    POST /preferences      {"ButlerStartHour": 3}: changes them, as Plex Web does
    POST /profile          {"name": "BackupDatabase", "duration": 5}: fields of `Profile`
    POST /start            {"name": "BackupDatabase"}: begins as the schedule would, unasked
    POST /webhooks         {"addresses": [...]}: those of the account; {"event": "media.play"}: sends one
    GET /webhooks          the events that were sent, each with its status
    POST /advance          {"seconds": 60}
    POST /log              {"text": "Butler: …", "level": 3, "lines": 9}: writes lines
    POST /chatter          {"per_second": 5}: writes so many lines a second from now on
    POST /hang-up          closes every notification stream
    POST /claim, /revoke, /restart, /stop-listening, /listen
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, fields
from typing import Any

from aiohttp import web

from .activities import Frames
from .faults import Faults
from .log import Level
from .server import SimulatedPlex
from .tasks import Profile
from .users import Users
from .webhooks import PICTURE


class Control:
    """The handlers of one simulated server's control listener."""

    def __init__(self, server: SimulatedPlex) -> None:
        """Initialize."""
        self._server = server
        self._switches = {field.name for field in fields(Faults)}

    def app(self) -> web.Application:
        """Return the application that serves them."""
        app = web.Application()
        app.router.add_get("/state", self._state)
        app.router.add_get("/requests", self._requests)
        app.router.add_patch("/faults", self._faults)
        app.router.add_post("/users/{what}", self._users)
        app.router.add_post("/activities", self._begin_activities)
        app.router.add_delete("/activities", self._end_activities)
        app.router.add_post("/task", self._task)
        app.router.add_post("/tasks", self._tasks)
        app.router.add_post("/preferences", self._preferences)
        app.router.add_post("/profile", self._profile)
        app.router.add_post("/start", self._start)
        app.router.add_post("/webhooks", self._webhooks)
        app.router.add_get("/webhooks", self._delivered)
        app.router.add_post("/advance", self._advance)
        app.router.add_post("/log", self._log)
        app.router.add_post("/chatter", self._chatter)
        for path, act in (
            ("/hang-up", self._server.notifications.hang_up),
            ("/restart", self._server.restart),
            ("/stop-listening", self._server.stop_listening),
            ("/listen", self._server.listen),
        ):
            app.router.add_post(path, self._doing(act))
        app.router.add_post("/claim", self._claim)
        app.router.add_post("/revoke", self._revoke)
        return app

    async def _state(self, _: web.Request) -> web.Response:
        server = self._server
        return web.json_response(
            {
                "now": server.clock.now.isoformat(),
                "running": sorted(server.butler.running),
                "queued": sorted(server.butler.queued),
                "history": server.butler.history,
                "tasks": list(server.butler.tasks),
                "listeners": server.notifications.listeners,
                "preferences": server.preferences.values,
                "sessions": len(server.players.rows()),
                "faults": asdict(server.faults),
            }
        )

    async def _requests(self, _: web.Request) -> web.Response:
        return web.json_response(
            [
                {
                    "method": recorded.method,
                    "path": recorded.path,
                    "status": recorded.status,
                    "token": self._server.auth.whose(
                        recorded.headers.get("x-plex-token") or recorded.query.get("X-Plex-Token")
                    ),
                    "token_in_query": "X-Plex-Token" in recorded.query,
                }
                for recorded in self._server.requests
            ]
        )

    async def _faults(self, request: web.Request) -> web.Response:
        for name, value in (await request.json()).items():
            if name not in self._switches:
                raise web.HTTPBadRequest(text=f"There is no fault {name}")
            setattr(self._server.faults, name, value)
        return web.json_response({})

    async def _users(self, request: web.Request) -> web.Response:
        what = request.match_info["what"]
        if what.startswith("_") or not hasattr(Users, what):
            raise web.HTTPNotFound
        keywords = await request.json() if request.body_exists else {}
        getattr(self._server.users, what)(**keywords)
        return web.json_response({})

    async def _begin_activities(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        frames = Frames(wanted["frames"])
        self._server.activities.begin_many(wanted["type"], wanted["count"], frames)
        return web.json_response({})

    async def _end_activities(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        self._server.activities.end_many(wanted["count"], Frames(wanted["frames"]))
        return web.json_response({})

    async def _task(self, request: web.Request) -> web.Response:
        wanted: dict[str, Any] = await request.json()
        name = wanted.pop("name")
        if wanted.pop("remove", False):
            self._server.butler.remove_task(name)
        elif name in self._server.butler.tasks:
            self._server.butler.tasks[name].enabled = wanted["enabled"]
        else:
            self._server.butler.add_task(name, **wanted)
        return web.json_response({})

    async def _tasks(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        for number in range(wanted["count"]):
            self._server.butler.add_task(f"{wanted['name']}{number}")
        return web.json_response({})

    async def _preferences(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        self._server.change_preferences({name: str(value) for name, value in wanted.items()})
        return web.json_response({})

    async def _profile(self, request: web.Request) -> web.Response:
        wanted: dict[str, Any] = await request.json()
        name = wanted.pop("name")
        self._server.butler.profiles[name] = Profile(**wanted)
        return web.json_response({})

    async def _start(self, request: web.Request) -> web.Response:
        name = (await request.json())["name"]
        return web.json_response({"status": self._server.butler.start(name)})

    async def _webhooks(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        webhooks = self._server.webhooks
        webhooks.addresses = wanted.get("addresses", webhooks.addresses)
        if event := wanted.get("event"):
            picture = PICTURE if event.startswith("media.") else b""
            webhooks.send(webhooks.fields(event, **wanted.get("changes", {})), picture=picture)
        return web.json_response({})

    async def _delivered(self, _: web.Request) -> web.Response:
        await self._server.webhooks.sent()
        return web.json_response(self._server.webhooks.delivered)

    async def _advance(self, request: web.Request) -> web.Response:
        await self._server.advance((await request.json())["seconds"])
        return web.json_response({})

    async def _log(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        for _ in range(wanted.get("lines", 1)):
            text = wanted["text"] * wanted.get("times", 1)
            self._server.log.write(text, Level(wanted.get("level", Level.DEBUG)))
        return web.json_response({})

    async def _chatter(self, request: web.Request) -> web.Response:
        self._server.log.chatter((await request.json())["per_second"])
        return web.json_response({})

    async def _claim(self, _: web.Request) -> web.Response:
        self._server.claim()
        return web.json_response({})

    async def _revoke(self, _: web.Request) -> web.Response:
        return web.json_response({"token": self._server.auth.revoke()})

    @staticmethod
    def _doing(
        act: Callable[[], Awaitable[None]],
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def do(_: web.Request) -> web.Response:
            await act()
            return web.json_response({})

        return do
