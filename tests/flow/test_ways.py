"""What must not get lost or go astray on the ways through the config flow and into the set-up."""

import asyncio
from collections.abc import AsyncGenerator
import json
from typing import Any

from aiohttp import ThreadedResolver
from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import SOURCE_USER, ConfigEntryState, ConfigFlowResult
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, UnknownFlow
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    MockModule,
    mock_integration,
)
import trustme
from yarl import URL

from custom_components.plex_butler.const import DOMAIN
from tests.certificates import certificate
from tests.conftest import House, entry_for
from tests.flow.dialogue import submit
from tests.plex.scripted_server import MACHINE_IDENTIFIER, http, scripted_server
from tests.simulator import SimulatedPlex
from tests.simulator.gdm import SimulatedGdm, reply
from tests.simulator.plex_tv import SimulatedPlexTv
from tests.simulator.plex_tv_faults import PlexTvFaults

# Made here: no certificate can be made while the clock is frozen.
SELF_SIGNED = certificate(trustme.CA(), "127.0.0.1")


class SystemResolver(ThreadedResolver):
    """Knows the name of this machine, in place of the harness's resolver, which knows none."""

    real_close = ThreadedResolver.close


async def reload(hass: HomeAssistant, result: ConfigFlowResult) -> ConfigFlowResult:
    """Load the dialog again, as a browser does whose page is reloaded."""
    return await hass.config_entries.flow.async_configure(result["flow_id"])


async def open_menu(hass: HomeAssistant) -> ConfigFlowResult:
    """Open the dialog of *Add integration*."""
    return await hass.config_entries.flow.async_init(DOMAIN, context={"source": SOURCE_USER})


async def take_over(
    hass: HomeAssistant, server: SimulatedPlex, **config: Any
) -> tuple[ConfigFlowResult, str]:
    """Choose a server that the Plex integration knows; return what is shown, and its token."""
    token = "taken-over"
    mock_integration(hass, MockModule("plex"))
    config = {"url": server.url, "token": token} | config
    other = MockConfigEntry(
        domain="plex", data={"server_id": server.machine_identifier, "server_config": config}
    )
    other.add_to_hass(hass)
    result = await submit(hass, await open_menu(hass), next_step_id="plex")
    return await submit(hass, result, server=other.entry_id), token


def tokens_sent(server: SimulatedPlex) -> set[str]:
    """Return the tokens that a server was sent."""
    return {r.headers["x-plex-token"] for r in server.requests if "x-plex-token" in r.headers}


def suggested_address(result: ConfigFlowResult) -> str:
    """Return the address that the form is filled with."""
    assert result["data_schema"]
    [field] = [key for key in result["data_schema"].schema if key == CONF_URL]
    return str(field.description["suggested_value"])


# --- by hand


async def test_manual_form_that_is_opened_anew_forgets_the_server_chosen_before(
    hass: HomeAssistant, server: SimulatedPlex
) -> None:
    server.faults.maintenance = True
    result, _ = await take_over(hass, server)
    assert (result["step_id"], result["errors"]) == ("manual", {"base": "starting_up"})
    result = await reload(hass, result)
    assert (result["step_id"], result["errors"]) == ("manual", {})
    async with SimulatedPlex(machine_identifier="a" * 40) as another:
        form = {CONF_URL: another.url, CONF_VERIFY_SSL: True}
        result = await submit(hass, result, **form)
        assert result["errors"] == {CONF_TOKEN: "unauthorized"}
        assert not tokens_sent(another)
        result = await submit(hass, result, **form, **{CONF_TOKEN: another.owner_token})
        assert result["type"] is FlowResultType.CREATE_ENTRY
        assert result["result"].unique_id == another.machine_identifier
        assert tokens_sent(another) == {another.owner_token}
        await hass.async_block_till_done()
        await hass.config_entries.async_unload(result["result"].entry_id)


async def test_address_that_is_to_be_corrected_is_the_one_that_was_taken_over(
    hass: HomeAssistant, server: SimulatedPlex
) -> None:
    server.faults.empty_reply = True
    result, token = await take_over(hass, server, token=server.owner_token)
    assert (result["step_id"], result["errors"]) == ("manual", {"base": "http_dropped"})
    assert suggested_address(result) == server.url
    server.faults.empty_reply = False
    form = {CONF_URL: suggested_address(result), CONF_VERIFY_SSL: True}
    result = await submit(hass, result, **form)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"][CONF_URL] == server.url
    assert token not in tokens_sent(server)
    await hass.async_block_till_done()


# --- the network


@pytest.mark.parametrize("moved", [True, False])
async def test_secure_connection_stays_secure_when_the_server_is_found_again(
    hass: HomeAssistant,
    house: House,
    freezer: FrozenDateTimeFactory,
    monkeypatch: pytest.MonkeyPatch,
    socket_enabled: None,
    moved: bool,
) -> None:
    async with (
        SimulatedPlex(tls=SELF_SIGNED) as server,
        SimulatedPlex(tls=SELF_SIGNED, owner_token=server.owner_token) as second,
        SimulatedGdm() as network,
    ):
        monkeypatch.setattr("custom_components.plex_butler.plex.gdm.GROUP", network.address)
        address = f"https://127.0.0.1:{server.port}"
        entry = entry_for(server, **{CONF_URL: address, CONF_VERIFY_SSL: False})
        await house.set_up(entry, server)
        found = second if moved else server
        network.replies = [reply(server.machine_identifier, Port=str(found.port))]
        result = await entry.start_reconfigure_flow(hass)
        searching = asyncio.create_task(submit(hass, result, next_step_id="find"))
        while not network.searchers:
            await asyncio.sleep(0)
        await house.sent()
        freezer.tick(2)
        result = await submit(hass, await searching, server=server.machine_identifier)
        secure = f"https://127.0.0.1:{found.port}"
        if moved:
            assert result["step_id"] == "moved"
            assert result["description_placeholders"]
            assert result["description_placeholders"]["address"] == secure
            result = await submit(hass, result)
        assert result["reason"] == "reconfigure_successful"
        assert entry.data[CONF_URL] == secure
        assert entry.data[CONF_VERIFY_SSL] is False
        house.servers[:] = [found]
        await house.settled()
        assert entry.state is ConfigEntryState.LOADED
        await hass.config_entries.async_unload(entry.entry_id)


# --- the sign-in


@pytest.fixture
async def slow_plex_tv(
    monkeypatch: pytest.MonkeyPatch, socket_enabled: None
) -> AsyncGenerator[SimulatedPlexTv]:
    """A plex.tv that takes a moment for each answer."""
    async with SimulatedPlexTv(faults=PlexTvFaults(slow=0.05)) as simulated:
        monkeypatch.setattr(
            "custom_components.plex_butler.plex.account.client.PLEX_TV", URL(simulated.url)
        )
        yield simulated


async def waiting(hass: HomeAssistant) -> int:
    """Return how many sign-ins wait for the user."""
    await asyncio.sleep(0)
    return sum(not task.done() for task in hass._background_tasks)


async def test_dialog_that_is_closed_while_plex_is_asked_for_the_page_waits_for_nobody(
    hass: HomeAssistant, slow_plex_tv: SimulatedPlexTv
) -> None:
    result = await open_menu(hass)
    opening = asyncio.create_task(submit(hass, result, next_step_id="sign_in"))
    while not slow_plex_tv.requests:
        await asyncio.sleep(0)
    hass.config_entries.flow.async_abort(result["flow_id"])
    with pytest.raises(UnknownFlow):
        await opening
    assert len(slow_plex_tv.codes) == 1
    assert await waiting(hass) == 0


async def test_sign_in_that_is_chosen_twice_waits_once(
    hass: HomeAssistant, slow_plex_tv: SimulatedPlexTv
) -> None:
    result = await open_menu(hass)
    pages = await asyncio.gather(*(submit(hass, result, next_step_id="sign_in") for _ in range(2)))
    assert len({page["url"] for page in pages}) == len(slow_plex_tv.codes) == 2
    assert await waiting(hass) == 1
    hass.config_entries.flow.async_abort(result["flow_id"])
    assert await waiting(hass) == 0


# --- cookies and certificates


async def test_cookie_of_a_server_is_not_sent_back(
    hass: HomeAssistant, monkeypatch: pytest.MonkeyPatch, socket_enabled: None
) -> None:
    resolver = "homeassistant.helpers.aiohttp_client._async_make_resolver"
    monkeypatch.setattr(resolver, lambda _: SystemResolver())
    async with scripted_server() as server:
        for path, answer in {
            "/identity": {"MediaContainer": {"machineIdentifier": MACHINE_IDENTIFIER}},
            "/": {"MediaContainer": {"friendlyName": "Cellar", "version": "1.43.0"}},
            "/butler": {"ButlerTasks": {"ButlerTask": [{"name": "BackupDatabase"}]}},
            "/activities": {"MediaContainer": {"size": 0}},
        }.items():
            body = json.dumps(answer).encode()
            server.answers[f"GET {path}"] = [http(200, body, Set_Cookie="session=1; Path=/")]
        result = await submit(hass, await open_menu(hass), next_step_id="manual")
        # By name: aiohttp takes no cookies from a server that is an IP address.
        address = f"http://localhost:{server.url.port}"
        result = await submit(hass, result, **{CONF_URL: address, CONF_VERIFY_SSL: True})
        assert result["type"] is FlowResultType.CREATE_ENTRY
        await hass.async_block_till_done()
        assert result["result"].state is ConfigEntryState.LOADED
        in_the_flow = ["GET /identity", "GET /", "GET /butler"]
        assert server.asked[:3] == in_the_flow
        assert {*server.asked[3:]} >= {*in_the_flow, "GET /activities"}
        assert all("cookie" not in request.headers for request in server.requests)
        await hass.config_entries.async_unload(result["result"].entry_id)


@pytest.mark.parametrize(
    ("verify_ssl", "state"),
    [(False, ConfigEntryState.LOADED), (True, ConfigEntryState.SETUP_RETRY)],
)
async def test_certificate_is_verified_at_set_up_if_the_entry_says_so(
    hass: HomeAssistant,
    house: House,
    socket_enabled: None,
    verify_ssl: bool,
    state: ConfigEntryState,
) -> None:
    async with SimulatedPlex(tls=SELF_SIGNED) as server:
        data = {CONF_URL: f"https://127.0.0.1:{server.port}", CONF_VERIFY_SSL: verify_ssl}
        entry = await house.set_up(entry_for(server, **data), server, state)
        assert bool(tokens_sent(server)) is not verify_ssl
        await hass.config_entries.async_unload(entry.entry_id)
