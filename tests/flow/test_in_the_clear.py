"""The owner's token goes in the clear to what is local by its address, or where the user wants."""

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.util.ssl import get_default_context
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    MockModule,
    mock_integration,
)
import trustme

from tests.certificates import certificate
from tests.conftest import House, entry_for
from tests.flow.dialogue import begin, by_hand, submit, suggested, typed
from tests.flow.names import Names
from tests.flow.user import User
from tests.simulator import SimulatedPlex
from tests.simulator.plex_tv import SimulatedPlexTv
from tests.simulator.plex_tv_rows import connection

PUBLIC = "plex.example.org"
CA = trustme.CA()
# Made here: no certificate can be made while the clock is frozen.
TLS = certificate(CA, PUBLIC)


@pytest.fixture(autouse=True)
def _public_name(names: Names) -> None:
    """The network knows a name that need not be one of its own."""
    names.known.add(PUBLIC)


def tokens_sent(server: SimulatedPlex) -> set[str]:
    """Return the tokens that a server was sent."""
    return {r.headers["x-plex-token"] for r in server.requests if "x-plex-token" in r.headers}


def assert_asked(result: ConfigFlowResult, server: SimulatedPlex) -> None:
    """See the question, and that nothing was sent before it is answered."""
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "plain_http")
    assert result["menu_options"] == ["other_address", "send_token"]
    address = f"http://{PUBLIC}:{server.port}"
    assert result["description_placeholders"] == {"address": address}
    assert server.requests
    assert not tokens_sent(server)


async def end(hass: HomeAssistant, result: ConfigFlowResult, address: str) -> None:
    """See the entry, and take it down again."""
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"][CONF_URL] == address
    await hass.async_block_till_done()
    await hass.config_entries.async_unload(result["result"].entry_id)


@pytest.mark.parametrize("scheme", ["http://", ""])
async def test_user_is_asked_and_may_agree(
    hass: HomeAssistant, server: SimulatedPlex, scheme: str
) -> None:
    form = typed(server, **{CONF_URL: f"{scheme}{PUBLIC}:{server.port}"})
    result = await submit(hass, await begin(hass), **form)
    assert_asked(result, server)
    again = await hass.config_entries.flow.async_configure(result["flow_id"])
    assert_asked(again, server)
    result = await submit(hass, again, next_step_id="send_token")
    assert tokens_sent(server) == {server.owner_token}
    await end(hass, result, f"http://{PUBLIC}:{server.port}")


async def test_user_may_enter_another_address_and_keeps_the_token(
    hass: HomeAssistant, server: SimulatedPlex
) -> None:
    form = typed(server, **{CONF_URL: f"http://{PUBLIC}:{server.port}"})
    result = await submit(hass, await begin(hass), **form)
    result = await submit(hass, result, next_step_id="other_address")
    assert (result["step_id"], result["errors"]) == ("manual", {})
    assert suggested(result) == {
        CONF_URL: f"http://{PUBLIC}:{server.port}",
        CONF_VERIFY_SSL: True,
    }
    assert server.owner_token not in str(result)
    result = await submit(hass, result, **{CONF_URL: server.url, CONF_VERIFY_SSL: True})
    await end(hass, result, server.url)


async def test_consent_is_for_one_address(hass: HomeAssistant, server: SimulatedPlex) -> None:
    server.faults.forbidden = True
    form = typed(server, **{CONF_URL: f"http://{PUBLIC}:{server.port}"})
    result = await submit(hass, await begin(hass), **form)
    result = await submit(hass, result, next_step_id="send_token")
    assert result["errors"] == {CONF_TOKEN: "not_owner"}
    server.faults.forbidden = False
    server.requests.clear()
    form[CONF_URL] += "/other"
    result = await submit(hass, result, **form)
    assert not tokens_sent(server)


async def test_name_without_a_scheme_is_tried_with_https_first(
    hass: HomeAssistant, socket_enabled: None
) -> None:
    CA.configure_trust(get_default_context())
    async with SimulatedPlex(tls=TLS) as server:
        form = typed(server, **{CONF_URL: f"{PUBLIC}:{server.port}"})
        result = await submit(hass, await begin(hass), **form)
        await end(hass, result, f"https://{PUBLIC}:{server.port}")


async def test_certificate_that_is_not_trusted_is_told_if_there_is_nothing_else(
    hass: HomeAssistant, socket_enabled: None
) -> None:
    tls = certificate(trustme.CA(), PUBLIC)
    async with SimulatedPlex(tls=tls, secure_connections_required=True) as server:
        form = typed(server, **{CONF_URL: f"{PUBLIC}:{server.port}"})
        result = await submit(hass, await begin(hass), **form)
        assert result["errors"] == {"base": "https_untrusted"}
        assert not tokens_sent(server)
        await server.stop_listening()
        result = await submit(hass, result, **form)
        assert result["errors"] == {"base": "cannot_connect"}
        await server.listen()
        form[CONF_VERIFY_SSL] = False
        result = await submit(hass, result, **form)
        await end(hass, result, f"https://{PUBLIC}:{server.port}")


async def test_server_without_a_token_asks_for_no_consent(
    hass: HomeAssistant, socket_enabled: None
) -> None:
    async with SimulatedPlex(claimed=False) as server:
        address = f"http://{PUBLIC}:{server.port}"
        result = await submit(hass, await begin(hass), **{CONF_URL: address, CONF_VERIFY_SSL: True})
        # An unclaimed server refuses names that it does not know.
        assert (result["step_id"], result["errors"]) == ("manual", {CONF_TOKEN: "unauthorized"})


async def test_address_of_the_plex_integration(hass: HomeAssistant, server: SimulatedPlex) -> None:
    mock_integration(hass, MockModule("plex"))
    address = f"http://{PUBLIC}:{server.port}"
    config = {"url": address, "token": server.owner_token}
    other = MockConfigEntry(
        domain="plex", data={"server_id": server.machine_identifier, "server_config": config}
    )
    other.add_to_hass(hass)
    result = await hass.config_entries.flow.async_init("plex_butler", context={"source": "user"})
    result = await submit(hass, result, next_step_id="plex")
    result = await submit(hass, result, server=other.entry_id)
    assert_asked(result, server)
    result = await submit(hass, result, next_step_id="send_token")
    await end(hass, result, address)


async def test_reconfigure_to_a_public_name(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    before = dict(loaded.data)
    server.requests.clear()
    result = await by_hand(hass, await loaded.start_reconfigure_flow(hass))
    address = f"http://{PUBLIC}:{server.port}"
    result = await submit(hass, result, **{CONF_URL: address, CONF_VERIFY_SSL: True})
    assert_asked(result, server)
    assert dict(loaded.data) == before
    result = await submit(hass, result, next_step_id="send_token")
    assert result["reason"] == "reconfigure_successful"
    await house.settled()
    assert dict(loaded.data) == before | {CONF_URL: address}


async def test_new_token_for_an_entry_with_a_public_name_is_no_new_question(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    entry = entry_for(server, **{CONF_URL: f"http://{PUBLIC}:{server.port}"})
    await house.set_up(entry, server)
    result = await by_hand(hass, await entry.start_reauth_flow(hass))
    result = await submit(hass, result, **{CONF_TOKEN: server.owner_token})
    assert result["reason"] == "reauth_successful"
    await house.settled()


async def test_custom_address_that_plex_tv_calls_local(
    hass: HomeAssistant, user: User, plex_tv: SimulatedPlexTv, server: SimulatedPlex
) -> None:
    address = f"http://{PUBLIC}:{server.port}"
    plex_tv.add(server, connections=[connection(address)])
    result = await user.signs_in()
    assert_asked(result, server)
    result = await submit(hass, result, next_step_id="send_token")
    await end(hass, result, address)


async def test_custom_address_comes_last(
    hass: HomeAssistant, user: User, plex_tv: SimulatedPlexTv, server: SimulatedPlex
) -> None:
    custom = connection(f"http://{PUBLIC}:{server.port}")
    plex_tv.add(server, connections=[custom, connection(server.url)])
    await end(hass, await user.signs_in(), server.url)


@pytest.mark.parametrize("source", ["reauth", "reconfigure"])
async def test_known_server_that_plex_tv_has_at_a_public_name_only(
    hass: HomeAssistant,
    user: User,
    house: House,
    plex_tv: SimulatedPlexTv,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
    source: str,
) -> None:
    before = dict(loaded.data)
    async with SimulatedPlex(machine_identifier=server.machine_identifier) as moved:
        await server.stop_listening()
        plex_tv.add(moved, connections=[connection(f"http://{PUBLIC}:{moved.port}")])
        start = loaded.start_reauth_flow if source == "reauth" else loaded.start_reconfigure_flow
        result = await user.signs_in(await start(hass))
        assert result["step_id"] == "moved"
        result = await submit(hass, result)
        assert_asked(result, moved)
        assert dict(loaded.data) == before
        result = await submit(hass, result, next_step_id="other_address")
        assert result["step_id"] == "change"
        result = await submit(hass, result, **{CONF_URL: moved.url, CONF_VERIFY_SSL: True})
        assert result["reason"] == f"{source}_successful"
        assert loaded.data[CONF_TOKEN] == moved.owner_token
        house.servers[:] = [moved]
        await house.settled()
        await hass.config_entries.async_unload(loaded.entry_id)
