"""Servers that the Plex integration knows, and servers that answer on the network."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    MockModule,
    mock_integration,
)
from yarl import URL

from custom_components.plex_butler.const import DOMAIN
from tests.certificates import UNKNOWN_TLS
from tests.conftest import House, entry_for
from tests.flow.dialogue import submit, suggested, typed
from tests.flow.names import Names
from tests.flow.user import User, created, until
from tests.simulator import SimulatedPlex
from tests.simulator.gdm import SimulatedGdm, reply
from tests.simulator.plex_tv import SimulatedPlexTv


@pytest.fixture(autouse=True)
def _plex_integration(hass: HomeAssistant) -> None:
    """Home Assistant's own Plex integration, which does nothing."""
    mock_integration(hass, MockModule("plex"))


@pytest.fixture
async def network(
    monkeypatch: pytest.MonkeyPatch, socket_enabled: None
) -> AsyncGenerator[SimulatedGdm]:
    """A network on which no server answers yet."""
    async with SimulatedGdm() as simulated:
        monkeypatch.setattr("custom_components.plex_butler.plex.gdm.GROUP", simulated.address)
        yield simulated


def answer_of(server: SimulatedPlex, **fields: str) -> bytes:
    """Return what a server answers to a search."""
    told = {"Name": server.friendly_name, "Port": str(server.port)} | fields
    return reply(server.machine_identifier, **told)


async def search(user: User, network: SimulatedGdm, result: ConfigFlowResult) -> ConfigFlowResult:
    """Search the network for as long as the flow does."""
    asked = len(network.searchers)
    searching = asyncio.create_task(user.chooses(result, "find"))
    await until(lambda: len(network.searchers) > asked or searching.done())
    user.freezer.tick(timedelta(seconds=2))
    return await searching


def plex_entry(server: SimulatedPlex, **config: Any) -> MockConfigEntry:
    """Return the entry of Home Assistant's own Plex integration for a server."""
    return MockConfigEntry(
        domain="plex",
        title=server.friendly_name,
        data={
            "server": server.friendly_name,
            "server_id": server.machine_identifier,
            "server_config": {
                "url": server.url,
                "token": server.owner_token,
                "verify_ssl": True,
            }
            | config,
        },
    )


def offered(result: ConfigFlowResult) -> list[tuple[str, str]]:
    """Return the values and labels of a choice."""
    assert result["data_schema"]
    [selector] = result["data_schema"].schema.values()
    return [(each["value"], each["label"]) for each in selector.config["options"]]


# --- from the Plex integration


@pytest.mark.parametrize("verify_ssl", [True, False])
async def test_server_of_the_plex_integration_is_taken_over(
    hass: HomeAssistant, user: User, server: SimulatedPlex, verify_ssl: bool
) -> None:
    other = plex_entry(server, verify_ssl=verify_ssl)
    other.add_to_hass(hass)
    before = dict(other.data)
    result = await user.begins()
    assert result["menu_options"] == ["sign_in", "plex", "find", "manual"]
    result = await user.chooses(result, "plex")
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "plex")
    assert offered(result) == [(other.entry_id, "Cellar")]
    assert server.owner_token not in str(result)
    assert not server.requests
    result = await submit(hass, result, server=other.entry_id)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"][CONF_VERIFY_SSL] is verify_ssl
    assert dict(other.data) == before
    await created(hass, result, server)


async def test_taken_over_server_goes_on_without_the_plex_integration(
    hass: HomeAssistant, user: User, house: House, server: SimulatedPlex
) -> None:
    other = plex_entry(server)
    other.add_to_hass(hass)
    result = await user.chooses(await user.begins(), "plex")
    result = await submit(hass, result, server=other.entry_id)
    entry = result["result"]
    await hass.async_block_till_done()
    await hass.config_entries.async_remove(other.entry_id)
    house.servers.append(server)
    assert await hass.config_entries.async_reload(entry.entry_id)
    await house.settled()
    await house.passes(10)
    assert entry.state is ConfigEntryState.LOADED
    assert house.state(server, "binary_sensor", "maintenance").state == "off"


async def test_only_what_can_be_taken_over_is_offered(
    hass: HomeAssistant, user: User, server: SimulatedPlex
) -> None:
    known = SimulatedPlex(machine_identifier="a" * 40, friendly_name="Known")
    entry_for_known = MockConfigEntry(domain=DOMAIN, unique_id=known.machine_identifier)
    entry_for_known.add_to_hass(hass)
    MockConfigEntry(
        domain="plex",
        title="Known",
        data={
            "server_id": known.machine_identifier,
            "server_config": {"url": "http://127.0.0.1:9", "token": "t"},
        },
    ).add_to_hass(hass)
    MockConfigEntry(domain="plex", data={}).add_to_hass(hass)
    MockConfigEntry(
        domain="plex", data={"server_id": "b" * 40, "server_config": {"token": "t"}}
    ).add_to_hass(hass)
    result = await user.begins()
    assert "plex" not in result["menu_options"]
    usable = plex_entry(server)
    usable.add_to_hass(hass)
    result = await user.chooses(await user.begins(), "plex")
    assert offered(result) == [(usable.entry_id, "Cellar")]
    result = await submit(hass, result, server=usable.entry_id)
    await created(hass, result, server)


async def test_token_of_the_plex_integration_that_is_wrong_can_be_mended(
    hass: HomeAssistant, user: User, server: SimulatedPlex
) -> None:
    other = plex_entry(server, token="revoked", verify_ssl=False)
    other.add_to_hass(hass)
    result = await user.chooses(await user.begins(), "plex")
    result = await submit(hass, result, server=other.entry_id)
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "manual")
    assert result["errors"] == {CONF_TOKEN: "unauthorized"}
    assert suggested(result) == {CONF_URL: server.url, CONF_VERIFY_SSL: False}
    assert "revoked" not in str(result)
    await created(hass, await submit(hass, result, **typed(server)), server)


@pytest.mark.parametrize("token", [{}, {"token": None}])
async def test_unclaimed_server_of_the_plex_integration_has_no_token(
    hass: HomeAssistant, user: User, socket_enabled: None, token: dict[str, None]
) -> None:
    async with SimulatedPlex(claimed=False) as server:
        other = plex_entry(server)
        other.add_to_hass(hass)
        config = {"url": server.url} | token
        hass.config_entries.async_update_entry(other, data={**other.data, "server_config": config})
        result = await user.chooses(await user.begins(), "plex")
        result = await submit(hass, result, server=other.entry_id)
        assert result["type"] is FlowResultType.CREATE_ENTRY
        assert result["data"][CONF_TOKEN] == ""
        await hass.async_block_till_done()
        await hass.config_entries.async_unload(result["result"].entry_id)


async def test_other_server_at_the_address_of_the_plex_integration_gets_no_token(
    hass: HomeAssistant, user: User, server: SimulatedPlex
) -> None:
    other = plex_entry(server)
    other.add_to_hass(hass)
    server.faults.other_machine_identifier = True
    result = await user.chooses(await user.begins(), "plex")
    result = await submit(hass, result, server=other.entry_id)
    assert result["errors"] == {"base": "other_server"}
    assert not user.tokens_sent(server)
    server.faults.other_machine_identifier = False
    await created(hass, await submit(hass, result, **typed(server)), server)


async def test_entry_of_the_plex_integration_that_is_removed_meanwhile(
    hass: HomeAssistant, user: User, server: SimulatedPlex
) -> None:
    other = plex_entry(server)
    other.add_to_hass(hass)
    result = await user.chooses(await user.begins(), "plex")
    await hass.config_entries.async_remove(other.entry_id)
    result = await submit(hass, result, server=other.entry_id)
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "user")
    assert "plex" not in result["menu_options"]
    result = await user.chooses(result, "manual")
    await created(hass, await submit(hass, result, **typed(server)), server)


async def test_server_that_is_added_meanwhile_is_added_once(
    hass: HomeAssistant, user: User, house: House, server: SimulatedPlex
) -> None:
    other = plex_entry(server)
    other.add_to_hass(hass)
    result = await user.chooses(await user.begins(), "plex")
    await house.set_up(entry_for(server), server)
    result = await submit(hass, result, server=other.entry_id)
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "user")
    assert len(hass.config_entries.async_entries(DOMAIN)) == 1


# --- on the network


async def test_found_server_is_added_with_its_token(
    hass: HomeAssistant, user: User, network: SimulatedGdm, server: SimulatedPlex
) -> None:
    network.replies = [answer_of(server), reply("a" * 40, Name="", Port="32401")]
    result = await search(user, network, await user.begins())
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "find")
    assert offered(result) == [
        (server.machine_identifier, "Cellar (127.0.0.1)"),
        ("a" * 40, "? (127.0.0.1)"),
    ]
    result = await submit(hass, result, server=server.machine_identifier)
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "found")
    assert result["menu_options"] == ["sign_in", "manual"]
    assert result["description_placeholders"] == {"address": server.url}
    assert not server.requests
    result = await user.chooses(result, "manual")
    assert suggested(result) == {CONF_URL: server.url, CONF_VERIFY_SSL: True}
    await created(hass, await submit(hass, result, **typed(server)), server)
    assert len(network.searchers) == 1


async def test_found_server_is_taken_from_the_account_without_a_choice(
    hass: HomeAssistant,
    user: User,
    network: SimulatedGdm,
    plex_tv: SimulatedPlexTv,
    server: SimulatedPlex,
) -> None:
    async with SimulatedPlex(machine_identifier="a" * 40, friendly_name="Attic") as attic:
        plex_tv.add(attic)
        plex_tv.add(server)
        network.replies = [answer_of(server)]
        result = await search(user, network, await user.begins())
        result = await submit(hass, result, server=server.machine_identifier)
        await created(hass, await user.signs_in(result), server)
        assert not attic.requests


async def test_found_server_that_is_not_in_the_account(
    hass: HomeAssistant,
    user: User,
    network: SimulatedGdm,
    plex_tv: SimulatedPlexTv,
    server: SimulatedPlex,
) -> None:
    async with SimulatedPlex(machine_identifier="a" * 40, friendly_name="Attic") as attic:
        plex_tv.add(attic)
        network.replies = [answer_of(server)]
        result = await search(user, network, await user.begins())
        result = await submit(hass, result, server=server.machine_identifier)
        result = await user.signs_in(result)
        assert result["step_id"] == "no_server"
        result = await user.chooses(result, "manual")
        assert suggested(result)[CONF_URL] == server.url
        await created(hass, await submit(hass, result, **typed(server)), server)


async def test_nothing_found_is_said_and_can_be_tried_again(
    hass: HomeAssistant, user: User, network: SimulatedGdm, server: SimulatedPlex
) -> None:
    result = await search(user, network, await user.begins())
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "nothing_found")
    assert result["menu_options"] == ["find", "sign_in", "manual"]
    assert (await user.looks(result))["step_id"] == "nothing_found"
    assert len(network.searchers) == 1
    network.replies = [answer_of(server)]
    result = await search(user, network, result)
    result = await submit(hass, result, server=server.machine_identifier)
    assert (await user.looks(result))["step_id"] == "found"
    result = await user.chooses(result, "manual")
    await created(hass, await submit(hass, result, **typed(server)), server)


@pytest.mark.parametrize("way", ["sign_in", "manual"])
async def test_nothing_found_leads_on_the_other_ways(
    hass: HomeAssistant,
    user: User,
    network: SimulatedGdm,
    plex_tv: SimulatedPlexTv,
    server: SimulatedPlex,
    way: str,
) -> None:
    plex_tv.add(server)
    result = await search(user, network, await user.begins())
    if way == "sign_in":
        result = await user.signs_in(result)
    else:
        result = await submit(hass, await user.chooses(result, "manual"), **typed(server))
    await created(hass, result, server)


async def test_what_the_network_says_never_changes_a_known_server(
    hass: HomeAssistant,
    user: User,
    house: House,
    network: SimulatedGdm,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
) -> None:
    before = dict(loaded.data)
    async with SimulatedPlex(machine_identifier=server.machine_identifier) as impostor:
        network.replies = [answer_of(impostor)]
        result = await search(user, network, await user.begins())
        assert result["step_id"] == "nothing_found"
        await house.passes(60)
        assert not impostor.requests
        # Not even if its address is typed.
        result = await user.chooses(result, "manual")
        result = await submit(hass, result, **typed(server, **{CONF_URL: impostor.url}))
        assert result["reason"] == "already_configured"
        assert not user.tokens_sent(impostor)
    assert dict(loaded.data) == before
    assert hass.config_entries.async_entries(DOMAIN) == [loaded]


async def test_network_is_asked_by_the_flow_only(
    hass: HomeAssistant, house: House, network: SimulatedGdm, loaded: MockConfigEntry
) -> None:
    await house.passes(600, step=60)
    assert not network.received


async def test_server_that_moved_is_found_on_the_network_and_the_user_confirms(
    hass: HomeAssistant,
    user: User,
    house: House,
    network: SimulatedGdm,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
) -> None:
    before = dict(loaded.data)
    entities = set(er.async_get(hass).entities)
    await server.stop_listening()
    async with SimulatedPlex(
        machine_identifier=server.machine_identifier, owner_token=server.owner_token
    ) as moved:
        network.replies = [reply("a" * 40), answer_of(moved)]
        result = await search(user, network, await loaded.start_reconfigure_flow(hass))
        assert offered(result) == [(server.machine_identifier, "Cellar (127.0.0.1)")]
        result = await submit(hass, result, server=server.machine_identifier)
        assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "moved")
        assert result["description_placeholders"]
        assert result["description_placeholders"]["address"] == moved.url
        assert not moved.requests
        assert dict(loaded.data) == before
        result = await submit(hass, result)
        assert result["reason"] == "reconfigure_successful"
        house.servers[:] = [moved]
        await house.settled()
        assert loaded.state is ConfigEntryState.LOADED
        assert hass.config_entries.async_entries(DOMAIN) == [loaded]
        assert loaded.unique_id == server.machine_identifier
        assert URL(loaded.data[CONF_URL]) == URL(moved.url)
        assert dict(loaded.data) == before | {CONF_URL: loaded.data[CONF_URL]}
        assert set(er.async_get(hass).entities) == entities
        await hass.config_entries.async_unload(loaded.entry_id)


async def test_server_that_has_not_moved_is_found_where_it_was(
    hass: HomeAssistant,
    user: User,
    house: House,
    network: SimulatedGdm,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
) -> None:
    before = dict(loaded.data)
    network.replies = [answer_of(server)]
    result = await search(user, network, await loaded.start_reconfigure_flow(hass))
    result = await submit(hass, result, server=server.machine_identifier)
    assert result["reason"] == "reconfigure_successful"
    await house.settled()
    assert dict(loaded.data) == before


async def test_known_server_that_does_not_answer_can_be_changed_by_hand(
    hass: HomeAssistant,
    user: User,
    house: House,
    network: SimulatedGdm,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
) -> None:
    network.replies = [reply("a" * 40)]
    result = await search(user, network, await loaded.start_reconfigure_flow(hass))
    assert result["step_id"] == "nothing_found"
    assert result["menu_options"] == ["find", "sign_in", "change"]
    result = await user.chooses(result, "change")
    result = await submit(hass, result, **{CONF_URL: server.url, CONF_VERIFY_SSL: True})
    assert result["reason"] == "reconfigure_successful"
    await house.settled()
    assert dict(loaded.data) == dict(entry_for(server).data)


async def test_impostor_that_is_confirmed_and_then_shows_another_identity(
    hass: HomeAssistant,
    user: User,
    house: House,
    network: SimulatedGdm,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
) -> None:
    before = dict(loaded.data)
    async with SimulatedPlex(machine_identifier="f" * 40) as impostor:
        network.replies = [reply(server.machine_identifier, Port=str(impostor.port))]
        result = await search(user, network, await loaded.start_reconfigure_flow(hass))
        result = await submit(hass, result, server=server.machine_identifier)
        result = await submit(hass, result)
        assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "other_server")
        assert not user.tokens_sent(impostor)
    assert dict(loaded.data) == before


async def test_error_after_a_move_is_confirmed_can_be_mended(
    hass: HomeAssistant,
    user: User,
    house: House,
    network: SimulatedGdm,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
) -> None:
    async with SimulatedPlex(machine_identifier=server.machine_identifier) as moved:
        network.replies = [answer_of(moved)]
        result = await search(user, network, await loaded.start_reconfigure_flow(hass))
        result = await submit(hass, result, server=server.machine_identifier)
        result = await submit(hass, result)
        assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "change")
        assert result["errors"] == {CONF_TOKEN: "unauthorized"}
        assert suggested(result)[CONF_URL] == moved.url
        result = await submit(hass, result, **typed(moved))
        assert result["reason"] == "reconfigure_successful"
        house.servers[:] = [moved]
        await house.settled()
        assert loaded.data[CONF_TOKEN] == moved.owner_token
        await hass.config_entries.async_unload(loaded.entry_id)


async def test_found_server_whose_certificate_nobody_vouches_for(
    hass: HomeAssistant, user: User, network: SimulatedGdm, names: Names
) -> None:
    async with SimulatedPlex(tls=UNKNOWN_TLS, secure_connections_required=True) as server:
        network.replies = [answer_of(server)]
        result = await search(user, network, await user.begins())
        result = await submit(hass, result, server=server.machine_identifier)
        result = await user.chooses(result, "manual")
        result = await submit(hass, result, **typed(server))
        assert result["errors"] == {"base": "https_untrusted"}
        result = await submit(hass, result, **typed(server, **{CONF_VERIFY_SSL: False}))
        assert result["step_id"] == "https"
        result = await submit(hass, result)
        assert result["type"] is FlowResultType.CREATE_ENTRY
        await hass.async_block_till_done()
        await hass.config_entries.async_unload(result["result"].entry_id)


async def test_token_that_was_taken_over_is_kept_when_only_the_address_is_mended(
    hass: HomeAssistant, user: User, server: SimulatedPlex
) -> None:
    other = plex_entry(server)
    other.add_to_hass(hass)
    server.faults.maintenance = True
    result = await submit(
        hass, await user.chooses(await user.begins(), "plex"), server=other.entry_id
    )
    assert (result["step_id"], result["errors"]) == ("manual", {"base": "starting_up"})
    assert server.owner_token not in str(result)
    server.faults.maintenance = False
    # Not even then does it go to another server.
    server.faults.other_machine_identifier = True
    form = {CONF_URL: server.url, CONF_VERIFY_SSL: False}
    result = await submit(hass, result, **form)
    assert result["errors"] == {"base": "other_server"}
    assert all("x-plex-token" not in request.headers for request in server.requests)
    server.faults.other_machine_identifier = False
    result = await submit(hass, result, **form)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"][CONF_TOKEN] == server.owner_token
    assert result["data"][CONF_VERIFY_SSL] is False
