"""Signing in with Plex, as the frontend drives it, against a plex.tv on a real socket."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
import gc
import json
import logging
import re
from typing import Any

from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType, UnknownFlow
from homeassistant.helpers import entity_registry as er
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    flush_store,
)
from yarl import URL

from custom_components.plex_butler.const import CONF_CLIENT_IDENTIFIER, DOMAIN
from custom_components.plex_butler.diagnostics import async_get_config_entry_diagnostics
from tests.certificates import HASH, PLEX_TLS, UNKNOWN_TLS
from tests.conftest import House, entry_for
from tests.flow.dialogue import submit, suggested, typed
from tests.flow.names import Names
from tests.flow.user import User, created, until, waiting
from tests.repository import load
from tests.simulator import SimulatedPlex
from tests.simulator.plex_tv import SimulatedPlexTv
from tests.simulator.plex_tv_rows import connection, plex_direct

# --- from the menu to an entry


async def test_menu_offers_three_ways_where_there_is_no_plex_integration(user: User) -> None:
    result = await user.begins()
    assert result["menu_options"] == ["sign_in", "find", "manual"]


async def test_page_of_plex_is_opened_and_the_flow_goes_on_by_itself(
    hass: HomeAssistant, user: User, plex_tv: SimulatedPlexTv, server: SimulatedPlex
) -> None:
    plex_tv.add(server)
    result = await user.opens_plex()
    [code] = plex_tv.codes
    page = URL(result["url"])
    assert str(page).startswith("https://app.plex.tv/auth#?")
    [pin] = plex_tv.requests
    query = URL(f"http://plex/{page.fragment}").query
    assert query["code"] == code
    assert query["clientID"] == pin.headers["x-plex-client-identifier"]
    await user.waits()
    await user.waits()
    assert waiting(hass)
    [flow] = hass.config_entries.flow.async_progress()
    assert flow["step_id"] == "sign_in"

    account_token = plex_tv.sign_in(code)
    await user.waits()
    assert not waiting(hass)
    [flow] = hass.config_entries.flow.async_progress()
    assert flow["step_id"] == "signed_in"
    result = await user.looks(result)
    assert result["data"][CONF_CLIENT_IDENTIFIER] == query["clientID"]
    assert result["data"][CONF_VERIFY_SSL] is True
    assert account_token not in str(result)
    assert user.tokens_sent(server) == {server.owner_token}
    await created(hass, result, server)


async def test_page_that_is_looked_at_again_is_the_same(
    hass: HomeAssistant, user: User, plex_tv: SimulatedPlexTv, server: SimulatedPlex
) -> None:
    plex_tv.add(server)
    result = await user.opens_plex()
    assert (await user.looks(result))["url"] == result["url"]
    assert len(plex_tv.codes) == 1
    plex_tv.sign_in(plex_tv.codes[0])
    await created(hass, await user.sees_it_go_on(result), server)


async def test_closed_dialog_asks_no_more(
    hass: HomeAssistant,
    user: User,
    plex_tv: SimulatedPlexTv,
    caplog: pytest.LogCaptureFixture,
) -> None:
    result = await user.opens_plex()
    await user.waits()
    hass.config_entries.flow.async_abort(result["flow_id"])
    await until(lambda: not waiting(hass))
    asked = len(plex_tv.requests)
    plex_tv.sign_in(plex_tv.codes[-1])
    await user.waits()
    await user.waits(60)
    assert len(plex_tv.requests) == asked
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_nobody_comes_back_to_a_sign_in_that_has_expired(
    hass: HomeAssistant,
    user: User,
    plex_tv: SimulatedPlexTv,
    caplog: pytest.LogCaptureFixture,
) -> None:
    result = await user.opens_plex()
    plex_tv.expire(plex_tv.codes[-1])
    await user.waits()
    assert not waiting(hass)
    hass.config_entries.flow.async_abort(result["flow_id"])
    await hass.async_block_till_done()
    gc.collect()
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_dialog_that_is_opened_again_while_the_server_is_asked(
    hass: HomeAssistant, user: User, plex_tv: SimulatedPlexTv, server: SimulatedPlex
) -> None:
    plex_tv.add(server)
    result = await user.opens_plex()
    plex_tv.sign_in(plex_tv.codes[-1])
    await user.waits()
    server.faults.hang = True
    first = asyncio.create_task(user.looks(result))
    await until(lambda: bool(server.requests))
    second = asyncio.create_task(user.looks(result))
    await until(lambda: len(server.requests) == 2)
    server.faults.hang = False
    user.freezer.tick(timedelta(seconds=1))
    results = await asyncio.gather(first, second, return_exceptions=True)
    [result] = [each for each in results if isinstance(each, dict) and "result" in each]
    # The window that comes later is told that the dialog is over.
    assert any(isinstance(each, UnknownFlow) for each in results)
    assert len(hass.config_entries.async_entries(DOMAIN)) == len(plex_tv.codes) == 1
    await created(hass, result, server)
    assert not waiting(hass)


# --- which server


async def test_several_servers_are_a_choice_and_the_others_are_named(
    hass: HomeAssistant,
    user: User,
    plex_tv: SimulatedPlexTv,
    server: SimulatedPlex,
    house: House,
) -> None:
    known = await house.set_up(entry_for(server), server)
    async with (
        SimulatedPlex(machine_identifier="a" * 40, friendly_name="Attic") as attic,
        SimulatedPlex(machine_identifier="b" * 40, friendly_name="Barn") as barn,
        SimulatedPlex(machine_identifier="c" * 40, friendly_name="Neighbour") as neighbour,
    ):
        for each in (server, attic, barn):
            plex_tv.add(each)
        plex_tv.add(neighbour, owned=False)
        server.requests.clear()
        result = await user.signs_in()
        assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "choose_server")
        assert result["description_placeholders"] == {"shared": "Neighbour", "known": "Cellar"}
        assert result["data_schema"]
        [selector] = result["data_schema"].schema.values()
        assert [(each["value"], each["label"]) for each in selector.config["options"]] == [
            (attic.machine_identifier, "Attic"),
            (barn.machine_identifier, "Barn"),
        ]
        result = await submit(hass, result, server=barn.machine_identifier)
        await created(hass, result, barn)
        assert not attic.requests
        assert not neighbour.requests
        assert not server.requests
        await hass.config_entries.async_unload(known.entry_id)


async def test_one_server_is_no_choice_but_what_else_is_there_is_told(
    hass: HomeAssistant, user: User, plex_tv: SimulatedPlexTv, server: SimulatedPlex
) -> None:
    async with SimulatedPlex(machine_identifier="c" * 40, friendly_name="Neighbour") as neighbour:
        plex_tv.add(neighbour, owned=False)
        plex_tv.add(server)
        result = await user.signs_in()
        assert result["step_id"] == "choose_server"
        assert result["description_placeholders"] == {"shared": "Neighbour", "known": "-"}
        result = await submit(hass, result, server=server.machine_identifier)
        await created(hass, result, server)


@pytest.mark.parametrize("owned", [None, False, True])
async def test_account_without_a_server_that_can_be_added(
    hass: HomeAssistant,
    house: House,
    user: User,
    plex_tv: SimulatedPlexTv,
    server: SimulatedPlex,
    owned: bool | None,
) -> None:
    expected = {"shared": "-", "known": "-"}
    if owned is not None:
        async with SimulatedPlex(machine_identifier="c" * 40, friendly_name="Other") as other:
            plex_tv.add(other, owned=owned)
        if owned:
            entry_for(other).add_to_hass(hass)
        expected["known" if owned else "shared"] = "Other"
    result = await user.signs_in()
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "no_server")
    assert result["description_placeholders"] == expected
    assert result["menu_options"] == ["sign_in", "manual"]
    plex_tv.devices.clear()
    plex_tv.add(server)
    await created(hass, await user.signs_in(result), server)


async def test_server_that_is_off_is_said_and_found_later(
    hass: HomeAssistant, user: User, plex_tv: SimulatedPlexTv, server: SimulatedPlex
) -> None:
    plex_tv.add(server)
    await server.stop_listening()
    result = await user.signs_in()
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "not_reached")
    assert (await user.looks(result))["step_id"] == "not_reached"
    await server.listen()
    await created(hass, await user.signs_in(result), server)


# --- at which address


async def test_name_that_the_router_hides_is_replaced_by_the_plain_address(
    hass: HomeAssistant, user: User, plex_tv: SimulatedPlexTv, server: SimulatedPlex
) -> None:
    hidden = plex_direct("127.0.0.1", HASH, port=server.port)
    plex_tv.add(server, connections=[hidden])
    await created(hass, await user.signs_in(), server)


async def test_name_that_the_network_knows_is_taken_with_its_certificate(
    hass: HomeAssistant,
    user: User,
    plex_tv: SimulatedPlexTv,
    names: Names,
    trusted: None,
) -> None:
    name = f"127-0-0-1.{HASH}.plex.direct"
    names.known.add(name)
    async with SimulatedPlex(tls=PLEX_TLS) as server:
        plex_tv.add(
            server,
            connections=[
                connection(server.url),
                plex_direct("127.0.0.1", HASH, port=server.port),
            ],
        )
        result = await user.signs_in()
        assert result["type"] is FlowResultType.CREATE_ENTRY
        assert result["data"][CONF_URL] == f"https://{name}:{server.port}"
        assert result["data"][CONF_VERIFY_SSL] is True
        await hass.async_block_till_done()
        assert result["result"].state is ConfigEntryState.LOADED
        await hass.config_entries.async_unload(result["result"].entry_id)


async def test_certificate_that_nobody_vouches_for_is_passed_by(
    hass: HomeAssistant, user: User, plex_tv: SimulatedPlexTv, names: Names
) -> None:
    names.known.add(f"127-0-0-1.{HASH}.plex.direct")
    async with SimulatedPlex(tls=UNKNOWN_TLS) as server:
        plex_tv.add(server, connections=[plex_direct("127.0.0.1", HASH, port=server.port)])
        await created(hass, await user.signs_in(), server)


async def test_server_that_requires_https_is_not_asked_over_http(
    hass: HomeAssistant, user: User, plex_tv: SimulatedPlexTv, server: SimulatedPlex
) -> None:
    hidden = plex_direct("127.0.0.1", HASH, port=server.port)
    plex_tv.add(server, connections=[hidden], httpsRequired=True)
    result = await user.signs_in()
    assert result["step_id"] == "not_reached"
    assert not server.requests
    plex_tv.devices.clear()
    plex_tv.add(server)
    await created(hass, await user.signs_in(result), server)


async def test_local_address_is_preferred(
    hass: HomeAssistant, user: User, plex_tv: SimulatedPlexTv, server: SimulatedPlex
) -> None:
    remote = connection(f"http://localhost:{server.port}", local=False)
    plex_tv.add(server, connections=[remote, connection(server.url)])
    await created(hass, await user.signs_in(), server)


async def test_other_server_at_an_address_is_passed_by_and_gets_no_token(
    hass: HomeAssistant, user: User, plex_tv: SimulatedPlexTv, server: SimulatedPlex
) -> None:
    async with SimulatedPlex(machine_identifier="f" * 40) as other:
        connections = [connection(other.url), connection(server.url)]
        plex_tv.add(server, connections=connections)
        await created(hass, await user.signs_in(), server)
        assert [request.path for request in other.requests] == ["/identity"]
        assert not user.tokens_sent(other)


async def test_other_server_alone_is_not_the_one_of_the_account(
    hass: HomeAssistant, user: User, plex_tv: SimulatedPlexTv, server: SimulatedPlex
) -> None:
    plex_tv.add(server)
    server.faults.other_machine_identifier = True
    result = await user.signs_in()
    assert result["step_id"] == "not_reached"
    assert not user.tokens_sent(server)
    server.faults.other_machine_identifier = False
    await created(hass, await user.signs_in(result), server)


async def test_silent_address_costs_a_moment_only(
    hass: HomeAssistant, user: User, plex_tv: SimulatedPlexTv, server: SimulatedPlex
) -> None:
    async with SimulatedPlex() as silent:
        silent.faults.hang = True
        plex_tv.add(server, connections=[connection(silent.url), connection(server.url)])
        result = await user.opens_plex()
        plex_tv.sign_in(plex_tv.codes[-1])
        await user.waits()
        going_on = asyncio.create_task(user.looks(result))
        await until(lambda: bool(silent.requests and server.requests))
        assert not going_on.done()
        user.freezer.tick(timedelta(seconds=6))
        await created(hass, await going_on, server)
        assert not user.tokens_sent(silent)


@pytest.mark.parametrize(
    ("fault", "field", "error"),
    [
        ("no_butler", "base", "no_butler"),
        ("forbidden", CONF_TOKEN, "not_owner"),
        ("unauthorized", CONF_TOKEN, "unauthorized"),
    ],
)
async def test_what_the_server_itself_says_can_be_mended_by_hand(
    hass: HomeAssistant,
    user: User,
    plex_tv: SimulatedPlexTv,
    server: SimulatedPlex,
    fault: str,
    field: str,
    error: str,
) -> None:
    plex_tv.add(server)
    setattr(server.faults, fault, True)
    result = await user.signs_in()
    assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "manual")
    assert result["errors"] == {field: error}
    assert suggested(result) == {CONF_URL: server.url, CONF_VERIFY_SSL: True}
    setattr(server.faults, fault, False)
    await created(hass, await submit(hass, result, **typed(server)), server)


async def test_server_without_a_token_of_its_own_is_asked_without_one(
    hass: HomeAssistant, user: User, plex_tv: SimulatedPlexTv, server: SimulatedPlex
) -> None:
    plex_tv.add(server, accessToken=None)
    result = await user.signs_in()
    assert result["errors"] == {CONF_TOKEN: "unauthorized"}
    assert not user.tokens_sent(server)
    await created(hass, await submit(hass, result, **typed(server)), server)


# --- what plex.tv does


async def refuses(user: User, plex_tv: SimulatedPlexTv) -> ConfigFlowResult:
    result = await user.opens_plex()
    plex_tv.refuse(plex_tv.codes[-1])
    return await user.sees_it_go_on(result)


async def is_revoked(user: User, plex_tv: SimulatedPlexTv) -> ConfigFlowResult:
    result = await user.opens_plex()
    plex_tv.sign_in(plex_tv.codes[-1])
    plex_tv.revoke()
    return await user.sees_it_go_on(result)


async def is_forgotten(user: User, plex_tv: SimulatedPlexTv) -> ConfigFlowResult:
    result = await user.opens_plex()
    plex_tv.expire(plex_tv.codes[-1])
    return await user.sees_it_go_on(result)


async def takes_too_long(user: User, plex_tv: SimulatedPlexTv) -> ConfigFlowResult:
    result = await user.opens_plex()
    plex_tv.faults.bad_gateway = True
    for _ in range(29):
        await user.waits(60)
    assert waiting(user.hass)
    await user.waits(60)
    plex_tv.faults.bad_gateway = False
    assert not waiting(user.hass)
    return await user.looks(result)


async def is_off_at_first(user: User, plex_tv: SimulatedPlexTv) -> ConfigFlowResult:
    await plex_tv.stop_listening()
    result = await user.chooses(await user.begins(), "sign_in")
    await plex_tv.listen()
    return result


async def is_off_at_last(user: User, plex_tv: SimulatedPlexTv) -> ConfigFlowResult:
    result = await user.opens_plex()
    plex_tv.sign_in(plex_tv.codes[-1])
    await user.waits()
    await plex_tv.stop_listening()
    result = await user.looks(result)
    await plex_tv.listen()
    return result


async def has_a_login_page_at_first(user: User, plex_tv: SimulatedPlexTv) -> ConfigFlowResult:
    plex_tv.faults.garbage = b"<html>Sign in to this network</html>"
    result = await user.chooses(await user.begins(), "sign_in")
    plex_tv.faults.garbage = None
    return result


async def redirects_at_first(user: User, plex_tv: SimulatedPlexTv) -> ConfigFlowResult:
    plex_tv.faults.redirect_to = "http://127.0.0.1:9/"
    result = await user.chooses(await user.begins(), "sign_in")
    plex_tv.faults.redirect_to = None
    return result


async def has_garbage_meanwhile(user: User, plex_tv: SimulatedPlexTv) -> ConfigFlowResult:
    result = await user.opens_plex()
    plex_tv.faults.garbage = b"\x00\xff{"
    result = await user.sees_it_go_on(result)
    plex_tv.faults.garbage = None
    return result


async def is_asked_too_often_at_first(user: User, plex_tv: SimulatedPlexTv) -> ConfigFlowResult:
    plex_tv.faults.rate_limited = True
    result = await user.chooses(await user.begins(), "sign_in")
    plex_tv.faults.rate_limited = False
    return result


FAILURES = [
    (refuses, "sign_in_refused"),
    (is_revoked, "sign_in_refused"),
    (is_forgotten, "sign_in_expired"),
    (takes_too_long, "plex_tv_down"),
    (is_off_at_first, "plex_tv_down"),
    (is_off_at_last, "plex_tv_down"),
    (has_a_login_page_at_first, "not_plex_tv"),
    (redirects_at_first, "not_plex_tv"),
    (has_garbage_meanwhile, "not_plex_tv"),
    (is_asked_too_often_at_first, "rate_limited"),
]


@pytest.mark.parametrize(
    ("fault", "value", "step"),
    [
        ("rate_limited", True, "rate_limited"),
        ("bad_gateway", True, "plex_tv_down"),
        ("garbage", b"<html>", "not_plex_tv"),
    ],
)
async def test_servers_of_the_account_are_asked_for_again_without_another_sign_in(
    hass: HomeAssistant,
    user: User,
    plex_tv: SimulatedPlexTv,
    server: SimulatedPlex,
    fault: str,
    value: bool | bytes,
    step: str,
) -> None:
    plex_tv.add(server)
    result = await user.opens_plex()
    plex_tv.sign_in(plex_tv.codes[-1])
    await user.waits()
    good = getattr(plex_tv.faults, fault)
    ways = ["try_again", "sign_in", "manual"]
    setattr(plex_tv.faults, fault, value)
    result = await user.looks(result)
    assert (result["step_id"], result["menu_options"]) == (step, ways)
    result = await user.chooses(result, "try_again")
    assert (result["step_id"], result["menu_options"]) == (step, ways)
    setattr(plex_tv.faults, fault, good)
    await created(hass, await user.chooses(result, "try_again"), server)
    assert len(plex_tv.codes) == 1


@pytest.mark.parametrize("way", ["sign_in", "manual", "looks"])
@pytest.mark.parametrize(
    ("fails", "step"), FAILURES, ids=lambda each: getattr(each, "__name__", each)
)
async def test_failed_sign_in_is_explained_and_leads_on(
    hass: HomeAssistant,
    user: User,
    plex_tv: SimulatedPlexTv,
    server: SimulatedPlex,
    fails: Callable[..., Any],
    step: str,
    way: str,
) -> None:
    plex_tv.add(server)
    result = await fails(user, plex_tv)
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, step)
    again = ["try_again"] if fails is is_off_at_last else []
    assert result["menu_options"] == [*again, "sign_in", "manual"]
    assert not waiting(hass)
    assert not server.requests
    if way == "manual":
        result = await user.chooses(result, "manual")
        result = await submit(hass, result, **typed(server))
    elif way == "looks":
        # A page that is loaded again shows the same, and asks Plex for nothing.
        asked = len(plex_tv.requests)
        same = await user.looks(result)
        assert (same["type"], same["step_id"]) == (FlowResultType.MENU, step)
        assert same["menu_options"] == result["menu_options"]
        assert len(plex_tv.requests) == asked
        result = await user.signs_in(same)
    else:
        result = await user.signs_in(result)
    await created(hass, result, server)


async def test_plex_that_is_away_for_a_while_is_asked_again(
    hass: HomeAssistant, user: User, plex_tv: SimulatedPlexTv, server: SimulatedPlex
) -> None:
    plex_tv.add(server)
    result = await user.opens_plex()
    plex_tv.faults.bad_gateway = True
    await user.waits()
    await user.waits()
    assert waiting(hass)
    plex_tv.faults.bad_gateway = False
    plex_tv.sign_in(plex_tv.codes[-1])
    await created(hass, await user.sees_it_go_on(result), server)


@pytest.mark.parametrize(
    ("fault", "retry_after", "step"),
    [
        ("bad_gateway", None, "plex_tv_down"),
        ("rate_limited", None, "rate_limited"),
        ("rate_limited", "700", "rate_limited"),
        ("empty_reply", None, "plex_tv_down"),
    ],
)
async def test_plex_that_cannot_be_asked_until_the_end_is_said_and_not_blamed_on_the_user(
    hass: HomeAssistant,
    user: User,
    plex_tv: SimulatedPlexTv,
    fault: str,
    retry_after: str | None,
    step: str,
) -> None:
    result = await user.opens_plex()
    plex_tv.sign_in(plex_tv.codes[-1])
    plex_tv.faults.retry_after = retry_after
    setattr(plex_tv.faults, fault, True)
    for _ in range(10):
        user.freezer.tick(timedelta(minutes=4))
        await until(lambda: True)
    assert not waiting(hass)
    result = await user.looks(result)
    assert (result["step_id"], result["menu_options"]) == (step, ["sign_in", "manual"])


async def test_plex_that_wants_a_longer_pause_than_there_is_time_says_so_at_once(
    hass: HomeAssistant, user: User, plex_tv: SimulatedPlexTv
) -> None:
    result = await user.opens_plex()
    plex_tv.faults.rate_limited = True
    plex_tv.faults.retry_after = "86400"
    await user.waits()
    assert not waiting(hass)
    assert (await user.looks(result))["step_id"] == "rate_limited"


async def test_user_who_does_not_sign_in_is_told_so_although_plex_was_away(
    hass: HomeAssistant, user: User, plex_tv: SimulatedPlexTv
) -> None:
    result = await user.opens_plex()
    plex_tv.faults.bad_gateway = True
    await user.waits()
    plex_tv.faults.bad_gateway = False
    await user.waits()
    user.freezer.tick(timedelta(hours=1))
    await until(lambda: not waiting(hass))
    assert (await user.looks(result))["step_id"] == "sign_in_expired"


@pytest.mark.parametrize(("retry_after", "seconds"), [("30", 30), (None, 2)])
async def test_plex_that_is_asked_too_often_is_left_alone_as_long_as_it_wants(
    hass: HomeAssistant,
    user: User,
    plex_tv: SimulatedPlexTv,
    server: SimulatedPlex,
    retry_after: str | None,
    seconds: float,
) -> None:
    plex_tv.add(server)
    result = await user.opens_plex()
    plex_tv.faults.rate_limited = True
    plex_tv.faults.retry_after = retry_after
    await user.waits(2.1)
    plex_tv.faults.rate_limited = False
    plex_tv.sign_in(plex_tv.codes[-1])
    asked = len(plex_tv.requests)
    user.freezer.tick(timedelta(seconds=seconds - 0.5))
    await until(lambda: True)
    assert len(plex_tv.requests) == asked
    user.freezer.tick(timedelta(seconds=1))
    await until(lambda: True)
    assert waiting(hass)
    assert len(plex_tv.requests) == asked
    await created(hass, await user.sees_it_go_on(result), server)


# --- a server that is known


async def test_reauth_by_sign_in_takes_the_token_and_keeps_the_address(
    hass: HomeAssistant,
    user: User,
    plex_tv: SimulatedPlexTv,
    house: House,
    server: SimulatedPlex,
) -> None:
    entry = await house.set_up(
        entry_for(server, **{CONF_TOKEN: "revoked"}), server, ConfigEntryState.SETUP_RETRY
    )
    await house.passes(120)
    plex_tv.add(server, connections=[connection(f"http://localhost:{server.port}")])
    result = await entry.start_reauth_flow(hass)
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "reauth_confirm")
    assert result["menu_options"] == ["sign_in", "reauth_token"]
    result = await user.signs_in(result)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reauth_successful")
    await house.settled()
    assert entry.state is ConfigEntryState.LOADED
    assert dict(entry.data) == dict(entry_for(server).data)


@pytest.mark.parametrize("listed", [False, True])
async def test_server_that_was_signed_out_itself_has_to_be_claimed_again_first(
    hass: HomeAssistant,
    user: User,
    plex_tv: SimulatedPlexTv,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
    *,
    listed: bool,
) -> None:
    """As after a change of the password that signs out all devices (reported in 2022 and 2025)."""
    steps = load("translations/en.json")["config"]["step"]
    server.faults.unauthorized = True
    if listed:
        plex_tv.add(server)
    await house.passes(720, step=30)
    [flow] = hass.config_entries.flow.async_progress()
    assert flow["step_id"] == "reauth_confirm"
    result = await user.looks(flow)
    assert "claim it again in Plex first" in steps["reauth_confirm"]["description"]
    result = await user.signs_in(result)
    if listed:
        assert (result["step_id"], result["errors"]) == ("change", {CONF_TOKEN: "unauthorized"})
        assert set(hass.config_entries.async_entries(DOMAIN)) == {loaded}
        return
    assert (result["step_id"], result["menu_options"]) == ("no_server", ["sign_in", "change"])
    assert "has to be claimed again" in steps["no_server"]["description"]

    server.faults.unauthorized = False
    server.auth.revoke()
    plex_tv.add(server)
    result = await user.signs_in(result)
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reauth_successful")
    await house.settled()
    assert loaded.state is ConfigEntryState.LOADED
    assert loaded.data[CONF_TOKEN] == server.owner_token


@pytest.mark.parametrize("source", ["reauth", "reconfigure"])
async def test_server_that_moved_is_found_again_and_the_user_confirms(
    hass: HomeAssistant,
    user: User,
    plex_tv: SimulatedPlexTv,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
    source: str,
) -> None:
    before = dict(loaded.data)
    entities = set(er.async_get(hass).entities)
    async with SimulatedPlex(machine_identifier=server.machine_identifier) as moved:
        await server.stop_listening()
        plex_tv.add(moved)
        begin = loaded.start_reauth_flow if source == "reauth" else loaded.start_reconfigure_flow
        result = await user.signs_in(await begin(hass))
        assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "moved")
        placeholders = result["description_placeholders"]
        assert placeholders
        assert placeholders["name"] == server.friendly_name
        assert URL(placeholders["address"]) == URL(moved.url)
        assert not user.tokens_sent(moved)
        assert dict(loaded.data) == before
        assert not waiting(hass)
        result = await submit(hass, result)
        assert (result["type"], result["reason"]) == (FlowResultType.ABORT, f"{source}_successful")
        house.servers[:] = [moved]
        await house.settled()
        assert loaded.state is ConfigEntryState.LOADED
        assert hass.config_entries.async_entries(DOMAIN) == [loaded]
        assert loaded.unique_id == server.machine_identifier
        assert set(er.async_get(hass).entities) == entities
        assert dict(loaded.data) == before | {
            CONF_TOKEN: moved.owner_token,
            CONF_URL: loaded.data[CONF_URL],
        }
        assert URL(loaded.data[CONF_URL]) == URL(moved.url)
        await hass.config_entries.async_unload(loaded.entry_id)


async def test_reconfigure_by_sign_in_keeps_an_address_that_works(
    hass: HomeAssistant,
    user: User,
    plex_tv: SimulatedPlexTv,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
) -> None:
    before = dict(loaded.data)
    plex_tv.add(server, connections=[connection(f"http://localhost:{server.port}")])
    async with SimulatedPlex(machine_identifier="a" * 40) as another:
        plex_tv.add(another)
        result = await user.signs_in(await loaded.start_reconfigure_flow(hass))
        assert (result["type"], result["reason"]) == (
            FlowResultType.ABORT,
            "reconfigure_successful",
        )
        assert not another.requests
    await house.settled()
    assert dict(loaded.data) == before


@pytest.mark.parametrize("source", ["reauth", "reconfigure"])
async def test_account_that_does_not_own_a_known_server(
    hass: HomeAssistant,
    user: User,
    plex_tv: SimulatedPlexTv,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
    source: str,
) -> None:
    before = dict(loaded.data)
    plex_tv.add(server, owned=False)
    begin = loaded.start_reauth_flow if source == "reauth" else loaded.start_reconfigure_flow
    result = await user.signs_in(await begin(hass))
    assert result["step_id"] == "no_server"
    assert result["description_placeholders"] == {"shared": "Cellar", "known": "-"}
    assert result["menu_options"] == ["sign_in", "change"]
    assert dict(loaded.data) == before
    result = await user.chooses(result, "change")
    assert suggested(result) == {CONF_URL: server.url, CONF_VERIFY_SSL: True}
    result = await submit(hass, result, **typed(server))
    assert result["reason"] == f"{source}_successful"
    await house.settled()
    assert dict(loaded.data) == before


async def test_other_server_at_the_known_address_is_passed_by(
    hass: HomeAssistant,
    user: User,
    plex_tv: SimulatedPlexTv,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
) -> None:
    plex_tv.add(server)
    server.faults.other_machine_identifier = True
    server.requests.clear()
    result = await user.signs_in(await loaded.start_reconfigure_flow(hass))
    assert result["step_id"] == "not_reached"
    assert result["menu_options"] == ["sign_in", "change"]
    assert not user.tokens_sent(server)
    server.faults.other_machine_identifier = False
    result = await user.signs_in(result)
    assert result["reason"] == "reconfigure_successful"
    await house.settled()


# --- tokens


async def test_no_token_or_code_is_to_be_found_anywhere(
    hass: HomeAssistant,
    hass_storage: dict[str, Any],
    user: User,
    plex_tv: SimulatedPlexTv,
    server: SimulatedPlex,
    whole_log: pytest.LogCaptureFixture,
) -> None:
    shown: list[ConfigFlowResult] = []
    async with SimulatedPlex(machine_identifier="a" * 40, friendly_name="Attic") as attic:
        plex_tv.add(server)
        plex_tv.add(attic)
        plex_tv.add(server, owned=False, clientIdentifier="c" * 40)
        result = await refuses(user, plex_tv)
        shown.append(result)
        plex_tv.faults.rate_limited = True
        shown.append(await user.chooses(result, "sign_in"))
        plex_tv.faults.rate_limited = False
        pages = [await user.opens_plex(shown[-1])]
        await user.waits()
        plex_tv.faults.bad_gateway = True
        await user.waits()
        plex_tv.faults.bad_gateway = False
        plex_tv.sign_in(plex_tv.codes[-1])
        shown.append(await user.sees_it_go_on(pages[-1]))
        assert shown[-1]["step_id"] == "choose_server"
        server.faults.forbidden = True
        shown.append(await submit(hass, shown[-1], server=server.machine_identifier))
        assert shown[-1]["step_id"] == "manual"
        server.faults.forbidden = False
        result = await submit(hass, shown[-1], **typed(server))
        entry = result["result"]
        await hass.async_block_till_done()
        assert entry.state is ConfigEntryState.LOADED
        shown_by_us = json.dumps(
            await async_get_config_entry_diagnostics(hass, entry), default=str
        ) + "".join(str(state.as_dict()) for state in hass.states.async_all())
        await hass.config_entries.async_unload(entry.entry_id)
        await hass.async_block_till_done()

        secrets = plex_tv.tokens | set(plex_tv.codes) | server.tokens | attic.tokens
        assert len(plex_tv.tokens) == 4
        assert len(plex_tv.codes) == 2
        requests = plex_tv.requests + server.requests + attic.requests
        assert len(requests) > 10
        urls = "".join(f"{request.path} {request.query}" for request in requests)
        numbers = set(re.findall(r"/pins/(\d+)", urls))
        assert len(numbers) == 2
        log = whole_log.text + "".join(str(record.__dict__) for record in whole_log.records)
        assert "plex.tv: GET" in log
        ours = "".join(
            str(record.__dict__) + record.getMessage()
            for record in whole_log.records
            if record.name.startswith("custom_components.plex_butler")
        )
        await flush_store(hass.config_entries._store)
        stored = {key: value for key, value in hass_storage.items() if key != "core.config_entries"}
        assert server.owner_token in str(hass_storage)
        for secret in secrets:
            assert secret not in log
            assert secret not in urls
            assert secret not in shown_by_us
            assert secret not in str(stored)
            for each in shown:
                assert secret not in str(each)
            if secret != server.owner_token:
                assert secret not in str(entry.as_dict())
                assert secret not in str(hass_storage)
        for number in numbers:
            assert number not in ours
        assert entry.data[CONF_TOKEN] == server.owner_token
        assert CONF_TOKEN not in str(entry.options)
