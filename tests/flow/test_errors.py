"""What the form says of failures that few people ever see, and what a failed sign-in offers."""

import asyncio
from datetime import UTC, datetime, timedelta
import ssl

from freezegun.api import FrozenDateTimeFactory
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.helpers import issue_registry as ir
from homeassistant.util.ssl import get_default_context
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import trustme

from custom_components.plex_butler.const import DOMAIN
from tests.conftest import House, entry_for
from tests.flow.dialogue import begin, submit, suggested, typed
from tests.flow.user import User, until
from tests.plex.scripted_server import http, scripted_server
from tests.simulator import SimulatedPlex
from tests.simulator.plex_tv import SimulatedPlexTv
from tests.simulator.plex_tv_rows import connection

CA = trustme.CA()


def _expired() -> ssl.SSLContext:
    """Return a context with a certificate whose time is over."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    CA.issue_cert("127.0.0.1", not_after=yesterday).configure_cert(context)
    return context


# Made here: no certificate can be made while the clock is frozen.
EXPIRED = _expired()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (http(401, WWW_Authenticate="Basic"), "proxy_refuses"),
        (http(403, WWW_Authenticate="Basic"), "proxy_refuses"),
        (http(429, Retry_After="30"), "too_many_requests"),
        (http(500, X_Plex_Protocol="1.0"), "server_error"),
    ],
)
async def test_failure_of_what_is_in_front_of_the_server_is_told(
    hass: HomeAssistant, server: SimulatedPlex, answer: bytes, error: str
) -> None:
    async with scripted_server() as other:
        other.answers["GET /identity"] = [answer]
        address = str(other.url).rstrip("/")
        form = typed(server, **{CONF_URL: address})
        result = await submit(hass, await begin(hass), **form)
        assert result["errors"] == {"base": error}
        assert suggested(result)[CONF_URL] == address
        assert all("x-plex-token" not in request.headers for request in other.requests)
    result = await submit(hass, result, **{CONF_URL: server.url, CONF_VERIFY_SSL: True})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"][CONF_TOKEN] == server.owner_token
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    ("answer", "step"),
    [
        (http(401, WWW_Authenticate="Basic"), "proxy_refuses"),
        (http(429), "too_many_requests"),
        (http(500, X_Plex_Protocol="1.0"), "server_error"),
    ],
)
async def test_sign_in_tells_with_what_the_server_answers_and_tries_again(
    hass: HomeAssistant,
    user: User,
    plex_tv: SimulatedPlexTv,
    server: SimulatedPlex,
    answer: bytes,
    step: str,
) -> None:
    async with scripted_server() as other:
        other.answers["GET /identity"] = [answer]
        plex_tv.add(server, connections=[connection(str(other.url))])
        result = await user.signs_in()
        assert (result["step_id"], result["menu_options"]) == (
            step,
            ["try_again", "sign_in", "manual"],
        )
        assert (await user.looks(result))["step_id"] == step
        result = await user.chooses(result, "try_again")
        assert result["step_id"] == step
        assert all("x-plex-token" not in request.headers for request in other.requests)
    result = await user.chooses(result, "manual")
    result = await submit(hass, result, **typed(server))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


async def test_sign_in_tells_that_the_certificate_has_expired(
    user: User, plex_tv: SimulatedPlexTv, socket_enabled: None
) -> None:
    CA.configure_trust(get_default_context())
    async with SimulatedPlex(tls=EXPIRED) as server:
        plex_tv.add(server, connections=[connection(f"https://127.0.0.1:{server.port}")])
        result = await user.signs_in()
        assert result["step_id"] == "certificate_expired"
        assert not server.requests


async def test_server_that_answers_nothing_is_told(
    hass: HomeAssistant, freezer: FrozenDateTimeFactory, server: SimulatedPlex
) -> None:
    server.faults.hang = True
    asking = asyncio.create_task(submit(hass, await begin(hass), **typed(server)))
    await until(lambda: bool(server.requests))
    freezer.tick(60)
    result = await asking
    assert result["errors"] == {"base": "timed_out"}
    server.faults.hang = False
    result = await submit(hass, result, **{CONF_URL: server.url, CONF_VERIFY_SSL: True})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


@pytest.mark.parametrize("required", [True, False])
async def test_expired_certificate_is_told(
    hass: HomeAssistant, socket_enabled: None, required: bool
) -> None:
    CA.configure_trust(get_default_context())
    async with SimulatedPlex(tls=EXPIRED, secure_connections_required=required) as server:
        scheme = "http" if required else "https"
        address = f"{scheme}://127.0.0.1:{server.port}"
        result = await submit(hass, await begin(hass), **typed(server, **{CONF_URL: address}))
        assert result["errors"] == {"base": "certificate_expired"}
        assert not server.requests


async def test_certificate_that_expires_is_a_repair(
    hass: HomeAssistant, house: House, socket_enabled: None
) -> None:
    CA.configure_trust(get_default_context())
    async with SimulatedPlex(tls=EXPIRED) as server:
        entry = entry_for(server, **{CONF_URL: f"https://127.0.0.1:{server.port}"})
        await house.set_up(entry, server, ConfigEntryState.SETUP_RETRY)
        [issue] = ir.async_get(hass).issues.values()
        assert (issue.domain, issue.translation_key) == (DOMAIN, "certificate_expired")
        await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize(
    "step",
    ["sign_in_refused", "sign_in_expired", "rate_limited", "plex_tv_down", "not_plex_tv"],
)
@pytest.mark.parametrize("source", ["reauth", "reconfigure"])
async def test_failed_sign_in_of_a_known_server_offers_the_form_with_everything(
    hass: HomeAssistant,
    user: User,
    house: House,
    plex_tv: SimulatedPlexTv,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
    source: str,
    step: str,
) -> None:
    start = loaded.start_reauth_flow if source == "reauth" else loaded.start_reconfigure_flow
    result = await start(hass)
    faults = plex_tv.faults
    if step in ("sign_in_refused", "sign_in_expired"):
        result = await user.opens_plex(result)
        end = plex_tv.refuse if step == "sign_in_refused" else plex_tv.expire
        end(plex_tv.codes[-1])
        result = await user.sees_it_go_on(result)
    else:
        faults.rate_limited = step == "rate_limited"
        faults.bad_gateway = step == "plex_tv_down"
        faults.garbage = b"<html>" if step == "not_plex_tv" else None
        result = await user.chooses(result, "sign_in")
    assert (result["step_id"], result["menu_options"]) == (step, ["sign_in", "change"])
    result = await user.chooses(result, "change")
    result = await submit(hass, result, **typed(server))
    assert result["reason"] == f"{source}_successful"
    await house.settled()


async def test_known_server_in_start_up_is_told_to_who_signs_in(
    hass: HomeAssistant,
    user: User,
    house: House,
    plex_tv: SimulatedPlexTv,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
) -> None:
    plex_tv.add(server)
    server.faults.maintenance = True
    result = await user.signs_in(await loaded.start_reconfigure_flow(hass))
    assert result["step_id"] == "starting_up"
    assert result["menu_options"] == ["try_again", "sign_in", "change"]
    server.faults.maintenance = False
    result = await user.chooses(result, "try_again")
    assert result["reason"] == "reconfigure_successful"
    await house.settled()


@pytest.mark.parametrize("step", ["certificate_expired", "server_error"])
async def test_known_server_that_cannot_be_used_is_told_to_who_signs_in(
    hass: HomeAssistant,
    user: User,
    house: House,
    plex_tv: SimulatedPlexTv,
    server: SimulatedPlex,
    socket_enabled: None,
    step: str,
) -> None:
    CA.configure_trust(get_default_context())
    async with SimulatedPlex(tls=EXPIRED) as expired, scripted_server() as other:
        other.answers["GET /"] = other.answers["GET /identity"] = [http(500, X_Plex_Protocol="1.0")]
        addresses = {
            "certificate_expired": f"https://127.0.0.1:{expired.port}",
            "server_error": str(other.url),
        }
        entry = entry_for(server, **{CONF_URL: addresses[step]})
        await house.set_up(entry, server, ConfigEntryState.SETUP_RETRY)
        plex_tv.add(server, connections=[connection(addresses[step])])
        result = await user.signs_in(await entry.start_reconfigure_flow(hass))
        assert (result["step_id"], result["menu_options"]) == (
            step,
            ["try_again", "sign_in", "change"],
        )
        result = await user.chooses(result, "change")
        result = await submit(hass, result, **typed(server))
    assert result["reason"] == "reconfigure_successful"
    await house.settled()
    assert entry.state is ConfigEntryState.LOADED
