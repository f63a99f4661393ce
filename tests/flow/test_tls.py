"""The config flow where secure connections are in play."""

import asyncio
from pathlib import Path
from typing import Any

from aiohttp import ClientTimeout
from homeassistant.config_entries import SOURCE_REAUTH, SOURCE_RECONFIGURE, ConfigEntryState
from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.core import HomeAssistant
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.util.ssl import get_default_context
import pytest
import trustme

from custom_components.plex_butler.const import DOMAIN
from tests.certificates import PLEX_NAME, certificate
from tests.flow.dialogue import begin, by_hand, submit, suggested, typed
from tests.plex.scripted_server import http, scripted_server
from tests.simulator import SimulatedPlex


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> trustme.CA:
    """A certificate authority that this Home Assistant trusts."""
    ca = trustme.CA()
    bundle = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(bundle)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    ca.configure_trust(get_default_context())
    return ca


def tokens_sent(server: SimulatedPlex) -> list[str]:
    return [r.path for r in server.requests if "x-plex-token" in r.headers]


async def test_http_that_is_dropped_becomes_https_and_the_user_is_told(
    hass: HomeAssistant, socket_enabled: None, trusted: trustme.CA
) -> None:
    async with SimulatedPlex(
        tls=certificate(trusted, "127.0.0.1"), secure_connections_required=True
    ) as server:
        result = await submit(hass, await begin(hass), **typed(server))
        assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "https")
        address = f"https://127.0.0.1:{server.port}"
        assert result["description_placeholders"] == {"address": address}
        result = await submit(hass, result)
        assert result["type"] is FlowResultType.CREATE_ENTRY
        assert result["data"][CONF_URL] == address
        await hass.async_block_till_done()
        await hass.config_entries.async_unload(result["result"].entry_id)


@pytest.mark.parametrize("source", [SOURCE_REAUTH, SOURCE_RECONFIGURE])
async def test_reauth_and_reconfigure_tell_of_https_too(
    hass: HomeAssistant, socket_enabled: None, trusted: trustme.CA, source: str
) -> None:
    async with SimulatedPlex(tls=certificate(trusted, "127.0.0.1")) as server:
        result = await submit(hass, await begin(hass), **typed(server))
        entry = result["result"]
        await hass.async_block_till_done()
        server.require_secure_connections()
        await server.restart()
        again = source == SOURCE_REAUTH
        result = await hass.config_entries.flow.async_init(
            DOMAIN,
            context={"source": source, "entry_id": entry.entry_id},
            data={**entry.data} if again else None,
        )
        result = await by_hand(hass, result)
        server_form: dict[str, Any] = {CONF_URL: server.url, CONF_VERIFY_SSL: True}
        answer = {CONF_TOKEN: server.owner_token} | ({} if again else server_form)
        result = await submit(hass, result, **answer)
        assert result["step_id"] == "https"
        result = await submit(hass, result)
        assert result["reason"] == f"{source}_successful"
        assert entry.data[CONF_URL] == f"https://127.0.0.1:{server.port}"
        await hass.async_block_till_done()
        await hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_plexs_own_certificate_is_answered_with_its_address(
    hass: HomeAssistant, socket_enabled: None, trusted: trustme.CA, scheme: str
) -> None:
    async with SimulatedPlex(
        tls=certificate(trusted, PLEX_NAME), secure_connections_required=True
    ) as server:
        address = f"{scheme}://127.0.0.1:{server.port}"
        result = await submit(hass, await begin(hass), **typed(server, **{CONF_URL: address}))
        assert result["errors"] == {"base": "hostname_mismatch_plex_direct"}
        assert result["description_placeholders"]
        assert result["description_placeholders"]["plex_direct"] == (
            f"https://127-0-0-1{PLEX_NAME[1:]}:{server.port}"
        )
        assert suggested(result)[CONF_URL] == address
        assert not server.requests
        # Where the network hides that name, the user may do without the check.
        result = await submit(hass, result, **typed(server, **{CONF_VERIFY_SSL: False}))
        assert result["step_id"] == "https"
        result = await submit(hass, result)
        assert result["type"] is FlowResultType.CREATE_ENTRY
        await hass.async_block_till_done()
        await hass.config_entries.async_unload(result["result"].entry_id)


async def test_certificate_for_another_name(
    hass: HomeAssistant, socket_enabled: None, trusted: trustme.CA
) -> None:
    async with SimulatedPlex(tls=certificate(trusted, "plex.example.org")) as server:
        address = f"https://127.0.0.1:{server.port}"
        result = await submit(hass, await begin(hass), **typed(server, **{CONF_URL: address}))
        assert result["errors"] == {"base": "hostname_mismatch"}
        assert not server.requests
        result = await submit(hass, result, **typed(server))
        assert result["type"] is FlowResultType.CREATE_ENTRY
        await hass.async_block_till_done()
        await hass.config_entries.async_unload(result["result"].entry_id)


async def test_certificate_that_nobody_vouches_for(
    hass: HomeAssistant, socket_enabled: None
) -> None:
    async with SimulatedPlex(tls=certificate(trustme.CA(), "127.0.0.1")) as server:
        address = f"https://127.0.0.1:{server.port}"
        result = await submit(hass, await begin(hass), **typed(server, **{CONF_URL: address}))
        assert result["errors"] == {"base": "tls"}
        assert not tokens_sent(server)
        unverified = typed(server, **{CONF_URL: address, CONF_VERIFY_SSL: False})
        result = await submit(hass, result, **unverified)
        assert result["type"] is FlowResultType.CREATE_ENTRY
        assert result["data"][CONF_TOKEN] == server.owner_token
        await hass.async_block_till_done()
        assert result["result"].state is ConfigEntryState.LOADED
        await hass.config_entries.async_unload(result["result"].entry_id)


async def test_server_that_hangs_up_on_http_and_https_alike(
    hass: HomeAssistant, server: SimulatedPlex
) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as deaf:
        address = f"http://127.0.0.1:{deaf.sockets[0].getsockname()[1]}"
        result = await submit(hass, await begin(hass), **typed(server, **{CONF_URL: address}))
    assert result["errors"] == {"base": "http_dropped"}
    assert result["description_placeholders"]
    https = address.replace("http:", "https:")
    assert result["description_placeholders"]["https_address"] == https
    assert suggested(result)[CONF_URL] == address
    result = await submit(hass, result, **typed(server))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


async def test_dropped_http_on_a_server_without_https_is_no_matter_of_certificates(
    hass: HomeAssistant, server: SimulatedPlex
) -> None:
    server.faults.empty_reply = True
    result = await submit(hass, await begin(hass), **typed(server))
    assert result["errors"] == {"base": "http_dropped"}
    assert suggested(result)[CONF_URL] == server.url
    server.faults.empty_reply = False
    result = await submit(hass, result, **typed(server))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    await hass.async_block_till_done()


async def test_dropped_http_on_a_server_whose_certificate_nobody_vouches_for(
    hass: HomeAssistant, socket_enabled: None
) -> None:
    async with SimulatedPlex(
        tls=certificate(trustme.CA(), "127.0.0.1"), secure_connections_required=True
    ) as server:
        result = await submit(hass, await begin(hass), **typed(server))
        assert result["errors"] == {"base": "https_untrusted"}
        result = await submit(hass, result, **typed(server, **{CONF_VERIFY_SSL: False}))
        result = await submit(hass, result)
        assert result["type"] is FlowResultType.CREATE_ENTRY
        await hass.async_block_till_done()
        await hass.config_entries.async_unload(result["result"].entry_id)


@pytest.mark.parametrize("verified", [True, False])
async def test_redirect_to_https_is_followed_if_the_user_agrees(
    hass: HomeAssistant, socket_enabled: None, trusted: trustme.CA, verified: bool
) -> None:
    tls = certificate(trusted if verified else trustme.CA(), "127.0.0.1")
    async with scripted_server() as proxy, SimulatedPlex(tls=tls) as server:
        address = f"https://127.0.0.1:{server.port}"
        proxy.answers["GET /identity"] = [http(301, Location=f"{address}/identity")]
        result = await submit(
            hass, await begin(hass), **typed(server, **{CONF_URL: str(proxy.url)})
        )
        if not verified:
            assert result["errors"] == {"base": "https_untrusted"}
            assert result["description_placeholders"]
            assert result["description_placeholders"]["https_address"] == address
            assert not tokens_sent(server)
            form = {CONF_URL: str(proxy.url), CONF_VERIFY_SSL: False}
            result = await submit(hass, result, **form)
        assert result["step_id"] == "https"
        assert result["description_placeholders"] == {"address": address}
        result = await submit(hass, result)
        assert result["type"] is FlowResultType.CREATE_ENTRY
        assert result["data"][CONF_URL] == address
        assert all("x-plex-token" not in request.headers for request in proxy.requests)
        await hass.async_block_till_done()
        await hass.config_entries.async_unload(result["result"].entry_id)


@pytest.mark.parametrize("how", ["tls_port", "redirect"])
async def test_address_for_https_only_where_https_fails_too(
    hass: HomeAssistant, server: SimulatedPlex, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    # What speaks no TLS says nothing, until the time for it is over.
    monkeypatch.setattr(
        "custom_components.plex_butler.plex.requests.request_limits",
        lambda _: ClientTimeout(total=5, connect=0.5),
    )
    async with scripted_server() as proxy:
        text = b"400 The plain HTTP request was sent to HTTPS port"
        secure = str(proxy.url.with_scheme("https")).rstrip("/")
        proxy.answers["GET /identity"] = [
            http(400, text) if how == "tls_port" else http(308, Location=f"{secure}/identity")
        ]
        result = await submit(
            hass, await begin(hass), **typed(server, **{CONF_URL: str(proxy.url)})
        )
        assert result["errors"] == {"base": "https_required"}
        assert result["description_placeholders"]
        assert result["description_placeholders"]["https_address"] == secure
    result = await submit(hass, result, **{CONF_URL: server.url, CONF_VERIFY_SSL: True})
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert result["data"][CONF_TOKEN] == server.owner_token
    await hass.async_block_till_done()
