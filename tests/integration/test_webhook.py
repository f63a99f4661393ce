"""Plex's webhook: what arrives over a socket, and what Home Assistant shows of it."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from datetime import timedelta
import json
import logging
from typing import Any, Final, override
from unittest.mock import AsyncMock

from aiohttp import ClientSession
from homeassistant.components import webhook
from homeassistant.config_entries import ConfigEntryDisabler, ConfigEntryState
from homeassistant.const import CONF_WEBHOOK_ID, STATE_OFF, STATE_ON, STATE_UNKNOWN
from homeassistant.core import HomeAssistant
from homeassistant.helpers import entity_registry as er, issue_registry as ir
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
from homeassistant.util.aiohttp import MockRequest
import pytest
from pytest_homeassistant_custom_component.common import (
    MockConfigEntry,
    async_capture_events,
)
from pytest_homeassistant_custom_component.typing import (
    ClientSessionGenerator,
    WebSocketGenerator,
)

from custom_components.plex_butler.butler.backups import BackupSource
from custom_components.plex_butler.const import CONF_LOG, CONF_WEBHOOK, DOMAIN
from custom_components.plex_butler.diagnostics import async_get_config_entry_diagnostics
from tests.conftest import House, entry_for
from tests.integration.automations import automate, trigger
from tests.simulator import SimulatedPlex
from tests.simulator.webhooks import BACKUP, CORRUPTED, LOOK_ALIKE, PICTURE, multipart

PACKAGE: Final = "custom_components.plex_butler"
WEBHOOK_ID: Final = "5ecre7" * 8
BACKUP_TASK: Final = "BackupDatabase"
CONTENT_TYPE: Final = "multipart/form-data; boundary=------------------------0123456789abcdef"

type Sends = Callable[[dict[str, Any] | bytes], Coroutine[Any, Any, None]]


@pytest.fixture(name="entry")
def entry_fixture(server: SimulatedPlex) -> MockConfigEntry:
    """The entry of a server whose webhook is used."""
    return with_webhook(server)


def with_webhook(server: SimulatedPlex, webhook_id: str = WEBHOOK_ID) -> MockConfigEntry:
    entry = entry_for(server)
    options = {CONF_LOG: False, CONF_WEBHOOK: True, CONF_WEBHOOK_ID: webhook_id}
    object.__setattr__(entry, "options", options)
    return entry


@pytest.fixture(name="address")
async def address_fixture(hass_client_no_auth: ClientSessionGenerator) -> str:
    """The address of the webhook, where Home Assistant listens."""
    client = await hass_client_no_auth()
    return str(client.make_url(f"/api/webhook/{WEBHOOK_ID}"))


@pytest.fixture(name="sends")
async def sends_fixture(
    house: House, server: SimulatedPlex, loaded: MockConfigEntry, address: str
) -> Sends:
    """Let the server send an event, and see it arrive."""
    server.webhooks.addresses = [address]

    async def send(fields: dict[str, Any] | bytes) -> None:
        picture = PICTURE if isinstance(fields, dict) and fields["event"] == "media.play" else b""
        server.webhooks.send(fields, picture=picture)
        await server.webhooks.sent()
        assert server.webhooks.delivered.pop()[1] == 200
        await house.settled()

    return send


def last_backup(house: House, server: SimulatedPlex) -> tuple[str, str | None]:
    """Return what *Last good backup* shows."""
    state = house.state(server, "sensor", "last_good_backup")
    return state.state, state.attributes["source"]


def overdue(house: House, server: SimulatedPlex) -> tuple[str, str]:
    """Return what *Backup overdue* shows."""
    state = house.state(server, "binary_sensor", "backup_overdue")
    return state.state, state.attributes["not_told_since"]


def issues(hass: HomeAssistant) -> list[str | None]:
    """Return what the issues of ours are about."""
    return [i.translation_key for i in ir.async_get(hass).issues.values() if i.domain == DOMAIN]


# A backup


@pytest.mark.parametrize("typed", [True, False])
async def test_backup_is_shown_when_plex_reports_it(
    house: House, server: SimulatedPlex, sends: Sends, *, typed: bool
) -> None:
    began = dt_util.utcnow().isoformat()
    server.faults.untyped_webhook = not typed
    assert last_backup(house, server) == (STATE_UNKNOWN, None)
    assert overdue(house, server) == (STATE_UNKNOWN, began)
    await house.passes(60)
    now = dt_util.utcnow()
    await sends(server.webhooks.fields(BACKUP))
    assert last_backup(house, server) == (now.isoformat(timespec="seconds"), "webhook")
    assert overdue(house, server) == (STATE_OFF, now.isoformat())


async def test_backup_that_plex_makes_by_itself(
    house: House, server: SimulatedPlex, loaded: MockConfigEntry, address: str
) -> None:
    """From the run on the server to the sensor, with nobody in between."""
    server.webhooks.addresses = [address]
    server.butler.start(BACKUP_TASK)
    await house.passes(120)
    await server.webhooks.sent()
    await house.settled()
    assert last_backup(house, server)[1] == "webhook"


async def test_backup_is_known_after_a_restart(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
    sends: Sends,
) -> None:
    await sends(server.webhooks.fields(BACKUP))
    before = last_backup(house, server), overdue(house, server)
    await house.passes(60)
    assert await hass.config_entries.async_reload(loaded.entry_id)
    await house.settled()
    assert (last_backup(house, server), overdue(house, server)) == before


async def test_backup_during_an_outage_is_shown_after_it(
    house: House, server: SimulatedPlex, sends: Sends
) -> None:
    """It fires the trigger at once: it is Plex that reports it."""
    calls = await automate(house.hass, trigger("backup_completed"))
    await server.stop_listening()
    await house.passes(60)
    now = dt_util.utcnow()
    await sends(server.webhooks.fields(BACKUP))
    assert len(calls) == 1
    await server.listen()
    await house.passes(60)
    assert last_backup(house, server) == (now.isoformat(timespec="seconds"), "webhook")


async def test_home_assistant_is_down_when_it_comes(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
    address: str,
) -> None:
    """Nobody tries again, and no word is not the word that there is no backup."""
    server.webhooks.addresses = [address]
    assert await hass.config_entries.async_unload(loaded.entry_id)
    server.webhooks.send(server.webhooks.fields(BACKUP))
    await server.webhooks.sent()
    await house.passes(8 * 86400, step=86400)
    await house.set_up(loaded, server)
    assert last_backup(house, server) == (STATE_UNKNOWN, None)
    assert overdue(house, server)[0] == STATE_UNKNOWN


# Overdue


async def test_backup_is_overdue_after_a_long_silence(
    house: House, server: SimulatedPlex, sends: Sends
) -> None:
    """Twice three days and one, of which Home Assistant listened to all."""
    await sends(server.webhooks.fields(BACKUP))
    reported = overdue(house, server)[1]
    await house.passes(7 * 86400, step=21600)
    assert overdue(house, server) == (STATE_OFF, reported)
    await house.passes(600, step=300)
    assert overdue(house, server) == (STATE_ON, reported)
    await sends(server.webhooks.fields(BACKUP))
    assert overdue(house, server)[0] == STATE_OFF


async def test_run_of_ours_is_no_proof_but_no_silence_either(
    house: House, server: SimulatedPlex, sends: Sends
) -> None:
    server.faults.by_name_is_silent = True
    await house.passes(6 * 86400, step=21600)
    await house.act(DOMAIN, "start_task", task="backup_database")
    await house.passes(300)
    await house.passes(2 * 86400, step=21600)
    assert last_backup(house, server) == (STATE_UNKNOWN, None)
    assert overdue(house, server)[0] == STATE_UNKNOWN
    await house.passes(6 * 86400, step=21600)
    assert overdue(house, server)[0] == STATE_ON


# What is dropped


@pytest.mark.parametrize(
    "changes",
    [
        {"Server": {"title": "Friend", "uuid": "f" * 40}},
        {"Server": None},
        {"owner": False},
    ],
)
async def test_what_is_not_of_this_server_is_dropped(
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
    sends: Sends,
    changes: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.clear()
    for event in (BACKUP, CORRUPTED, "media.play"):
        await sends(server.webhooks.fields(event, **changes))
    await sends(LOOK_ALIKE)
    await sends(b"no JSON")
    assert last_backup(house, server) == (STATE_UNKNOWN, None)
    assert issues(house.hass) == []
    assert loaded.runtime_data.reports.webhook_received is None
    assert loaded.runtime_data.statistics.webhook == {"dropped": 5}
    assert not [r for r in caplog.records if r.name.startswith("custom_components")]


async def test_burst_of_what_is_played_costs_no_state_and_no_task(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
    sends: Sends,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    states = async_capture_events(hass, "state_changed")
    polls = len(server.requests)
    with monkeypatch.context() as patch:
        patch.setattr(hass, "async_create_task", pytest.fail)
        patch.setattr(loaded, "async_create_background_task", pytest.fail)
        for _ in range(40):
            server.webhooks.send(server.webhooks.fields("media.play"), picture=PICTURE)
        await server.webhooks.sent()
    assert {status for _, status in server.webhooks.delivered} == {200}
    assert states == []
    assert len(server.requests) == polls
    assert loaded.runtime_data.statistics.webhook == {"other": 40}


async def test_picture_is_not_read(
    hass: HomeAssistant, house: House, server: SimulatedPlex, sends: Sends, address: str
) -> None:
    """The answer comes although the picture does not."""
    body = multipart(json.dumps(server.webhooks.fields(BACKUP)).encode(), PICTURE)

    async def parts() -> AsyncGenerator[bytes]:
        yield body[:1000]
        while last_backup(house, server)[0] == STATE_UNKNOWN:
            await asyncio.sleep(0)
        yield body[1000:]

    async with (
        ClientSession() as session,
        session.post(address, data=parts(), headers={"Content-Type": CONTENT_TYPE}) as response,
    ):
        assert response.status == 200
    assert last_backup(house, server)[1] == "webhook"


@pytest.mark.parametrize("content_type", ["application/json", None])
async def test_other_kinds_of_requests_are_dropped(
    house: House,
    server: SimulatedPlex,
    sends: Sends,
    address: str,
    content_type: str | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    async with ClientSession() as session:
        data = json.dumps(server.webhooks.fields(BACKUP)).encode()
        async with session.post(address, data=data, headers=headers) as response:
            assert response.status == 200
        body = multipart(data)
        for method in ("GET", "HEAD", "PUT"):
            headers = {"Content-Type": CONTENT_TYPE}
            async with session.request(method, address, data=body, headers=headers) as response:
                assert response.status == 200
    assert last_backup(house, server)[0] == STATE_UNKNOWN
    told = [r.getMessage() for r in caplog.records if r.levelno > logging.INFO]
    assert WEBHOOK_ID not in " ".join(told)


async def test_connection_that_breaks_is_no_error(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Home Assistant would log an error with the secret id."""

    class Broken(MockRequest):
        @property
        @override
        def content(self) -> Any:
            return self

        async def read(self, _: int) -> bytes:
            raise ConnectionResetError

    request = Broken(b"", "test", headers={"Content-Type": CONTENT_TYPE}, method="POST")
    response = await webhook.async_handle_webhook(hass, WEBHOOK_ID, request)
    assert response.status == 200
    assert WEBHOOK_ID not in "".join(r.message for r in caplog.records if r.levelno > logging.INFO)
    assert loaded.runtime_data.statistics.webhook == {"dropped": 1}


async def test_request_over_the_cloud(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    """It comes from outside the network, and as another kind of object."""
    body = multipart(json.dumps(server.webhooks.fields(BACKUP)).encode())
    headers = {"Content-Type": CONTENT_TYPE}
    request = MockRequest(body, "cloud", method="POST", headers=headers, remote="198.51.100.7")
    await webhook.async_handle_webhook(hass, WEBHOOK_ID, request)
    await house.settled()
    assert last_backup(house, server)[1] == "webhook"


# Corruption


@pytest.fixture(name="_repairs")
async def repairs_fixture(hass: HomeAssistant) -> None:
    """Home Assistant's repairs, which have to be there before it listens."""
    assert await async_setup_component(hass, "repairs", {})


@pytest.mark.usefixtures("_repairs")
async def test_corruption_is_shown_until_the_user_dismisses_it(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
    sends: Sends,
    hass_client: ClientSessionGenerator,
) -> None:
    await sends(server.webhooks.fields(CORRUPTED))
    assert issues(hass) == ["database_corrupted"]
    await sends(server.webhooks.fields(BACKUP))
    assert await hass.config_entries.async_reload(loaded.entry_id)
    await house.settled()
    assert issues(hass) == ["database_corrupted"]
    issue_id = f"database_corrupted_{loaded.entry_id}"
    issue = ir.async_get(hass).async_get_issue(DOMAIN, issue_id)
    assert issue
    assert (issue.is_persistent, issue.severity) == (True, ir.IssueSeverity.CRITICAL)
    assert issue.translation_placeholders == {"name": "Cellar"}
    await dismiss(hass_client, issue_id)
    assert issues(hass) == []
    await sends(server.webhooks.fields(CORRUPTED))
    assert issues(hass) == ["database_corrupted"]


async def dismiss(hass_client: ClientSessionGenerator, issue_id: str) -> None:
    """Open an issue and submit it, as the frontend does."""
    client = await hass_client()
    path = "/api/repairs/issues/fix"
    response = await client.post(path, json={"handler": DOMAIN, "issue_id": issue_id})
    form = await response.json()
    assert (form["type"], form["step_id"]) == ("form", "confirm")
    response = await client.post(f"{path}/{form['flow_id']}", json={})
    assert (await response.json())["type"] == "create_entry"


# The entry


async def test_entities_exist_only_where_an_option_is_on(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    registry = er.async_get(hass)
    ids = [
        house.entity_id(server, "sensor", "last_good_backup"),
        house.entity_id(server, "binary_sensor", "backup_overdue"),
    ]
    assert all(registry.async_get(entity_id) for entity_id in ids)
    hass.config_entries.async_update_entry(loaded, options={})
    assert await hass.config_entries.async_reload(loaded.entry_id)
    assert not any(registry.async_get(entity_id) for entity_id in ids)
    hass.config_entries.async_update_entry(loaded, options={CONF_LOG: True})
    assert await hass.config_entries.async_reload(loaded.entry_id)
    assert all(registry.async_get(entity_id) for entity_id in ids)


async def test_webhook_is_there_as_long_as_the_entry_is_loaded(
    hass: HomeAssistant,
    house: House,
    loaded: MockConfigEntry,
    hass_ws_client: WebSocketGenerator,
) -> None:
    async def registered() -> list[dict[str, Any]]:
        await client.send_json_auto_id({"type": "webhook/list"})
        listed: list[dict[str, Any]] = (await client.receive_json())["result"]
        return listed

    client = await hass_ws_client(hass)
    assert await registered() == [
        {
            "webhook_id": WEBHOOK_ID,
            "domain": DOMAIN,
            "name": "Cellar",
            "local_only": False,
            "allowed_methods": ["GET", "HEAD", "POST", "PUT"],
        }
    ]
    assert await hass.config_entries.async_unload(loaded.entry_id)
    assert await registered() == []


@pytest.fixture(name="waiting")
async def waiting_fixture(
    house: House,
    server: SimulatedPlex,
    entry: MockConfigEntry,
    hass_client_no_auth: ClientSessionGenerator,
) -> MockConfigEntry:
    """The entry, while its server cannot be reached."""
    await server.stop_listening()
    await house.set_up(entry, server, ConfigEntryState.SETUP_RETRY)
    client = await hass_client_no_auth()
    server.webhooks.addresses = [str(client.make_url(f"/api/webhook/{WEBHOOK_ID}"))]
    return entry


async def send_twice(house: House, server: SimulatedPlex, event: str) -> None:
    """Send an event to both addresses that an account may hold."""
    server.webhooks.addresses *= 2
    server.webhooks.send(server.webhooks.fields(event))
    await server.webhooks.sent()
    server.webhooks.addresses.pop()
    await house.settled()


async def test_backup_counts_while_the_server_cannot_be_reached(
    hass: HomeAssistant, house: House, server: SimulatedPlex, waiting: MockConfigEntry
) -> None:
    """The trigger fires at once; what entities show waits until they are there."""
    calls = await automate(hass, trigger("backup_completed"))
    reported = dt_util.utcnow()
    await send_twice(house, server, BACKUP)
    await send_twice(house, server, "media.play")
    [call] = calls
    assert call.data["trigger"]["reported"] == reported.isoformat()
    await house.passes(120)
    assert not hass.states.async_all("sensor")
    await server.listen()
    await house.passes(120)
    shown = reported.isoformat(timespec="seconds")
    assert last_backup(house, server) == (shown, "webhook")
    assert overdue(house, server)[0] == STATE_OFF
    # Half a week later it is reported as ever, and what was kept is no news any more.
    await house.passes(3 * 86400, step=21600)
    now = dt_util.utcnow()
    await send_twice(house, server, BACKUP)
    assert last_backup(house, server)[0] == now.isoformat(timespec="seconds")
    assert len(calls) == 2
    assert await hass.config_entries.async_reload(waiting.entry_id)
    await house.settled()
    assert last_backup(house, server)[0] == now.isoformat(timespec="seconds")


async def test_silence_begins_with_the_backup_that_was_kept(
    house: House, server: SimulatedPlex, waiting: MockConfigEntry
) -> None:
    await send_twice(house, server, BACKUP)
    await house.passes(3 * 86400, step=21600)
    await server.listen()
    await house.passes(600)
    assert overdue(house, server)[0] == STATE_OFF
    await house.passes(4 * 86400, step=21600)
    assert overdue(house, server)[0] == STATE_ON


async def test_backup_that_was_stored_before_is_not_kept_twice(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry, sends: Sends
) -> None:
    """The second address of the account may be served only after a restart."""
    await sends(server.webhooks.fields(BACKUP))
    before = last_backup(house, server)
    await house.passes(5)
    await server.stop_listening()
    await hass.config_entries.async_reload(loaded.entry_id)
    assert loaded.state is ConfigEntryState.SETUP_RETRY
    await send_twice(house, server, BACKUP)
    await server.listen()
    await house.passes(120)
    assert last_backup(house, server) == before


async def test_corruption_is_shown_while_the_server_cannot_be_reached(
    hass: HomeAssistant, house: House, server: SimulatedPlex, waiting: MockConfigEntry
) -> None:
    await send_twice(house, server, CORRUPTED)
    assert issues(hass) == ["database_corrupted"]


@pytest.mark.parametrize("how", ["async_unload", "async_remove", "async_set_disabled_by"])
async def test_webhook_is_gone_with_the_entry_that_waits(
    hass: HomeAssistant, waiting: MockConfigEntry, how: str
) -> None:
    """It is there through all tries, and can be registered again."""
    handlers = hass.data["webhook"]
    assert list(handlers) == [WEBHOOK_ID]
    assert not await hass.config_entries.async_reload(waiting.entry_id)
    assert list(handlers) == [WEBHOOK_ID]
    args = (ConfigEntryDisabler.USER,) if how == "async_set_disabled_by" else ()
    await getattr(hass.config_entries, how)(waiting.entry_id, *args)
    assert not handlers


async def test_webhook_is_gone_with_an_entry_that_could_not_be_unloaded(
    hass: HomeAssistant, loaded: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(f"{PACKAGE}.async_unload_entry", AsyncMock(return_value=False))
        await hass.config_entries.async_remove(loaded.entry_id)
    assert not hass.data["webhook"]
    await loaded.runtime_data.async_close()


async def test_two_servers_have_an_address_each(
    house: House, server: SimulatedPlex, sends: Sends
) -> None:
    async with SimulatedPlex(machine_identifier="b" * 40, friendly_name="Attic") as attic:
        entry = await house.set_up(with_webhook(attic, "other"), attic)
        # Both are in one account, so that each sends to both.
        attic.webhooks.addresses = [
            *server.webhooks.addresses,
            server.webhooks.addresses[0].replace(WEBHOOK_ID, "other"),
        ]
        attic.webhooks.send(attic.webhooks.fields(BACKUP))
        await attic.webhooks.sent()
        await house.settled()
        assert last_backup(house, server)[0] == STATE_UNKNOWN
        assert last_backup(house, attic)[1] == "webhook"
        await house.hass.config_entries.async_unload(entry.entry_id)


@pytest.mark.usefixtures("_repairs")
@pytest.mark.parametrize("webhook_on", [True, False])
async def test_removed_entry_says_where_its_address_is(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
    *,
    webhook_on: bool,
) -> None:
    if webhook_on:
        loaded.runtime_data.reports.async_record_corruption()
    else:
        hass.config_entries.async_update_entry(loaded, options={})
    await hass.config_entries.async_remove(loaded.entry_id)
    assert issues(hass) == (["webhook_left"] if webhook_on else [])


# The trigger, and bug reports


async def test_trigger(house: House, server: SimulatedPlex, sends: Sends) -> None:
    calls = await automate(house.hass, trigger("backup_completed"))
    now = dt_util.utcnow()
    await sends(server.webhooks.fields("media.play"))
    await sends(server.webhooks.fields(CORRUPTED))
    await sends(server.webhooks.fields(BACKUP))
    [call] = calls
    told = call.data["trigger"]
    assert (told["server"], told["source"], told["reported"]) == (
        "Cellar",
        "webhook",
        now.isoformat(),
    )
    assert told["description"] == "backup completed on Cellar"


async def test_one_backup_that_arrives_twice_is_one(
    house: House, server: SimulatedPlex, sends: Sends
) -> None:
    """The account may hold the address from inside as well as the one from outside."""
    calls = await automate(house.hass, trigger("backup_completed"))
    server.webhooks.addresses *= 2
    await sends(server.webhooks.fields(BACKUP))
    assert len(calls) == 1
    await house.passes(86400, step=21600)
    await sends(server.webhooks.fields(BACKUP))
    assert len(calls) == 2


async def test_log_and_webhook_report_one_backup(
    house: House, server: SimulatedPlex, loaded: MockConfigEntry, sends: Sends
) -> None:
    calls = await automate(house.hass, trigger("backup_completed"))
    await sends(server.webhooks.fields(BACKUP))
    before = last_backup(house, server)
    await house.passes(5)
    loaded.runtime_data.reports.async_record_good_backup(BackupSource.LOG)
    await house.settled()
    assert last_backup(house, server) == before
    assert len(calls) == 1
    await house.passes(86400, step=21600)
    loaded.runtime_data.reports.async_record_good_backup(BackupSource.LOG)
    await house.settled()
    assert last_backup(house, server)[1] == "log"
    assert len(calls) == 2


async def test_diagnostics_tell_of_which_runs_plex_reports(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
    sends: Sends,
    address: str,
) -> None:
    await sends(server.webhooks.fields(BACKUP))
    await house.passes(60)
    await house.act(DOMAIN, "start_task", task="backup_database")
    started = dt_util.utcnow()
    await house.passes(5)
    await sends(server.webhooks.fields(BACKUP))
    await house.passes(120)
    await server.webhooks.sent()
    await sends(server.webhooks.fields("media.play"))
    await sends(LOOK_ALIKE)
    diagnostics = await async_get_config_entry_diagnostics(hass, loaded)
    by_itself, during, *_ = diagnostics["statistics"]["backups"]
    assert by_itself["run"] is None
    assert (during["source"], during["run"]["started"]) == ("webhook", started.isoformat())
    assert during["reported"] == (started + timedelta(seconds=5)).isoformat()
    assert diagnostics["statistics"]["webhook"] == {"backup": 3, "other": 1, "dropped": 1}
    assert diagnostics["options"] == {"log": False, "webhook": True}
    assert diagnostics["backups"]["overdue"] is False
    text = json.dumps(diagnostics, default=str)
    assert WEBHOOK_ID not in text
    assert "private" not in text


async def test_secrets_stay_in_the_entry(
    hass: HomeAssistant,
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
    sends: Sends,
    caplog: pytest.LogCaptureFixture,
    hass_storage: dict[str, Any],
) -> None:
    for event in (BACKUP, CORRUPTED, "media.play"):
        await sends(server.webhooks.fields(event))
    await house.passes(60)
    await loaded.runtime_data.async_close()
    ours = [r.getMessage() for r in caplog.records if "custom_components" in r.name]
    stored = json.dumps(hass_storage[f"{DOMAIN}.{loaded.entry_id}"])
    states = json.dumps([state.as_dict() for state in hass.states.async_all()], default=str)
    for where in (*ours, stored, states, str(ir.async_get(hass).issues)):
        assert WEBHOOK_ID not in where
        assert "private" not in where
