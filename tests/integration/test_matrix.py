"""Every fault with every operation: the right sentence, back at once, and nothing lost."""

import asyncio
from collections.abc import Coroutine, Generator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from datetime import timedelta
import gc
import logging
from typing import Any, Final

from homeassistant.config_entries import (
    SOURCE_REAUTH,
    SOURCE_RECONFIGURE,
    ConfigEntry,
    ConfigEntryState,
    ConfigFlowResult,
)
from homeassistant.const import CONF_TOKEN, CONF_URL, STATE_UNAVAILABLE
from homeassistant.core import DOMAIN as HA_DOMAIN
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import (
    device_registry as dr,
    entity_registry as er,
    issue_registry as ir,
)
from homeassistant.setup import async_setup_component
import pytest

from custom_components.plex_butler.const import DOMAIN
from custom_components.plex_butler.plex import REQUEST_TIMEOUT
from tests.conftest import House
from tests.flow.dialogue import begin, by_hand, submit, typed
from tests.flow.names import Names
from tests.flow.user import User
from tests.integration.matrix import CASES, COMMANDS, PLEX_TV_CASES, Case, Kind, as_markdown
from tests.simulator import Faults, SimulatedPlex
from tests.simulator.plex_tv import SimulatedPlexTv
from tests.simulator.plex_tv_faults import PlexTvFaults
from tests.simulator.tasks import Profile

pytestmark = pytest.mark.usefixtures("some_tasks")

SHORT: Final = 8
"""Shorter than the time limit of a request, in seconds: a poll that is under way survives it."""
ONE_POLL: Final = 30
RUNS: Final = "ButlerTaskGenerateIntroMarkers"
OTHER: Final = "LoudnessAnalysis"
OVER: Final = "BackupDatabase"
OURS: Final = f"custom_components.{DOMAIN}"


def test_every_fault_is_in_the_table() -> None:
    named = {name for case in CASES for name in case.faults}
    assert named == {each.name for each in fields(Faults)}
    named = {name for _, faults in PLEX_TV_CASES for name in faults}
    assert named == {each.name for each in fields(PlexTvFaults)}


def test_table_can_be_shown() -> None:
    lines = as_markdown().splitlines()
    assert len(lines) == len({case.kind.name for case in CASES}) + 2
    assert all(f"`{case}`" in as_markdown() for case in CASES)
    assert len({line.count("|") for line in lines}) == 1


@contextmanager
def met(user: User, faults: object, wrong: Mapping[str, Any]) -> Generator[None]:
    """Let the simulator have the faults, until the end of the block."""
    good = {name: getattr(faults, name) for name in wrong}
    for name, value in wrong.items():
        setattr(faults, name, value)
    moving = asyncio.create_task(_moves(user)) if "slow" in wrong else None
    try:
        yield
    finally:
        for name, value in good.items():
            setattr(faults, name, value)
        if moving:
            moving.cancel()
            # What is still being answered slowly is answered now: the clock stands still again.
            user.freezer.tick(timedelta(seconds=1))


async def _moves(user: User) -> None:
    """Let the clock move, for what takes its time to be answered."""
    while True:
        await asyncio.sleep(0)
        user.freezer.tick(timedelta(milliseconds=1))


class Run:
    """One Home Assistant that goes through all operations with one fault."""

    def __init__(self, house: House, user: User, server: SimulatedPlex, case: Case) -> None:
        """Initialize; nothing is asked."""
        self.house = house
        self.hass = house.hass
        self.user = user
        self.server = server
        self.case = case
        self.kind: Kind = case.kind
        self.backup: Any = None
        self.form = typed(server, **{CONF_URL: f"http://{case.host}:{server.port}"})

    def fault(self) -> Any:
        """Have the fault, until the end of a block."""
        return met(self.user, self.server.faults, self.case.faults)

    @property
    def entry(self) -> ConfigEntry:
        """Return the entry of the server."""
        [entry] = self.hass.config_entries.async_entries(DOMAIN)
        return entry

    async def ends[T](self, operation: Coroutine[Any, Any, T]) -> T:
        """See an operation end; where nothing answers, by its time limit."""
        task = asyncio.create_task(operation)
        while not task.done():
            await self.house.sent()
            if self.server.silent or self.server.faults.late_answers:
                self.user.freezer.tick(timedelta(seconds=REQUEST_TIMEOUT + 1))
        return task.result()

    # --- polls and commands

    async def command(self, action: str) -> str:
        """Send a command, and return the key of what it says; empty if it works."""
        data: dict[str, Any] = {"task": OTHER} if action in ("start_task", "run_task") else {}
        data |= {"task": RUNS} if action == "stop_task" else {}
        data |= {"timeout": 0} if action == "run_task" else {}
        data |= {"window_start": 3} if action == "set_schedule" else {}
        key = await self.key_of(
            self.hass.services.async_call(DOMAIN, action, data, blocking=True, return_response=True)
        )
        await self.house.settled()
        return key

    async def key_of(self, call: Coroutine[Any, Any, object]) -> str:
        """Return the key of the sentence with which a call fails; empty if it works."""
        failed: HomeAssistantError | None = None
        try:
            await self.ends(call)
        except HomeAssistantError as err:
            failed = err
        self.without_token(str(failed))
        return str(failed.translation_key) if failed else ""

    async def polls(self) -> None:
        """Let everything be read, as `homeassistant.update_entity` does."""
        connected = self.house.entity_id(self.server, "binary_sensor", "server")
        await self.house.passes(ONE_POLL, step=ONE_POLL)
        await self.ends(
            self.hass.services.async_call(
                HA_DOMAIN, "update_entity", {"entity_id": connected}, blocking=True
            )
        )
        await self.house.settled()

    async def told(self) -> str:
        """Return the key of what the last poll has failed with."""
        return await self.key_of(
            self.hass.services.async_call(
                DOMAIN, "get_tasks", {}, blocking=True, return_response=True
            )
        )

    async def begins_to_run(self) -> None:
        """See one task run, and everything well."""
        await self.house.passes(5)
        if RUNS not in self.server.butler.running:
            await self.act("start_task", task=RUNS)
        await self.house.passes(5)
        assert RUNS in self.shown_running()

    async def act(self, action: str, **data: Any) -> dict[str, Any]:
        """Call an action that works, and return its response."""
        return await self.house.act(DOMAIN, action, respond=True, **data)

    # --- the dialogue

    async def adds(self) -> ConfigFlowResult:
        """Add the server by hand."""
        return await self.ends(submit(self.hass, await begin(self.hass), **self.form))

    async def signs_in(self, menu: ConfigFlowResult | None = None) -> ConfigFlowResult:
        """Sign in, to add the server or to change it."""
        result = await self.user.opens_plex(menu)
        self.user.plex_tv.sign_in(self.user.plex_tv.codes[-1])
        await self.user.waits()
        return await self.ends(self.user.looks(result))

    async def changes(self, source: str) -> ConfigFlowResult:
        """Open the dialogue that changes the server, or replaces its token."""
        entry = self.entry
        return await self.hass.config_entries.flow.async_init(
            DOMAIN,
            context={"source": source, "entry_id": entry.entry_id, "unique_id": entry.unique_id},
            data=dict(entry.data) if source == SOURCE_REAUTH else None,
        )

    async def types(self, menu: ConfigFlowResult) -> ConfigFlowResult:
        """Enter the address, or only the token, once more."""
        result = await by_hand(self.hass, menu)
        token = {CONF_TOKEN: self.server.owner_token}
        typed_in = token if result["step_id"] == "reauth_token" else self.form
        return await self.ends(submit(self.hass, result, **typed_in))

    def said(self, result: ConfigFlowResult) -> str:
        """Return the key of what a dialogue says; empty if it has done what it was asked for."""
        self.without_token(str(result.get("description_placeholders")))
        if result["type"] is FlowResultType.CREATE_ENTRY:
            return ""
        if result["type"] is FlowResultType.ABORT:
            reason = str(result["reason"])
            return "" if reason in ("reauth_successful", "reconfigure_successful") else reason
        if result["type"] is FlowResultType.MENU:
            return str(result["step_id"])
        [key] = (result["errors"] or {"": f"no error: {result['step_id']}"}).values()
        return key

    def leaves(self, result: ConfigFlowResult) -> None:
        """Close a dialogue that is still open."""
        if result["type"] in (FlowResultType.FORM, FlowResultType.MENU):
            self.hass.config_entries.flow.async_abort(result["flow_id"])

    async def removes(self) -> None:
        """Remove the entry."""
        await self.house.settled()
        await self.ends(self.hass.config_entries.async_remove(self.entry.entry_id))
        await self.house.settled()

    # --- what must not be lost

    def kept(self) -> set[tuple[str, ...]]:
        """Return the entities and devices, as the registries know them."""
        entities = er.async_get(self.hass).entities.values()
        devices = dr.async_entries_for_config_entry(dr.async_get(self.hass), self.entry.entry_id)
        return {
            (each.entity_id, each.id, each.unique_id)
            for each in entities
            if each.platform == DOMAIN
        } | {(each.id, str(each.name)) for each in devices}

    def unavailable(self) -> set[str]:
        """Return the keys of the entities that are unavailable."""
        registry = er.async_get(self.hass)
        return {
            each.entity_id
            for each in er.async_entries_for_config_entry(registry, self.entry.entry_id)
            if (state := self.hass.states.get(each.entity_id)) and state.state == STATE_UNAVAILABLE
        }

    async def last_backup(self) -> Any:
        """Return the last run of the one task that was over before."""
        tasks = (await self.act("get_tasks"))["tasks"]
        return next(each["last_run"] for each in tasks if each["name"] == OVER)

    async def is_back(self, before: set[tuple[str, ...]], *, step: float = SHORT) -> None:
        """See everything be there again after one poll."""
        await self.house.passes(ONE_POLL, step=step)
        if not self.kind.poll:
            # The list of tasks is read now and then only.
            await self.polls()
        assert self.entry.state is ConfigEntryState.LOADED
        assert await self.told() == ""
        assert self.unavailable() == set()
        if not self.kind.forgets:
            assert before <= self.kept()
        assert {RUNS, OTHER} & self.server.butler.running <= set(self.shown_running())
        assert (await self.last_backup()) == self.backup
        assert self.issues() == []
        assert self.hass.config_entries.flow.async_progress() == []

    def issues(self) -> list[str]:
        """Return the keys of the repair issues."""
        issues = ir.async_get(self.hass).issues.values()
        return [str(each.translation_key) for each in issues if each.domain == DOMAIN]

    def shown_running(self) -> list[str]:
        """Return the tasks that are shown to run, by the server's names."""
        return list(self.entry.runtime_data.data.running)

    def without_token(self, text: str) -> None:
        """See that a text holds no token."""
        assert not [token for token in self.server.tokens if token in text]


def ours(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings and errors of the integration."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= logging.WARNING and record.name.startswith(OURS)
    ]


def wrong(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the log says that nobody but the integration should have to say."""
    return [
        f"{record.name}: {record.getMessage()}"
        for record in caplog.records
        if record.levelno >= logging.WARNING
        # What `http` says of this machine, which our calendar needs.
        and not record.name.startswith((OURS, "aiohttp_fast_zlib"))
        # Home Assistant's own words on every custom integration, on a set-up that is tried again, and
        # on a server that lets an update wait.
        and "has not been tested by Home Assistant" not in record.getMessage()
        and "is taking over 10 seconds" not in record.getMessage()
        and "not ready yet" not in record.getMessage()
    ]


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_fault(
    house: House,
    user: User,
    server: SimulatedPlex,
    case: Case,
    names: Names,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, OURS)
    assert await async_setup_component(house.hass, HA_DOMAIN, {})
    server.butler.profiles.clear()
    server.butler.profiles |= {
        RUNS: Profile(activity="media.generate.intros", items=500),
        OTHER: Profile(activity="media.generate.loudness", items=500),
        OVER: Profile(duration=3),
    }
    names.known.add(case.host)
    user.plex_tv.add(server)
    house.servers.append(server)
    kind, run = case.kind, Run(house, user, server, case)
    by_ip = case.host == "127.0.0.1"

    # Nobody knows the server yet.
    with run.fault():
        result = await run.signs_in()
        assert run.said(result) == ((kind.sign_in or kind.form) if by_ip else "")
    await house.settled()
    run.leaves(result)
    if result["type"] is FlowResultType.CREATE_ENTRY:
        await run.removes()
    with run.fault():
        result = await run.adds()
        assert run.said(result) == ("" if kind.aborts else kind.form)
    await house.settled()
    if kind.aborts:
        await run.removes()
        result = await run.adds()
    elif result["type"] is not FlowResultType.CREATE_ENTRY:
        # A token that was not refused need not be typed again.
        refused = (result["errors"] or {}).keys() == {CONF_TOKEN}
        again = run.form if refused else run.form | {CONF_TOKEN: ""}
        result = await submit(run.hass, result, **again)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"][CONF_TOKEN] == server.owner_token
    await house.settled()
    await run.polls()
    await run.act("run_task", task=OVER, timeout=0)
    await house.passes(60)
    run.backup = await run.last_backup()
    assert run.backup
    before = run.kept()

    # At once: the server has just answered.
    for command in COMMANDS:
        await run.begins_to_run()
        with run.fault():
            assert (command, await run.command(command)) == (command, kind.at_once(command))
        await house.passes(ONE_POLL, step=ONE_POLL)
        if kind.hides:
            # The list of preferences is read now and then only.
            await run.polls()
        assert run.unavailable() == set()
    await run.begins_to_run()
    await run.is_back(before)

    # For a while.
    await run.begins_to_run()
    caplog.clear()
    with run.fault():
        for _ in range(3):
            await run.polls()
        told = f"{kind.poll}_poll" if kind.poll and not kind.busy else ""
        assert await run.told() == told
        for command in COMMANDS:
            assert (command, await run.command(command)) == (command, kind.after_polls(command))
        assert run.issues() == ([kind.repair] if kind.repair else [])
        flows = [
            each["context"]["source"] for each in run.hass.config_entries.flow.async_progress()
        ]
        assert flows == ([SOURCE_REAUTH] if kind.asks_for_token else [])
        assert bool(run.unavailable()) == bool(told or kind.hides)
        assert len(ours(caplog)) == bool(told)
    await run.is_back(before)

    # The dialogue for a server that is known.
    for source in (SOURCE_RECONFIGURE, SOURCE_REAUTH):
        for way, key in ((run.types, kind.form), (run.signs_in, kind.sign_in or kind.form)):
            await run.begins_to_run()
            with run.fault():
                result = await way(await run.changes(source))
                assert (source, way, run.said(result)) == (source, way, key)
                run.leaves(result)
                await house.settled()
            await run.is_back(before)

    # Reloaded, and unloaded.
    await run.begins_to_run()
    with run.fault():
        await run.ends(run.hass.config_entries.async_reload(run.entry.entry_id))
        await house.settled()
        reason = f"{kind.poll}_poll" if kind.poll else None
        assert run.entry.error_reason_translation_key == reason
        state = ConfigEntryState.SETUP_RETRY if reason else ConfigEntryState.LOADED
        assert run.entry.state is state
    await run.is_back(before, step=5)
    with run.fault():
        await run.ends(run.hass.config_entries.async_unload(run.entry.entry_id))
        assert run.entry.state is ConfigEntryState.NOT_LOADED
        await house.settled()
        server.requests.clear()
        await house.passes(60, step=30)
        assert not server.requests
    await run.hass.config_entries.async_setup(run.entry.entry_id)
    await house.settled()
    await run.is_back(before)

    # What has ended is not shown to run for ever.
    server.butler.stop_all()
    await house.passes(360, step=30)
    assert run.shown_running() == []
    await run.hass.config_entries.async_unload(run.entry.entry_id)
    gc.collect()
    await house.settled()
    assert wrong(caplog) == []
    run.without_token(caplog.text)


@pytest.mark.parametrize(("step", "wrongs"), PLEX_TV_CASES, ids=str)
async def test_fault_of_plex_tv(
    house: House,
    user: User,
    server: SimulatedPlex,
    plex_tv: SimulatedPlexTv,
    step: str,
    wrongs: Mapping[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, OURS)
    plex_tv.add(server)
    house.servers.append(server)
    run = Run(house, user, server, CASES[0])

    # From the beginning.
    with met(user, plex_tv.faults, wrongs):
        result = await user.chooses(await user.begins(), "sign_in")
        if step:
            assert run.said(result) == step
    if step:
        result = await user.chooses(result, "sign_in")
    plex_tv.sign_in(plex_tv.codes[-1])
    assert run.said(await user.sees_it_go_on(result)) == ""
    await run.removes()

    # While the servers of the account are asked for.
    result = await user.opens_plex()
    plex_tv.sign_in(plex_tv.codes[-1])
    await user.waits()
    with met(user, plex_tv.faults, wrongs):
        result = await user.looks(result)
        assert run.said(result) == step
    if step:
        result = await user.signs_in(result)
    assert run.said(result) == ""
    await run.removes()
    gc.collect()
    assert wrong(caplog) == []
    for token in server.tokens | plex_tv.tokens:
        assert token not in caplog.text
