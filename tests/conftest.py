"""A Home Assistant in the test harness, and a simulated Plex Media Server on a real socket."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from datetime import timedelta
import logging
from typing import Any, Final

import freezegun
from freezegun import freeze_time
from freezegun.api import FrozenDateTimeFactory
from homeassistant import runner
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant, State
from homeassistant.helpers import entity_registry as er
from homeassistant.util.ssl import get_default_context
from hypothesis import settings
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from yarl import URL

# First, or the harness's own folder of that name is found instead.
import custom_components.plex_butler  # noqa: F401
from custom_components.plex_butler.const import CONF_CLIENT_IDENTIFIER, DOMAIN
from custom_components.plex_butler.plex import REQUEST_TIMEOUT
from custom_components.plex_butler.runs.rules import ROW_STAYS_IDLE
from tests.certificates import AUTHORITY
from tests.cloud import SimulatedCloud, simulate_cloud
from tests.flow.names import Names
from tests.flow.user import User
from tests.passing_time import LoopTime, async_fire_time_changed, rest
from tests.simulator import Faults, SimulatedPlex
from tests.simulator.plex_tv import SimulatedPlexTv
from tests.simulator.tasks import tasks as default_tasks
from tests.texts import TEXTS, watch

# What Hypothesis finds fails again, for everybody. The profile "search" looks for something new.
settings.register_profile("repeatable", derandomize=True)
settings.register_profile("search", derandomize=False)
settings.load_profile("repeatable")

# The harness asks for all of Home Assistant's lines of debug, which takes a third of the time of a
# test with templates, and for all SQL, some of it between tests, where it is printed. `whole_log`
# has them.
for name in ("homeassistant", "sqlalchemy.engine"):
    logging.getLogger(name).setLevel(logging.WARNING)
# pytest shows what was logged by itself.
logging.getLogger().handlers.clear()

runner.monotonic = LoopTime()  # type: ignore[attr-defined]

SOME_TASKS: Final = (
    "BackupDatabase",
    "ButlerTaskGenerateCreditsMarkers",
    "ButlerTaskGenerateIntroMarkers",
    "DeepMediaAnalysis",
    "GenerateChapterThumbs",
    "LoudnessAnalysis",
    "OptimizeDatabase",
    "RefreshEpgGuides",
    "RefreshLocalMedia",
)
"""Tasks of each kind. Each has entities, whose set-up takes most of the time of a short test."""

NOON: Final = "2026-11-25T20:00Z"
"""When each test begins: noon in the time zone of the tests, ten hours after maintenance began."""

CLIENT_IDENTIFIER = "3f0c9f2e-7a0b-4c4e-9a53-5a1f9d9d0c11"


def entry_for(server: SimulatedPlex, **data: Any) -> MockConfigEntry:
    """Return the entry that the flow makes for a server, not set up yet."""
    return MockConfigEntry(
        domain=DOMAIN,
        title=server.friendly_name,
        unique_id=server.machine_identifier,
        version=1,
        minor_version=1,
        data={
            CONF_URL: server.url,
            CONF_TOKEN: server.owner_token,
            CONF_VERIFY_SSL: True,
            CONF_CLIENT_IDENTIFIER: CLIENT_IDENTIFIER,
            **data,
        },
    )


@pytest.fixture(autouse=True)
def enable_event_loop_debug() -> None:
    """Leave asyncio's debug mode off, in place of the harness's fixture that turns it on.

    It records a traceback for every callback, which takes a third of the time of all tests.
    `integration/test_init.py` turns it on.
    """


@pytest.fixture(autouse=True, scope="session")
def _clock() -> None:
    """Let time go on from noon of one day, by the clock that tests can stop.

    With the hour of the machine, a test would meet the maintenance window now and then. To put a
    clock into all modules takes long, so it stays there. It is everybody's but pytest's, and does
    not look at who asks, each time.
    """
    freezegun.configure(extend_ignore_list=["_pytest"])
    freezegun.api.call_stack_inspection_limit = 0
    freeze_time(NOON, tick=True).start()


@pytest.fixture
def whole_log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """All that is logged by anybody, at every level."""
    for name in ("", "homeassistant", "sqlalchemy.engine"):
        caplog.set_level(0, name)
    return caplog


@pytest.fixture(autouse=True)
def _custom_integration(request: pytest.FixtureRequest) -> None:
    """Let Home Assistant find the integration, in every test that has a Home Assistant."""
    if "recorder_mock" in request.fixturenames:
        # It has to be there first.
        request.getfixturevalue("recorder_mock")
    if "hass" in request.fixturenames:
        request.getfixturevalue("enable_custom_integrations")


@pytest.fixture(autouse=True)
def _no_pause(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read preferences again at once after a refusal, in every test that has a Home Assistant."""
    if "hass" in request.fixturenames:
        monkeypatch.setattr("custom_components.plex_butler.butler.preferences.PAUSE", 0)


@pytest.fixture(autouse=True)
def _texts() -> Generator[None]:
    """Every text that the test shows is there, and has all its values."""
    TEXTS.wrong.clear()
    with pytest.MonkeyPatch.context() as patch:
        watch(patch)
        yield
    assert not TEXTS.wrong


UNUSED: Final = pytest.StashKey[list[str]]()
SHOWN: Final[set[str]] = set()
"""What the worker processes have shown."""


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Collect what a worker process has shown."""
    SHOWN.update(getattr(node, "workeroutput", {}).get("texts", ()))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """After all tests, fail if there is a text that none of them has shown."""
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["texts"] = sorted(TEXTS.shown)
        return
    everything = config.args_source is not pytest.Config.ArgsSource.ARGS
    chosen = config.getoption("keyword") or config.getoption("collectonly")
    if exitstatus == pytest.ExitCode.OK and everything and not chosen:
        config.stash[UNUSED] = unused = TEXTS.unused(TEXTS.shown | SHOWN)
        if unused:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Name the texts that no test has shown."""
    for path in config.stash.get(UNUSED, []):
        terminalreporter.write_line(f"no test shows the text {path}", red=True)


@pytest.fixture
async def server(
    request: pytest.FixtureRequest, socket_enabled: None
) -> AsyncGenerator[SimulatedPlex]:
    """A server that does nothing by itself; its clock stands still until a test moves it."""
    faults = Faults(no_websocket="without_stream" in request.fixturenames)
    tasks = default_tasks()
    if "some_tasks" in request.fixturenames:
        tasks = {name: task for name, task in tasks.items() if name in SOME_TASKS}
    async with SimulatedPlex(faults=faults, tasks=tasks) as simulated:
        yield simulated


@pytest.fixture
def some_tasks() -> None:
    """The server has some tasks of each kind, for many tests that are about none of them."""


@pytest.fixture
def without_stream() -> None:
    """The server has no notification stream: polling is always enough on its own."""


@pytest.fixture
def entry(server: SimulatedPlex) -> MockConfigEntry:
    """The entry of this server."""
    return entry_for(server)


def _is_stream(task: asyncio.Future[Any]) -> bool:
    return isinstance(task, asyncio.Task) and task.get_name().endswith(" stream")


class House:
    """A Home Assistant with servers; time passes for all of them together."""

    def __init__(self, hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> None:
        """Initialize without servers."""
        self.hass = hass
        self.servers: list[SimulatedPlex] = []
        self._freezer = freezer

    async def set_up(
        self,
        entry: MockConfigEntry,
        server: SimulatedPlex,
        state: ConfigEntryState = ConfigEntryState.LOADED,
    ) -> MockConfigEntry:
        """Set an entry up and see it get into a state."""
        self.servers.append(server)
        if entry.entry_id not in {e.entry_id for e in self.hass.config_entries.async_entries()}:
            entry.add_to_hass(self.hass)
        await self.hass.config_entries.async_setup(entry.entry_id)
        await self.settled()
        assert entry.state is state
        return entry

    async def settled(self) -> None:
        """Wait until nothing is left to be done at this moment.

        What waits for a silent server is left to its time limit: the clock moves that far.
        """
        await self._until_time_limit()
        while True:
            # What the stream has to say comes by itself; its task never ends.
            await self.sent()
            await self.hass.async_block_till_done()
            passing = [task for task in self.hass._background_tasks if not _is_stream(task)]
            if not passing:
                return
            if not await self._until_time_limit():
                await asyncio.wait(passing)

    async def _until_time_limit(self) -> bool:
        """Let the time limit of what was asked pass, if there is nobody to answer."""
        silent = any(server.silent for server in self.servers)
        if silent:
            await self.sent()
            self._freezer.tick(timedelta(seconds=REQUEST_TIMEOUT + 1))
        return silent

    async def sent(self) -> None:
        """Wait until what is being asked has arrived; the answer may take its time."""
        await rest()

    async def passes(self, seconds: float, *, step: float = 5) -> None:
        """Let time pass, in steps that are not longer than the fastest polling."""
        while seconds > 0:
            now = min(step, seconds)
            seconds -= now
            for server in self.servers:
                await server.advance(now)
            self._freezer.tick(timedelta(seconds=now))
            async_fire_time_changed(self.hass)
            await self.settled()

    async def row_settles(self) -> None:
        """Let as much time pass as Butler's row must stay idle for, until that counts."""
        await self.passes(ROW_STAYS_IDLE.total_seconds())

    def entity_id(self, server: SimulatedPlex, platform: str, key: str) -> str:
        """Return the entity id that the registry has for one of ours."""
        entity_id = er.async_get(self.hass).async_get_entity_id(
            platform, DOMAIN, f"{server.machine_identifier}_{key}"
        )
        assert entity_id, f"there is no {platform} {key}"
        return entity_id

    def state(self, server: SimulatedPlex, platform: str, key: str) -> State:
        """Return the state of one of our entities."""
        state = self.hass.states.get(self.entity_id(server, platform, key))
        assert state
        return state

    async def act(
        self,
        domain: str,
        action: str,
        /,
        respond: bool = False,  # noqa: FBT002 - data may hold any keyword
        **data: Any,
    ) -> dict[str, Any]:
        """Call an action, as a user or an automation does, and return its response if asked."""
        response = await self.hass.services.async_call(
            domain, action, data, blocking=True, return_response=respond
        )
        await self.settled()
        return dict(response or {})


@pytest.fixture
def house(hass: HomeAssistant, freezer: FrozenDateTimeFactory) -> House:
    """A Home Assistant whose time the test moves."""
    return House(hass, freezer)


@pytest.fixture
async def loaded(house: House, server: SimulatedPlex, entry: MockConfigEntry) -> MockConfigEntry:
    """The entry of the server, set up."""
    return await house.set_up(entry, server)


@pytest.fixture
def trusted() -> None:
    """This Home Assistant trusts the authority behind `PLEX_TLS`."""
    AUTHORITY.configure_trust(get_default_context())


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """The names that this network knows."""
    names = Names()
    monkeypatch.setattr(
        "homeassistant.helpers.aiohttp_client._async_make_resolver", lambda _: names
    )
    return names


@pytest.fixture
async def plex_tv(
    monkeypatch: pytest.MonkeyPatch,
    freezer: FrozenDateTimeFactory,
    socket_enabled: None,
    names: Names,
) -> AsyncGenerator[SimulatedPlexTv]:
    """plex.tv, with an account that has no server yet."""
    async with SimulatedPlexTv() as simulated:
        monkeypatch.setattr(
            "custom_components.plex_butler.plex.account.client.PLEX_TV", URL(simulated.url)
        )
        yield simulated


@pytest.fixture
def cloud(hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch) -> SimulatedCloud:
    """A Home Assistant Cloud that is in use."""
    return simulate_cloud(hass, monkeypatch)


@pytest.fixture
def user(hass: HomeAssistant, freezer: FrozenDateTimeFactory, plex_tv: SimulatedPlexTv) -> User:
    """Somebody in front of the dialog."""
    return User(hass, freezer, plex_tv)
