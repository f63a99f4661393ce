"""Repairs: what only the user can mend is explained, and the explanation goes when it is mended."""

from pathlib import Path
import ssl

from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.plex_butler.const import DOMAIN
from tests.certificates import AUTHORITY, HASH, PLEX_TLS, UNKNOWN_TLS, certificate
from tests.conftest import House, entry_for
from tests.flow.dialogue import by_hand, submit, typed
from tests.flow.names import Names
from tests.flow.user import User
from tests.simulator import Faults, SimulatedPlex
from tests.simulator.plex_tv import SimulatedPlexTv
from tests.simulator.plex_tv_rows import plex_direct

OWN_TLS = certificate(AUTHORITY, "127.0.0.1")


def issues(hass: HomeAssistant) -> list[str]:
    """Return what the issues of ours are about."""
    return [
        issue.translation_key or ""
        for issue in ir.async_get(hass).issues.values()
        if issue.domain == DOMAIN
    ]


def secure(tls: ssl.SSLContext, port: int = 0, owner_token: str | None = None) -> SimulatedPlex:
    """Return a server that speaks https."""
    return SimulatedPlex(
        tls=tls, port=port, owner_token=owner_token, faults=Faults(no_websocket=True)
    )


def secure_entry(server: SimulatedPlex) -> MockConfigEntry:
    """Return the entry of a server at its https address."""
    return entry_for(server, **{CONF_URL: f"https://127.0.0.1:{server.port}"})


@pytest.mark.usefixtures("without_stream")
async def test_token_that_is_not_the_owners_is_explained_until_it_is_again(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    assert issues(hass) == []
    server.faults.forbidden = True
    await house.passes(60)
    assert issues(hass) == ["not_owner"]
    issue = ir.async_get(hass).async_get_issue(DOMAIN, f"not_owner_{loaded.entry_id}")
    assert issue
    assert issue.translation_placeholders == {
        "server": server.friendly_name,
        "name": server.friendly_name,
    }
    assert issue.severity is ir.IssueSeverity.ERROR
    assert not issue.is_fixable
    assert not hass.config_entries.flow.async_progress()
    server.faults.forbidden = False
    await house.passes(300)
    assert issues(hass) == []


async def test_shared_users_token_is_explained_until_the_owners_is_given(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    entry = entry_for(server, **{CONF_TOKEN: server.shared_token})
    await house.set_up(entry, server, ConfigEntryState.SETUP_RETRY)
    assert issues(hass) == ["not_owner"]
    result = await by_hand(hass, await entry.start_reconfigure_flow(hass))
    result = await submit(hass, result, **typed(server))
    assert result["reason"] == "reconfigure_successful"
    await house.settled()
    assert entry.state is ConfigEntryState.LOADED
    assert issues(hass) == []


async def test_certificate_that_does_not_match_is_explained_until_the_address_is_changed(
    hass: HomeAssistant,
    house: House,
    user: User,
    plex_tv: SimulatedPlexTv,
    names: Names,
    trusted: None,
) -> None:
    async with secure(PLEX_TLS) as server:
        entry = await house.set_up(secure_entry(server), server, ConfigEntryState.SETUP_RETRY)
        assert issues(hass) == ["hostname_mismatch"]
        assert not server.requests
        name = f"127-0-0-1.{HASH}.plex.direct"
        names.known.add(name)
        plex_tv.add(server, connections=[plex_direct("127.0.0.1", HASH, port=server.port)])
        result = await user.signs_in(await entry.start_reconfigure_flow(hass))
        assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "moved")
        assert issues(hass) == ["hostname_mismatch"]
        result = await submit(hass, result)
        assert result["reason"] == "reconfigure_successful"
        await house.settled()
        assert entry.state is ConfigEntryState.LOADED
        assert entry.data[CONF_URL] == f"https://{name}:{server.port}"
        assert issues(hass) == []
        await hass.config_entries.async_unload(entry.entry_id)


async def test_form_offers_the_address_that_the_certificate_is_for(
    hass: HomeAssistant,
    house: House,
    names: Names,
    trusted: None,
    socket_enabled: None,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    bundle = tmp_path / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(bundle)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    async with secure(PLEX_TLS) as server:
        entry = await house.set_up(secure_entry(server), server, ConfigEntryState.SETUP_RETRY)
        result = await by_hand(hass, await entry.start_reconfigure_flow(hass))
        wrong = typed(server, **{CONF_URL: entry.data[CONF_URL]})
        result = await submit(hass, result, **wrong)
        assert result["errors"] == {"base": "hostname_mismatch_plex_direct"}
        assert result["description_placeholders"]
        address = result["description_placeholders"]["plex_direct"]
        assert address == f"https://127-0-0-1.{HASH}.plex.direct:{server.port}"
        names.known.add(f"127-0-0-1.{HASH}.plex.direct")
        result = await submit(hass, result, **typed(server, **{CONF_URL: address}))
        assert result["reason"] == "reconfigure_successful"
        await house.settled()
        assert entry.state is ConfigEntryState.LOADED
        assert issues(hass) == []
        await hass.config_entries.async_unload(entry.entry_id)


async def test_certificate_that_changes_while_the_server_runs(
    hass: HomeAssistant, house: House, names: Names, trusted: None, socket_enabled: None
) -> None:
    async with secure(OWN_TLS) as server:
        entry = await house.set_up(secure_entry(server), server)
        assert issues(hass) == []
        await server.stop_listening()
        async with secure(PLEX_TLS, server.port, server.owner_token) as changed:
            house.servers[:] = [changed]
            await house.passes(300)
            assert issues(hass) == ["hostname_mismatch"]
            assert not changed.requests
        await server.listen()
        house.servers[:] = [server]
        await house.passes(600, step=30)
        assert issues(hass) == []
        await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize("tls", [OWN_TLS, PLEX_TLS, UNKNOWN_TLS])
async def test_secure_connections_that_become_required_while_the_server_runs(
    hass: HomeAssistant, house: House, trusted: None, socket_enabled: None, tls: ssl.SSLContext
) -> None:
    async with secure(tls) as server:
        entry = await house.set_up(entry_for(server), server)
        await server.stop_listening()
        async with SimulatedPlex(
            tls=tls, port=server.port, secure_connections_required=True
        ) as changed:
            house.servers[:] = [changed]
            await house.passes(120)
            assert issues(hass) == ["https_required"]
            with pytest.raises(HomeAssistantError) as caught:
                await house.act(DOMAIN, "stop_all")
            assert caught.value.translation_key == "https_required"
            await hass.config_entries.async_reload(entry.entry_id)
            assert entry.error_reason_translation_key == "https_required_poll"
            assert issues(hass) == ["https_required"]
            assert not any("x-plex-token" in each.headers for each in changed.requests)
        await server.listen()
        house.servers[:] = [server]
        await house.passes(600, step=30)
        assert issues(hass) == []
        await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.usefixtures("without_stream")
async def test_server_that_is_unloaded_takes_its_issues_with_it(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    server.faults.forbidden = True
    await house.passes(60)
    assert issues(hass) == ["not_owner"]
    assert await hass.config_entries.async_unload(loaded.entry_id)
    assert issues(hass) == []


async def test_server_that_is_removed_takes_its_issues_with_it(
    hass: HomeAssistant, house: House, names: Names, trusted: None, socket_enabled: None
) -> None:
    async with secure(PLEX_TLS) as server:
        entry = await house.set_up(secure_entry(server), server, ConfigEntryState.SETUP_RETRY)
        assert issues(hass) == ["hostname_mismatch"]
        await hass.config_entries.async_remove(entry.entry_id)
        assert issues(hass) == []


@pytest.mark.usefixtures("without_stream")
async def test_what_passes_by_itself_is_no_matter_for_repairs(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    server.faults.bad_gateway = True
    await house.passes(120)
    server.faults.bad_gateway = False
    await server.stop_listening()
    await house.passes(120)
    assert issues(hass) == []
    await server.listen()
