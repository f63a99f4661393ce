"""The config flow, as the frontend drives it, against a server on a real socket."""

import re

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from yarl import URL

from custom_components.plex_butler.const import CONF_CLIENT_IDENTIFIER, DOMAIN
from tests.conftest import House, entry_for
from tests.flow.dialogue import begin, by_hand, submit, suggested, typed
from tests.simulator import SimulatedPlex


async def test_user_adds_a_server(hass: HomeAssistant, server: SimulatedPlex) -> None:
    result = await submit(hass, await begin(hass), **typed(server))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["title"] == server.friendly_name
    entry = result["result"]
    assert entry.unique_id == server.machine_identifier
    assert (entry.version, entry.minor_version) == (1, 1)
    assert set(result["data"]) == {CONF_URL, CONF_TOKEN, CONF_VERIFY_SSL, CONF_CLIENT_IDENTIFIER}
    assert URL(result["data"][CONF_URL]) == URL(server.url)
    assert result["data"][CONF_TOKEN] == server.owner_token
    await hass.async_block_till_done()
    assert entry.state is ConfigEntryState.LOADED


@pytest.mark.parametrize(
    "form",
    [
        "{host}",
        " http://{host} ",
        "http://{host}/",
        "http://{host}/web/index.html#!/settings/web/general",
        "http://somebody:secret@{host}/?X-Plex-Token=pasted-by-mistake",
        "{host}/web",
        "{host}/library/metadata/1&X-Plex-Token=pasted-by-mistake",
        "http://{host}/%3FX-Plex-Token=pasted-by-mistake",
        "\u200e//{host}\u202c",
    ],
)
async def test_addresses_as_people_type_them(
    hass: HomeAssistant, server: SimulatedPlex, form: str
) -> None:
    address = form.format(host=URL(server.url).authority)
    result = await submit(hass, await begin(hass), **typed(server, **{CONF_URL: address}))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert URL(result["data"][CONF_URL]) == URL(server.url)
    assert not re.search("secret|pasted-by-mistake", str(result) + str(server.requests))


async def test_unclaimed_server_needs_no_token(hass: HomeAssistant, socket_enabled: None) -> None:
    async with SimulatedPlex(claimed=False) as server:
        result = await begin(hass)
        result = await submit(hass, result, **{CONF_URL: server.url, CONF_VERIFY_SSL: True})
        assert result["type"] is FlowResultType.CREATE_ENTRY
        assert result["data"][CONF_TOKEN] == ""
        assert all("x-plex-token" not in request.headers for request in server.requests)
        await hass.async_block_till_done()


@pytest.mark.parametrize(
    "pasted",
    [
        " {token}\n",
        "X-Plex-Token={token}",
        "https://nas:32400/library/metadata/1?checkFiles=1&X-Plex-Token={token}",
        "\u200b{token}\ufeff",
    ],
)
async def test_token_is_freed_from_what_is_pasted_with_it(
    hass: HomeAssistant, server: SimulatedPlex, pasted: str
) -> None:
    token = pasted.format(token=server.owner_token)
    result = await submit(hass, await begin(hass), **typed(server, **{CONF_TOKEN: token}))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"][CONF_TOKEN] == server.owner_token


async def test_same_server_again_changes_nothing(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    before = dict(loaded.data)
    server.requests.clear()
    result = await submit(
        hass,
        await begin(hass),
        **typed(server, **{CONF_TOKEN: "another", CONF_URL: server.url + "/web"}),
    )
    assert result["type"] is FlowResultType.ABORT
    assert result["reason"] == "already_configured"
    assert dict(loaded.data) == before
    assert [request.path for request in server.requests] == ["/identity"]


async def test_second_server_of_the_same_name_shows_its_address(
    hass: HomeAssistant, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    async with SimulatedPlex(
        machine_identifier="f" * 40, friendly_name=server.friendly_name
    ) as second:
        result = await submit(hass, await begin(hass), **typed(second))
        assert result["title"] == f"{server.friendly_name} (127.0.0.1)"
        await hass.async_block_till_done()
        await hass.config_entries.async_unload(result["result"].entry_id)


@pytest.mark.parametrize(
    ("fault", "value", "field", "error"),
    [
        ("unauthorized", True, CONF_TOKEN, "unauthorized"),
        ("forbidden", True, CONF_TOKEN, "not_owner"),
        ("maintenance", True, "base", "starting_up"),
        ("login_page", True, "base", "not_plex"),
        ("bad_gateway", True, "base", "cannot_connect"),
        ("other_json", True, "base", "not_plex"),
        ("redirect_to", "http://127.0.0.1:9/", "base", "not_plex"),
    ],
)
async def test_error_keeps_what_was_typed_and_can_be_mended(
    hass: HomeAssistant,
    server: SimulatedPlex,
    fault: str,
    value: bool | str,
    field: str,
    error: str,
) -> None:
    setattr(server.faults, fault, value)
    result = await submit(hass, await begin(hass), **typed(server, **{CONF_VERIFY_SSL: False}))
    assert result["type"] is FlowResultType.FORM
    assert result["errors"] == {field: error}
    assert suggested(result) == {CONF_URL: server.url, CONF_VERIFY_SSL: False}
    setattr(server.faults, fault, None if isinstance(value, str) else False)
    result = await submit(hass, result, **typed(server))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("", ""),
        ("ftp://nas", "ftp://nas"),
        ("nas:99999", "nas:99999"),
        ("http://somebody:secret@na s/?X-Plex-Token=pasted", "http://na s/"),
        ("somebody:secret@na s#X-Plex-Token=pasted", "na s"),
        ("X-Plex-Token=pasted", ""),
        ("http://na s/library&x-plex-token=pasted", "http://na s/library"),
        ("somebody:sec/ret@nas:x", "nas:x"),
    ],
)
async def test_what_is_no_address_is_said_without_asking_anybody(
    hass: HomeAssistant, server: SimulatedPlex, address: str, shown: str
) -> None:
    result = await submit(hass, await begin(hass), **typed(server, **{CONF_URL: address}))
    assert result["errors"] == {CONF_URL: "invalid_address"}
    assert suggested(result)[CONF_URL] == shown
    assert not server.requests
    result = await submit(hass, result, **typed(server))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    "token", ["two words", "line\nbreak", "tökén", "X-Plex-Token=", "X-Plex-Token: ''"]
)
async def test_what_is_no_token_is_said_without_asking_anybody(
    hass: HomeAssistant, server: SimulatedPlex, token: str
) -> None:
    result = await submit(hass, await begin(hass), **typed(server, **{CONF_TOKEN: token}))
    assert result["errors"] == {CONF_TOKEN: "invalid_token"}
    assert not server.requests
    result = await submit(hass, result, **typed(server))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


@pytest.mark.parametrize(
    "form",
    [
        "{token}",
        "  {token}\n",
        '"{token}"',
        "'{token}'",
        "X-Plex-Token: {token}",
        "x-plex-token={token}",
        "X-Plex-Token%3D{token}",
        "X-Plex-Token:%20{token}",
        "X-Plex-Token%3A{token}",
        "X-Plex-Token%3D%22{token}%22",
        "\u201cX-Plex-Token={token}\u201d",
        "X-Plex-Token: \u201c{token}\u201d",
        "http://nas:32400/library/metadata/1?checkFiles=1&X-Plex-Token={token}&x=1",
    ],
)
async def test_tokens_as_people_paste_them(
    hass: HomeAssistant, server: SimulatedPlex, form: str
) -> None:
    token = form.format(token=server.owner_token)
    result = await submit(hass, await begin(hass), **typed(server, **{CONF_TOKEN: token}))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"][CONF_TOKEN] == server.owner_token
    await hass.async_block_till_done()


async def test_server_that_is_off(hass: HomeAssistant, server: SimulatedPlex) -> None:
    await server.stop_listening()
    result = await submit(hass, await begin(hass), **typed(server))
    assert result["errors"] == {"base": "cannot_connect"}
    await server.listen()
    result = await submit(hass, result, **typed(server))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


async def test_https_on_a_server_without_it(hass: HomeAssistant, server: SimulatedPlex) -> None:
    address = server.url.replace("http:", "https:")
    result = await submit(hass, await begin(hass), **typed(server, **{CONF_URL: address}))
    assert result["errors"] == {"base": "tls"}
    assert suggested(result)[CONF_URL] == address
    assert all("x-plex-token" not in request.headers for request in server.requests)
    result = await submit(hass, result, **typed(server))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


async def test_reauth_stores_the_new_token_only(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    entry = entry_for(server, **{CONF_TOKEN: "revoked"})
    await house.set_up(entry, server, ConfigEntryState.SETUP_RETRY)
    await house.passes(120)
    (flow,) = hass.config_entries.flow.async_progress()
    assert flow["step_id"] == "reauth_confirm"
    result = await by_hand(hass, await hass.config_entries.flow.async_configure(flow["flow_id"]))
    assert result["description_placeholders"]
    assert result["description_placeholders"]["name"] == server.friendly_name
    result = await submit(hass, result, **{CONF_TOKEN: "still-wrong"})
    assert result["errors"] == {CONF_TOKEN: "unauthorized"}
    result = await submit(hass, result, **{CONF_TOKEN: server.owner_token})
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "reauth_successful")
    await house.settled()
    assert entry.state is ConfigEntryState.LOADED
    assert entry.data == {**entry_for(server).data}


async def test_server_that_is_claimed_later_stays_the_same_entry(
    hass: HomeAssistant, house: House, socket_enabled: None
) -> None:
    async with SimulatedPlex(claimed=False) as server:
        entry = await house.set_up(entry_for(server, **{CONF_TOKEN: ""}), server)
        server.claim()
        await house.passes(900, step=30)
        (flow,) = hass.config_entries.flow.async_progress()
        result = await by_hand(
            hass, await hass.config_entries.flow.async_configure(flow["flow_id"])
        )
        result = await submit(hass, result, **{CONF_TOKEN: server.owner_token})
        assert result["reason"] == "reauth_successful"
        await house.settled()
        assert hass.config_entries.async_entries(DOMAIN) == [entry]
        assert entry.state is ConfigEntryState.LOADED


@pytest.mark.parametrize("source", ["reauth", "reconfigure"])
async def test_other_server_is_refused_before_it_gets_a_token(
    hass: HomeAssistant, server: SimulatedPlex, loaded: MockConfigEntry, source: str
) -> None:
    before = dict(loaded.data)
    server.faults.other_machine_identifier = True
    server.requests.clear()
    if source == "reauth":
        result = await by_hand(hass, await loaded.start_reauth_flow(hass))
        result = await submit(hass, result, **{CONF_TOKEN: server.owner_token})
    else:
        result = await by_hand(hass, await loaded.start_reconfigure_flow(hass))
        result = await submit(hass, result, **typed(server))
    assert (result["type"], result["reason"]) == (FlowResultType.ABORT, "other_server")
    assert dict(loaded.data) == before
    assert all("x-plex-token" not in request.headers for request in server.requests)
    server.faults.other_machine_identifier = False


@pytest.mark.parametrize("token", [{}, {CONF_TOKEN: ""}, {CONF_TOKEN: "second-owner-token"}])
async def test_reconfigure_changes_the_address_and_keeps_the_token_unless_told(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
    token: dict[str, str],
) -> None:
    expected = token.get(CONF_TOKEN) or server.owner_token
    async with SimulatedPlex(
        machine_identifier=server.machine_identifier, owner_token=expected
    ) as moved:
        result = await by_hand(hass, await loaded.start_reconfigure_flow(hass))
        assert suggested(result) == {CONF_URL: server.url, CONF_VERIFY_SSL: True}
        result = await submit(
            hass, result, **{CONF_URL: moved.url, CONF_VERIFY_SSL: False}, **token
        )
        assert result["reason"] == "reconfigure_successful"
        await house.settled()
        assert loaded.state is ConfigEntryState.LOADED
        assert loaded.data[CONF_TOKEN] == expected
        assert loaded.data[CONF_VERIFY_SSL] is False
        assert URL(loaded.data[CONF_URL]) == URL(moved.url)
        assert loaded.data[CONF_CLIENT_IDENTIFIER] == entry_for(server).data[CONF_CLIENT_IDENTIFIER]
        await hass.config_entries.async_unload(loaded.entry_id)


async def test_reconfigure_that_fails_keeps_the_entry_and_can_be_mended(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    before = dict(loaded.data)
    result = await by_hand(hass, await loaded.start_reconfigure_flow(hass))
    result = await submit(hass, result, **typed(server, **{CONF_TOKEN: "wrong"}))
    assert result["errors"] == {CONF_TOKEN: "unauthorized"}
    assert dict(loaded.data) == before
    result = await submit(hass, result, **{CONF_URL: server.url, CONF_VERIFY_SSL: True})
    assert result["reason"] == "reconfigure_successful"
    await house.settled()
    assert dict(loaded.data) == before


async def test_reauth_keeps_what_changed_meanwhile(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    result = await by_hand(hass, await loaded.start_reauth_flow(hass))
    data = {**loaded.data, CONF_VERIFY_SSL: False}
    hass.config_entries.async_update_entry(loaded, data=data)
    result = await submit(hass, result, **{CONF_TOKEN: server.owner_token})
    assert result["reason"] == "reauth_successful"
    assert dict(loaded.data) == data
    await house.settled()


async def test_reauth_recovers_from_a_dropped_connection(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    result = await by_hand(hass, await loaded.start_reauth_flow(hass))
    server.faults.empty_reply = True
    result = await submit(hass, result, **{CONF_TOKEN: server.owner_token})
    assert list(result["errors"] or ()) == ["base"]
    server.faults.empty_reply = False
    result = await submit(hass, result, **{CONF_TOKEN: server.owner_token})
    assert result["reason"] == "reauth_successful"
    assert loaded.data[CONF_URL] == server.url
    await house.settled()
