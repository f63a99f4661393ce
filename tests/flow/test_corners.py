"""Odd entries, odd names, more than one window, and a Home Assistant that Plex knows."""

import asyncio
from ipaddress import IPv4Address, IPv6Address
import logging
from typing import Any
from uuid import UUID

from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import instance_id
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    MockModule,
    mock_integration,
)
from yarl import URL

from custom_components.plex_butler.const import CONF_CLIENT_IDENTIFIER
from custom_components.plex_butler.flow.sign_in import start_sign_in
from custom_components.plex_butler.names import as_text, distinct
from custom_components.plex_butler.plex import host_of
from custom_components.plex_butler.plex.account.client import PlexAccount
from custom_components.plex_butler.plex.account.errors import PlexTvDownError
from tests.conftest import CLIENT_IDENTIFIER, House
from tests.flow.dialogue import begin, by_hand, submit, suggested, typed
from tests.flow.names import Names
from tests.flow.user import User, created, until, waiting
from tests.simulator import SimulatedPlex
from tests.simulator.gdm import SimulatedGdm, reply
from tests.simulator.plex_tv import SimulatedPlexTv


def labels(result: Any) -> list[str]:
    """Return the labels of a choice."""
    [selector] = result["data_schema"].schema.values()
    return [each["label"] for each in selector.config["options"]]


# --- the token


async def test_token_is_kept_while_the_address_is_mended(
    hass: HomeAssistant, server: SimulatedPlex
) -> None:
    form = {CONF_URL: "na s", CONF_VERIFY_SSL: True}
    result = await submit(hass, await begin(hass), **form, **{CONF_TOKEN: server.owner_token})
    assert result["errors"] == {CONF_URL: "invalid_address"}
    assert server.owner_token not in str(result)
    assert CONF_TOKEN not in suggested(result)
    form[CONF_URL] = "http://127.0.0.1:9"
    result = await submit(hass, result, **form)
    assert result["errors"] == {"base": "cannot_connect"}
    form[CONF_URL] = server.url
    result = await submit(hass, result, **form)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"][CONF_TOKEN] == server.owner_token


async def test_token_is_forgotten_once_it_is_refused(
    hass: HomeAssistant, server: SimulatedPlex
) -> None:
    result = await submit(hass, await begin(hass), **typed(server, **{CONF_TOKEN: "wrong"}))
    assert result["errors"] == {CONF_TOKEN: "unauthorized"}
    server.requests.clear()
    result = await submit(hass, result, **{CONF_URL: server.url, CONF_VERIFY_SSL: True})
    assert result["errors"] == {CONF_TOKEN: "unauthorized"}
    assert all("x-plex-token" not in request.headers for request in server.requests)


async def test_new_token_of_a_known_server_is_kept_over_an_error_elsewhere(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    server.tokens.add("second")
    async with SimulatedPlex(
        machine_identifier=server.machine_identifier, owner_token="second"
    ) as renewed:
        result = await by_hand(hass, await loaded.start_reconfigure_flow(hass))
        form = {CONF_URL: "na s", CONF_VERIFY_SSL: True}
        result = await submit(hass, result, **form, **{CONF_TOKEN: "second"})
        form[CONF_URL] = renewed.url
        result = await submit(hass, result, **form)
        assert result["reason"] == "reconfigure_successful"
        assert loaded.data[CONF_TOKEN] == "second"
        await house.settled()
        await hass.config_entries.async_unload(loaded.entry_id)


async def test_token_for_reauth_is_kept_over_a_dropped_connection(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    result = await by_hand(hass, await loaded.start_reauth_flow(hass))
    result = await submit(hass, result, **{CONF_TOKEN: "claim-0123"})
    assert result["errors"] == {CONF_TOKEN: "claim_code"}
    server.faults.empty_reply = True
    result = await submit(hass, result, **{CONF_TOKEN: server.owner_token})
    assert result["errors"] == {"base": "http_dropped"}
    server.faults.empty_reply = False
    result = await submit(hass, result)
    assert result["reason"] == "reauth_successful"
    assert loaded.data[CONF_TOKEN] == server.owner_token
    await house.settled()


@pytest.mark.parametrize(
    ("token", "error"),
    [
        ("claim-abcdefghijklmnopqrst", "claim_code"),
        (" 'Claim-abcdefghijklmnopqrst' ", "claim_code"),
        ("eyJhbGciOiJFZERTQSJ9.e30.c2ln", "short_lived_token"),
        ("X-Plex-Token: eyJhbGciOiJFZERTQSJ9.e30.c2ln", "short_lived_token"),
    ],
)
async def test_what_is_no_lasting_token_is_told_for_what_it_is(
    hass: HomeAssistant, server: SimulatedPlex, token: str, error: str
) -> None:
    form = typed(server, **{CONF_TOKEN: token, CONF_URL: "na s"})
    result = await submit(hass, await begin(hass), **form)
    assert result["errors"] == {CONF_TOKEN: error, CONF_URL: "invalid_address"}
    result = await submit(hass, result, **typed(server, **{CONF_TOKEN: token}))
    assert result["errors"] == {CONF_TOKEN: error}
    assert not server.requests


# --- names


def test_name_of_a_stranger_is_text() -> None:
    assert as_text("Bücherei 2") == "Bücherei 2"
    name = "[x](https://evil)\n# <img src=x>\u202e`*_a_*`&lt;"
    shown = as_text(name)
    assert shown == (r"\[x\]\(https\:\/\/evil\) \# \<img src\=x\>\`\*\_a\_\*\`\&lt\;")
    assert len(as_text("a" * 5000)) == 100


def test_labels_differ_as_early_as_they_can() -> None:
    options = {"1": ("a", "a (1)"), "2": ("b", "b (1)"), "3": ("a", "a (2)"), "4": ("a (2)", "x")}
    assert distinct(options) == {"1": "a (1)", "2": "b", "3": "a (2)", "4": "x"}
    assert distinct({"1": ("a",), "2": ("a",)}) == {"1": "a", "2": "a"}


def test_host_that_cannot_be_decoded() -> None:
    assert host_of(URL("http://xn--bcher-kva.example")) == "bücher.example"
    assert host_of(URL("http://xn--a:32400")) == "xn--a"


async def test_names_of_strangers_are_shown_as_text(
    hass: HomeAssistant, user: User, plex_tv: SimulatedPlexTv, server: SimulatedPlex
) -> None:
    plex_tv.add(server)
    async with SimulatedPlex(machine_identifier="c" * 40, friendly_name="[Win](x)") as other:
        plex_tv.add(other, owned=False)
    result = await user.signs_in()
    assert result["description_placeholders"] == {"shared": r"\[Win\]\(x\)", "known": "-"}
    await created(hass, await submit(hass, result, server=server.machine_identifier), server)


async def test_two_servers_of_one_name_are_told_apart_the_present_one_first(
    hass: HomeAssistant, user: User, plex_tv: SimulatedPlexTv, server: SimulatedPlex
) -> None:
    gone = "a" * 40
    lost = "b" * 40
    async with SimulatedPlex(machine_identifier=gone, friendly_name="Cellar") as old:
        plex_tv.add(old, presence=False)
    async with SimulatedPlex(machine_identifier=lost, friendly_name="Cellar") as older:
        plex_tv.add(older, presence=False, connections=[])
    plex_tv.add(server)
    result = await user.signs_in()
    assert labels(result) == [
        f"Cellar (127.0.0.1:{server.port})",
        f"Cellar (127.0.0.1:{old.port})",
        "Cellar (bbbbbbbb)",
    ]
    assert result["data_schema"]
    [field] = result["data_schema"].schema
    assert field.default() == server.machine_identifier
    await created(hass, await submit(hass, result, server=server.machine_identifier), server)


# --- the Plex integration


def plex_entry(hass: HomeAssistant, data: dict[str, Any]) -> MockConfigEntry:
    """Add an entry of the Plex integration."""
    mock_integration(hass, MockModule("plex"))
    entry = MockConfigEntry(domain="plex", title="Cellar", data=data)
    entry.add_to_hass(hass)
    return entry


@pytest.mark.parametrize("address", ["http://na s", "ftp://nas", "nas:99999"])
async def test_odd_address_of_the_plex_integration_can_be_mended(
    hass: HomeAssistant, user: User, server: SimulatedPlex, address: str
) -> None:
    config = {"url": address, "token": server.owner_token}
    other = plex_entry(hass, {"server_id": server.machine_identifier, "server_config": config})
    result = await user.chooses(await user.begins(), "plex")
    result = await submit(hass, result, server=other.entry_id)
    assert (result["step_id"], result["errors"]) == ("manual", {CONF_URL: "invalid_address"})
    assert suggested(result) == {CONF_URL: address, CONF_VERIFY_SSL: True}
    form = {CONF_URL: server.url, CONF_VERIFY_SSL: True}
    await created(hass, await submit(hass, result, **form), server)


@pytest.mark.parametrize(
    "data",
    [
        {"server_id": "a", "server_config": None},
        {"server_id": "a", "server_config": "http://nas"},
        {"server_id": "a", "server_config": {"url": 7}},
        {"server_id": "a", "server_config": {"url": ""}},
        {"server_config": {"url": "http://nas"}},
        {"server_id": 7, "server_config": {"url": "http://nas"}},
    ],
)
async def test_odd_entry_of_the_plex_integration_is_not_offered(
    hass: HomeAssistant, user: User, data: dict[str, Any]
) -> None:
    plex_entry(hass, data)
    assert "plex" not in (await user.begins())["menu_options"]


async def test_odd_fields_of_an_entry_of_the_plex_integration(
    hass: HomeAssistant, user: User, server: SimulatedPlex
) -> None:
    config = {"url": server.url, "token": 7, "verify_ssl": None}
    other = plex_entry(hass, {"server_id": server.machine_identifier, "server_config": config})
    result = await user.chooses(await user.begins(), "plex")
    result = await submit(hass, result, server=other.entry_id)
    assert result["errors"] == {CONF_TOKEN: "unauthorized"}
    assert suggested(result) == {CONF_URL: server.url, CONF_VERIFY_SSL: True}


async def test_two_entries_of_one_title_are_told_apart(hass: HomeAssistant, user: User) -> None:
    for number in (1, 2):
        url = f"http://10.0.0.{number}:32400?X-Plex-Token=secret"
        plex_entry(hass, {"server_id": str(number), "server_config": {"url": url}})
    result = await user.chooses(await user.begins(), "plex")
    assert labels(result) == [f"Cellar (http://10.0.0.{number}:32400)" for number in (1, 2)]


@pytest.mark.parametrize("address", ["xn--a", "http://xn--zz--9.local", "https://xn--a.example"])
async def test_name_that_cannot_be_decoded_is_an_error_like_any_other(
    hass: HomeAssistant, names: Names, server: SimulatedPlex, address: str
) -> None:
    result = await submit(hass, await begin(hass), **typed(server, **{CONF_URL: address}))
    assert result["errors"] == {"base": "cannot_connect"}
    result = await submit(hass, result, **typed(server))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


# --- the network


async def test_network_is_asked_on_the_adapters_that_are_enabled(
    hass: HomeAssistant, user: User, monkeypatch: pytest.MonkeyPatch, socket_enabled: None
) -> None:
    async def enabled(_: HomeAssistant) -> list[IPv4Address | IPv6Address]:
        return [IPv4Address("127.0.0.2"), IPv6Address("::1"), IPv4Address("127.0.0.3")]

    monkeypatch.setattr("homeassistant.components.network.async_get_enabled_source_ips", enabled)
    async with SimulatedGdm(reply("a"), reply("b", Port="32401")) as network:
        monkeypatch.setattr("custom_components.plex_butler.plex.gdm.GROUP", network.address)
        searching = asyncio.create_task(user.chooses(await user.begins(), "find"))
        await until(lambda: len(network.searchers) == 2)
        user.freezer.tick(2)
        result = await searching
        assert [host for host, _ in network.searchers] == ["127.0.0.2", "127.0.0.3"]
        assert labels(result) == ["Cellar (127.0.0.1:32400)", "Cellar (127.0.0.1:32401)"]


# --- the sign-in


@pytest.mark.parametrize("way", ["sign_in", "manual", "try_again"])
async def test_server_in_start_up_is_said_and_can_be_tried_again(
    hass: HomeAssistant, user: User, plex_tv: SimulatedPlexTv, server: SimulatedPlex, way: str
) -> None:
    plex_tv.add(server)
    server.faults.maintenance = True
    result = await user.signs_in()
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "starting_up")
    assert (await user.looks(result))["step_id"] == "starting_up"
    result = await user.chooses(result, "try_again")
    assert result["step_id"] == "starting_up"
    server.faults.maintenance = False
    if way == "sign_in":
        result = await user.signs_in(result)
    else:
        result = await user.chooses(result, way)
    if way == "manual":
        result = await submit(hass, result, **typed(server))
    await created(hass, result, server)
    assert len(plex_tv.codes) == (2 if way == "sign_in" else 1)


async def test_dialog_that_is_closed_at_the_moment_of_the_sign_in(
    hass: HomeAssistant,
    user: User,
    plex_tv: SimulatedPlexTv,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    result = await user.opens_plex()

    async def close(*_: Any) -> str:
        hass.loop.call_soon(hass.config_entries.flow.async_abort, result["flow_id"])
        return "token"

    monkeypatch.setattr(PlexAccount, "token", close)
    user.freezer.tick(3)
    await until(lambda: not waiting(hass))
    await hass.async_block_till_done()
    assert not hass.config_entries.flow.async_progress()
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize("step", ["plex_tv_down", "sign_in_refused"])
async def test_two_windows_fail_alike_and_both_lead_on(
    hass: HomeAssistant, user: User, plex_tv: SimulatedPlexTv, server: SimulatedPlex, step: str
) -> None:
    plex_tv.add(server)
    result = await user.opens_plex()
    plex_tv.sign_in(plex_tv.codes[-1])
    await user.waits()
    plex_tv.faults.bad_gateway = step == "plex_tv_down"
    if step == "sign_in_refused":
        plex_tv.revoke()
    windows = await asyncio.gather(*(user.looks(result) for _ in range(2)))
    assert [window["step_id"] for window in windows] == [step] * 2
    plex_tv.faults.bad_gateway = False
    assert len(plex_tv.codes) == 1
    await created(hass, await user.signs_in(windows[1]), server)


async def test_two_windows_show_the_same_choice(
    hass: HomeAssistant, user: User, plex_tv: SimulatedPlexTv, server: SimulatedPlex
) -> None:
    async with SimulatedPlex(machine_identifier="a" * 40, friendly_name="Attic") as attic:
        plex_tv.add(server)
        plex_tv.add(attic)
        result = await user.opens_plex()
        plex_tv.sign_in(plex_tv.codes[-1])
        await user.waits()
        asked = len(plex_tv.requests)
        windows = await asyncio.gather(*(user.looks(result) for _ in range(2)))
        assert [labels(window) for window in windows] == [["Cellar", "Attic"]] * 2
        assert len(plex_tv.requests) == asked + 1
        result = await submit(hass, windows[0], server=server.machine_identifier)
        await created(hass, result, server)


# --- who asks


async def test_plex_knows_one_device_for_each_home_assistant(
    hass: HomeAssistant, user: User, plex_tv: SimulatedPlexTv, server: SimulatedPlex
) -> None:
    pages = [await user.opens_plex(), await user.opens_plex()]
    clients = {URL(f"http://plex/{URL(page['url']).fragment}").query["clientID"] for page in pages}
    [client] = clients
    assert client != await instance_id.async_get(hass)
    assert UUID(client).hex != await instance_id.async_get(hass)
    asked = {request.headers["x-plex-client-identifier"] for request in plex_tv.requests}
    assert asked == {client}


async def test_entry_keeps_its_client_identifier(
    hass: HomeAssistant,
    user: User,
    house: House,
    plex_tv: SimulatedPlexTv,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
) -> None:
    plex_tv.add(server)
    await user.signs_in(await loaded.start_reconfigure_flow(hass))
    asked = {request.headers["x-plex-client-identifier"] for request in plex_tv.requests}
    assert asked == {CLIENT_IDENTIFIER} == {loaded.data[CONF_CLIENT_IDENTIFIER]}
    await house.settled()


async def test_two_dialogs_at_once_may_sign_in(
    hass: HomeAssistant, user: User, plex_tv: SimulatedPlexTv, server: SimulatedPlex
) -> None:
    plex_tv.add(server)
    first, second = await user.opens_plex(), await user.opens_plex()
    plex_tv.sign_in(plex_tv.codes[-1])
    await user.waits()
    assert waiting(hass)
    await created(hass, await user.looks(second), server)
    hass.config_entries.flow.async_abort(first["flow_id"])
    assert not hass.config_entries.flow.async_progress()


async def test_second_try_that_fails_leaves_the_first_sign_in_alone(
    hass: HomeAssistant,
    user: User,
    plex_tv: SimulatedPlexTv,
    server: SimulatedPlex,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plex_tv.add(server)
    begun: list[bool] = []

    async def second_fails(*args: Any) -> Any:
        begun.append(True)
        if len(begun) == 1:
            return await start_sign_in(*args)
        await until(lambda: waiting(hass))
        raise PlexTvDownError("down")

    monkeypatch.setattr("custom_components.plex_butler.config_flow.start_sign_in", second_fails)
    result = await user.begins()
    pages = await asyncio.gather(*(user.chooses(result, "sign_in") for _ in range(2)))
    assert pages[0]["url"] == pages[1]["url"]
    plex_tv.sign_in(plex_tv.codes[-1])
    await created(hass, await user.sees_it_go_on(result), server)


async def test_odd_token_of_the_plex_integration_is_not_sent(
    hass: HomeAssistant, user: User, server: SimulatedPlex
) -> None:
    config = {"url": server.url, "token": "two words"}
    other = plex_entry(hass, {"server_id": server.machine_identifier, "server_config": config})
    result = await user.chooses(await user.begins(), "plex")
    result = await submit(hass, result, server=other.entry_id)
    assert result["errors"] == {CONF_TOKEN: "invalid_token"}
    assert not server.requests
    await created(hass, await submit(hass, result, **typed(server)), server)
