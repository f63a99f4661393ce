"""A real Home Assistant as a process of its own, for the demo and for the live tests."""

import asyncio
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
import json
from pathlib import Path
from typing import Any, Final

import aiohttp
from yarl import URL

from .frontend import Frontend
from .process import REPOSITORY, ProcessDiedError, free_port, start_process, stop_process

RESTART: Final = 100
"""Home Assistant's exit code when it wants to be started again."""

START_TIMEOUT: Final = 120.0

CONFIGURATION: Final = """\
homeassistant:
  name: Plex Butler
  time_zone: {time_zone}
  country: US
  currency: USD
  unit_system: metric
frontend:
config:
history:
logbook:
automation: !include automations.yaml
script: !include scripts.yaml
scene: !include scenes.yaml
system_health:
logger:
  default: {level}
  logs:
    custom_components.plex_butler: debug
"""


def write_store(folder: Path, key: str, data: Mapping[str, Any], *, version: int = 1) -> None:
    """Write a file of the storage, as an instance that does not run keeps it in its folder."""
    storage = folder / ".storage"
    storage.mkdir(mode=0o700, exist_ok=True)
    content = {"version": version, "minor_version": 1, "key": key, "data": data}
    (storage / key).write_text(json.dumps(content))


class Instance:
    """One Home Assistant: a configuration folder, a port, and the process while it runs."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int | None = None,
        level: str = "info",
        time_zone: str = "UTC",
        more: str = "",
        components: Sequence[Path] = (),
        entries: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        """Take a folder, new or of an earlier instance; `level` is everybody's log level.

        `more` is added to the configuration, `components` are custom integrations beside ours, and
        `entries` are those that a new instance has.
        """
        self.folder = folder
        self.port = port or free_port()
        self.url = URL.build(scheme="http", host="127.0.0.1", port=self.port)
        self.process: Process | None = None
        self._level = level
        self._time_zone = time_zone
        self._more = more
        self._components = components
        self._entries = entries

    @property
    def log(self) -> str:
        """Everything that all runs wrote, to the log and to the terminal."""
        return self._output.read_text(errors="replace")

    @property
    def _output(self) -> Path:
        return self.folder / "console.log"

    def _prepare(self) -> None:
        """Write what Home Assistant reads at its start."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        configuration = CONFIGURATION.format(level=self._level, time_zone=self._time_zone)
        (self.folder / "configuration.yaml").write_text(configuration + self._more)
        for name in ("automations.yaml", "scripts.yaml", "scenes.yaml"):
            (self.folder / name).touch()
        components = self.folder / "custom_components"
        if components.is_symlink():
            components.unlink()  # of an earlier demo: what is put there would be in the repository
        components.mkdir(exist_ok=True)
        for source in (REPOSITORY / "custom_components" / "plex_butler", *self._components):
            link = components / source.name
            if not link.is_symlink():
                link.symlink_to(source)
        # Not as `http:` in YAML: that is taken back five minutes later.
        http = {"stable": self._http(), "pending": None, "yaml_migration_done": True}
        write_store(self.folder, "http", http, version=2)
        if not (self.folder / ".storage" / "onboarding").exists():
            steps = ["core_config", "analytics", "integration"]
            write_store(self.folder, "onboarding", {"done": steps}, version=4)
            if self._entries:
                write_store(self.folder, "core.config_entries", {"entries": self._entries})

    def _http(self) -> dict[str, Any]:
        return {
            "server_host": ["127.0.0.1"],
            "server_port": self.port,
            "cors_allowed_origins": [],
            "ip_ban_enabled": False,
            "login_attempts_threshold": -1,
            "ssl_profile": "modern",
            "use_x_frame_options": True,
        }

    async def start(self) -> None:
        """Start the process and wait until it serves its frontend.

        Raises:
            ProcessDiedError: It ended while starting.
            TimeoutError: It is still not there after two minutes.
        """
        self._prepare()
        self.process = await start_process(
            "homeassistant",
            *("--config", str(self.folder), "--skip-pip", "--log-no-color"),
            cwd=self.folder,
            errors=self._output,
        )
        async with asyncio.timeout(START_TIMEOUT), aiohttp.ClientSession() as session:
            while not await self._answers(session):
                if self.process.returncode is not None:
                    raise ProcessDiedError("Home Assistant ended while starting", self._output)
                await asyncio.sleep(0.1)

    async def _answers(self, session: aiohttp.ClientSession) -> bool:
        with suppress(aiohttp.ClientError, TimeoutError):
            async with session.get(
                self.url / "manifest.json", timeout=aiohttp.ClientTimeout(5)
            ) as response:
                return response.ok
        return False

    async def stop(self) -> None:
        """Stop the process, with what it wants to save saved."""
        if self.process is not None:
            await stop_process(self.process)

    async def kill(self) -> None:
        """End the process at once, whatever it is doing."""
        if self.process is not None:
            self.process.kill()
            await self.process.wait()

    async def restart(self) -> None:
        """Stop it and start it again on the same folder."""
        await self.stop()
        await self.start()

    @asynccontextmanager
    async def frontend(self, username: str, password: str) -> AsyncIterator[Frontend]:
        """Log in as a browser does, as the first user when there is none; wait until all runs.

        Raises:
            LoginError: There is such a user with another password, or only other users.
        """
        async with Frontend(self.url) as frontend:
            if await frontend.needs_user():
                await frontend.create_user(username, password)
            else:
                await frontend.log_in(username, password)
            await frontend.wait_until_running()
            yield frontend
