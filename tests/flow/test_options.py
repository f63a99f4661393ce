"""The options: which of Plex's own reports are used, and the address for its webhook."""

import asyncio
from typing import Any, Final

from homeassistant.config_entries import ConfigEntryState, ConfigFlowResult
from homeassistant.const import CONF_WEBHOOK_ID
from homeassistant.core import HomeAssistant
from homeassistant.core_config import async_process_ha_core_config
from homeassistant.data_entry_flow import FlowResultType
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.plex_butler.const import CONF_LOG, CONF_WEBHOOK
from tests.cloud import SimulatedCloud
from tests.conftest import House
from tests.flow.dialogue import WEBHOOK_FAILURES, suggested
from tests.flow.user import User, until, waiting
from tests.simulator import SimulatedPlex
from tests.simulator.plex_tv import SimulatedPlexTv

LOCAL: Final = "http://192.168.1.9:8123"
PUBLIC: Final = "https://home.example.org"
OTHERS: Final = ["https://example.org/tautulli?key=a%20b", f"{LOCAL}/api/webhook/another"]


class Options:
    """Somebody in front of the options of one server."""

    def __init__(self, hass: HomeAssistant, entry: MockConfigEntry) -> None:
        """Initialize; nothing is opened."""
        self.entry = entry
        self._hass = hass
        self._flows = hass.config_entries.options

    async def opens(self) -> ConfigFlowResult:
        """Open the form, as *Configure* does."""
        result = await self._flows.async_init(self.entry.entry_id)
        assert (result["type"], result["step_id"]) == (FlowResultType.FORM, "init")
        return result

    async def submits(self, result: ConfigFlowResult, **user_input: Any) -> ConfigFlowResult:
        """Submit a form."""
        result = await self._flows.async_configure(result["flow_id"], user_input)
        await self._hass.async_block_till_done()
        return result

    async def chooses(self, result: ConfigFlowResult, option: str) -> ConfigFlowResult:
        """Choose an option of a menu."""
        assert result["type"] is FlowResultType.MENU
        assert option in result["menu_options"]
        return await self.submits(result, next_step_id=option)

    async def turns(self, *, webhook: bool, log: bool = False) -> ConfigFlowResult:
        """Open the form, choose what is used, and return what comes next."""
        return await self.submits(await self.opens(), log=log, webhook=webhook)

    async def finishes(self, result: ConfigFlowResult) -> None:
        """Choose to finish."""
        result = await self.chooses(result, "finish")
        assert result["type"] is FlowResultType.CREATE_ENTRY
        assert self.entry.state is ConfigEntryState.LOADED

    async def looks(self, result: ConfigFlowResult) -> ConfigFlowResult:
        """Let the frontend fetch what there is to show."""
        return await self._flows.async_configure(result["flow_id"])


@pytest.fixture(name="options")
async def options_fixture(hass: HomeAssistant, loaded: MockConfigEntry) -> Options:
    """Somebody in front of the options, in a Home Assistant that has a local address."""
    await async_process_ha_core_config(hass, {"internal_url": LOCAL})
    return Options(hass, loaded)


def path_of(entry: MockConfigEntry) -> str:
    """Return the path of the webhook."""
    return f"/api/webhook/{entry.options[CONF_WEBHOOK_ID]}"


def shown(result: ConfigFlowResult) -> dict[str, str]:
    """Return what a description is filled with."""
    return dict(result["description_placeholders"] or {})


# What is used


@pytest.mark.parametrize("log", [True, False])
async def test_options_are_stored_and_shown_again(
    options: Options, loaded: MockConfigEntry, *, log: bool
) -> None:
    """Both are off at first; what is chosen is stored, and used at once."""
    before = loaded.runtime_data
    result = await options.opens()
    assert (schema := result["data_schema"])
    assert schema({}) == {CONF_LOG: False, CONF_WEBHOOK: False}
    result = await options.submits(result, log=log, webhook=False)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert loaded.state is ConfigEntryState.LOADED
    assert loaded.options == {CONF_LOG: log, CONF_WEBHOOK: False}
    assert loaded.runtime_data is not before
    assert suggested(await options.opens()) == {CONF_LOG: log, CONF_WEBHOOK: False}


# The address


@pytest.mark.parametrize("public", [True, False])
async def test_address_is_shown_and_listens_at_once(
    hass: HomeAssistant, options: Options, loaded: MockConfigEntry, *, public: bool
) -> None:
    if public:
        await async_process_ha_core_config(hass, {"external_url": PUBLIC})
    result = await options.turns(webhook=True)
    assert loaded.state is ConfigEntryState.LOADED
    assert loaded.options[CONF_WEBHOOK] is True
    path = path_of(loaded)
    assert len(path) > 60
    bases = [LOCAL, PUBLIC] if public else [LOCAL]
    assert result["menu_options"] == ["webhook", "register", "finish"]
    addresses = "\n".join(f"- `{base}{path}`" for base in bases)
    assert shown(result) == {"addresses": addresses, "received": "-"}
    before = loaded.runtime_data
    await options.finishes(result)
    assert loaded.runtime_data is before
    # It is the same the next time.
    assert shown(await options.turns(webhook=True))["addresses"] == addresses
    assert loaded.runtime_data is before


async def test_address_from_outside_may_be_that_of_the_cloud(
    options: Options, loaded: MockConfigEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "homeassistant.helpers.network._get_cloud_url", lambda *_, **__: "https://a.ui.nabu.casa"
    )
    result = await options.turns(webhook=True)
    path = path_of(loaded)
    assert shown(result)["addresses"] == f"- `{LOCAL}{path}`\n- `https://a.ui.nabu.casa{path}`"


async def test_home_assistant_that_knows_no_address_of_its_own(
    options: Options, hass: HomeAssistant
) -> None:
    hass.config.internal_url = hass.config.api = None
    result = await options.turns(webhook=True)
    assert result["menu_options"] == ["webhook", "finish"]
    assert shown(result) == {"addresses": "-", "received": "-"}


async def test_what_arrives_is_shown(
    hass: HomeAssistant,
    house: House,
    options: Options,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
    hass_client_no_auth: ClientSessionGenerator,
) -> None:
    await hass.config.async_set_time_zone("Europe/Berlin")
    result = await options.turns(webhook=True)
    client = await hass_client_no_auth()
    server.webhooks.addresses = [str(client.make_url(path_of(loaded)))]
    server.webhooks.send({"event": "admin.database.backup"})
    await server.webhooks.sent()
    result = await options.chooses(result, "webhook")
    assert shown(result)["received"] == "-"
    server.webhooks.send(server.webhooks.fields("media.play"))
    await server.webhooks.sent()
    result = await options.chooses(result, "webhook")
    assert shown(result)["received"][-6:] == loaded.runtime_data.reports.webhook_received.strftime(
        ":%M:%S"
    )
    assert "private" not in str(result)


async def test_server_that_is_not_set_up_has_received_nothing(
    hass: HomeAssistant, house: House, options: Options, server: SimulatedPlex
) -> None:
    await server.stop_listening()
    result = await options.turns(webhook=True)
    assert options.entry.state is ConfigEntryState.SETUP_RETRY
    assert shown(await options.chooses(result, "webhook"))["received"] == "-"
    await server.listen()


# Home Assistant Cloud


async def test_address_over_the_cloud_is_offered_created_once_and_deleted(
    options: Options, cloud: SimulatedCloud, user: User, loaded: MockConfigEntry
) -> None:
    result = await options.turns(webhook=True)
    assert result["menu_options"] == ["webhook", "register", "cloud", "finish"]
    assert cloud.addresses == []
    before = loaded.runtime_data
    result = await options.chooses(result, "cloud")
    [address] = cloud.addresses
    assert result["menu_options"] == ["webhook", "register", "finish"]
    local = f"{LOCAL}{path_of(loaded)}"
    assert shown(result)["addresses"] == f"- `{local}`\n- `{address}`"
    # It is stored, however the dialog ends.
    assert loaded.options["cloudhook_url"] == address
    user.plex_tv.webhooks = [*OTHERS]
    result = await options.chooses(result, "register")
    result = await signs_in(options, user, await options.submits(result, address=address))
    assert user.plex_tv.webhooks == [*OTHERS, address]
    await options.finishes(result)
    assert loaded.runtime_data is before
    result = await options.turns(webhook=True)
    assert address in shown(result)["addresses"]
    assert cloud.created == 1
    await options.finishes(result)

    result = await options.chooses(await options.turns(webhook=False), "unregister")
    assert cloud.addresses == [address]
    result = await signs_in(options, user, await options.submits(result))
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert user.plex_tv.webhooks == OTHERS
    assert cloud.addresses == []
    assert loaded.options == {CONF_LOG: False, CONF_WEBHOOK: False}


async def test_address_follows_the_account_at_the_cloud(
    hass: HomeAssistant, options: Options, cloud: SimulatedCloud, loaded: MockConfigEntry
) -> None:
    await options.finishes(await options.chooses(await options.turns(webhook=True), "cloud"))
    before, other = loaded.runtime_data, "https://hooks.nabu.casa/gAAAAB"
    webhook_id = loaded.options["webhook_id"]
    cloud.changes_account(hass, **{webhook_id: other, "somebody": "https://hooks.nabu.casa/x"})
    await hass.async_block_till_done()
    assert loaded.options["cloudhook_url"] == other
    result = await options.turns(webhook=True)
    assert f"`{other}`" in shown(result)["addresses"]
    await options.finishes(result)

    cloud.changes_account(hass)
    await hass.async_block_till_done()
    assert loaded.options == {CONF_LOG: False, CONF_WEBHOOK: True, "webhook_id": webhook_id}
    assert loaded.runtime_data is before
    result = await options.chooses(await options.turns(webhook=True), "cloud")
    assert cloud.addresses[0] in shown(result)["addresses"]
    await options.finishes(result)


async def test_account_at_the_cloud_is_nothing_to_an_entry_without_an_address(
    hass: HomeAssistant, options: Options, cloud: SimulatedCloud, loaded: MockConfigEntry
) -> None:
    await options.finishes(await options.turns(webhook=True))
    cloud.changes_account(hass, **{loaded.options["webhook_id"]: "https://hooks.nabu.casa/x"})
    await hass.async_block_till_done()
    assert "cloudhook_url" not in loaded.options


@pytest.mark.parametrize(
    ("name", "value"), [("is_logged_in", False), ("subscription_expired", True)]
)
async def test_cloud_without_a_subscription_is_not_offered(
    options: Options, cloud: SimulatedCloud, name: str, value: bool
) -> None:
    setattr(cloud, name, value)
    result = await options.turns(webhook=True)
    assert result["menu_options"] == ["webhook", "register", "finish"]


@pytest.mark.parametrize("fault", [TimeoutError(), RuntimeError("of the library"), None])
async def test_cloud_that_provides_no_address(
    options: Options,
    cloud: SimulatedCloud,
    loaded: MockConfigEntry,
    fault: Exception | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The dialog says so, and goes on with or without one."""
    cloud.fault, cloud.connected = fault, fault is not None
    result = await options.chooses(await options.turns(webhook=True), "cloud")
    assert (result["step_id"], result["menu_options"]) == ("cloud_failed", ["cloud", "webhook"])
    assert "cloudhook_url" not in loaded.options
    result = await options.chooses(result, "webhook")
    assert shown(result)["addresses"] == f"- `{LOCAL}{path_of(loaded)}`"
    cloud.fault, cloud.connected = None, True
    result = await options.chooses(await options.chooses(result, "cloud"), "webhook")
    assert cloud.addresses[0] in shown(result)["addresses"]
    assert "Traceback" not in caplog.text
    assert path_of(loaded) not in caplog.text


@pytest.mark.parametrize("how", ["is_logged_in", "subscription_expired", "not set up"])
async def test_user_who_leaves_the_cloud_is_told_so(
    hass: HomeAssistant, options: Options, cloud: SimulatedCloud, loaded: MockConfigEntry, how: str
) -> None:
    """The address is not shown, because nothing arrives there."""
    result = await options.chooses(await options.turns(webhook=True), "cloud")
    await options.finishes(result)
    if how == "not set up":
        hass.config.components.remove("cloud")
    else:
        setattr(cloud, how, how == "subscription_expired")
    result = await options.turns(webhook=True)
    assert shown(result)["addresses"] == f"- `{LOCAL}{path_of(loaded)}`"
    result = await options.chooses(result, "cloud")
    assert result["step_id"] == "cloud_failed"
    assert loaded.options["cloudhook_url"] == cloud.addresses[0]


@pytest.mark.parametrize("way", ["finish", "store"])
async def test_cloud_that_does_not_delete_its_address(
    hass: HomeAssistant,
    options: Options,
    cloud: SimulatedCloud,
    loaded: MockConfigEntry,
    way: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await options.finishes(await options.chooses(await options.turns(webhook=True), "cloud"))
    cloud.fault = RuntimeError("of the library")
    result = await options.chooses(await options.turns(webhook=False), "finish")
    assert (result["step_id"], result["menu_options"]) == ("cloud_left", ["finish", "store"])
    assert loaded.options[CONF_WEBHOOK] is True
    cloud.fault = None
    result = await options.chooses(result, way)
    assert result["type"] is FlowResultType.CREATE_ENTRY
    assert len(cloud.addresses) == (1 if way == "store" else 0)
    assert loaded.options == {CONF_LOG: False, CONF_WEBHOOK: False}
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("gone", [True, False])
async def test_address_over_the_cloud_that_is_gone_already(
    hass: HomeAssistant, options: Options, cloud: SimulatedCloud, *, gone: bool
) -> None:
    await options.finishes(await options.chooses(await options.turns(webhook=True), "cloud"))
    if gone:
        cloud.cloudhooks_by_id.clear()
    else:
        hass.config.components.remove("cloud")
    result = await options.chooses(await options.turns(webhook=False), "finish")
    if not gone:
        assert result["step_id"] == "cloud_left"
        hass.config.components.add("cloud")
        result = await options.chooses(result, "finish")
    assert result["type"] is FlowResultType.CREATE_ENTRY


# The Plex account


@pytest.fixture(name="on")
async def on_fixture(options: Options, plex_tv: SimulatedPlexTv) -> ConfigFlowResult:
    """The step with the address, and an account that has other addresses."""
    plex_tv.webhooks = [*OTHERS]
    return await options.turns(webhook=True)


async def signs_in(options: Options, user: User, result: ConfigFlowResult) -> ConfigFlowResult:
    """Sign in on Plex's page, and see where the dialog goes by itself."""
    assert (result["type"], result["step_id"]) == (FlowResultType.EXTERNAL_STEP, "sign_in")
    assert (await options.looks(result))["url"] == result["url"]
    user.plex_tv.sign_in(user.plex_tv.codes[-1])
    await user.waits()
    assert not waiting(user.hass)
    return await options.looks(result)


@pytest.mark.parametrize("public", [True, False])
async def test_address_is_entered_by_a_sign_in(
    hass: HomeAssistant,
    options: Options,
    on: ConfigFlowResult,
    user: User,
    loaded: MockConfigEntry,
    whole_log: pytest.LogCaptureFixture,
    *,
    public: bool,
) -> None:
    await async_process_ha_core_config(hass, {"external_url": PUBLIC})
    result = await options.chooses(on, "register")
    assert (result["type"], result["step_id"], result["errors"]) == ("form", "register", {})
    assert (schema := result["data_schema"])
    local = f"{LOCAL}{path_of(loaded)}"
    assert schema({}) == {"address": local}
    address = f"{PUBLIC}{path_of(loaded)}" if public else local
    result = await options.submits(result, address=address)
    result = await signs_in(options, user, result)
    assert (result["type"], result["step_id"]) == (FlowResultType.MENU, "registered")
    assert user.plex_tv.webhooks == [*OTHERS, address]
    result = await options.chooses(result, "webhook")
    await options.finishes(result)
    ours = [r.getMessage() for r in whole_log.records if "custom_components" in r.name]
    for secret in (path_of(loaded), "tautulli", "another", *user.plex_tv.tokens):
        assert not [line for line in ours if secret in line]
    assert not [token for token in user.plex_tv.tokens if token in str(loaded.as_dict())]


@pytest.mark.parametrize("by_sign_in", [True, False])
async def test_webhook_is_turned_off(
    hass: HomeAssistant,
    options: Options,
    on: ConfigFlowResult,
    user: User,
    loaded: MockConfigEntry,
    *,
    by_sign_in: bool,
) -> None:
    await options.finishes(on)
    user.plex_tv.webhooks.insert(1, f"{LOCAL}{path_of(loaded)}")
    result = await options.turns(webhook=False)
    assert (result["step_id"], result["menu_options"]) == ("webhook_off", ["unregister", "finish"])
    assert loaded.options[CONF_WEBHOOK] is True
    if by_sign_in:
        result = await options.chooses(result, "unregister")
        assert (result["type"], result["step_id"], result["errors"]) == ("form", "unregister", {})
        result = await signs_in(options, user, await options.submits(result))
        assert result["type"] is FlowResultType.CREATE_ENTRY
        assert user.plex_tv.webhooks == OTHERS
    else:
        await options.finishes(result)
        assert len(user.plex_tv.webhooks) == 3
    await hass.async_block_till_done()
    assert loaded.options == {CONF_LOG: False, CONF_WEBHOOK: False}
    assert loaded.state is ConfigEntryState.LOADED


@pytest.mark.parametrize("webhook", [True, False])
@pytest.mark.parametrize(("fault", "value", "error"), WEBHOOK_FAILURES)
async def test_account_that_cannot_be_changed(
    options: Options,
    on: ConfigFlowResult,
    user: User,
    loaded: MockConfigEntry,
    *,
    webhook: bool,
    fault: str,
    value: Any,
    error: str,
) -> None:
    """The form says why, and can be submitted again."""
    address = f"{LOCAL}{path_of(loaded)}"
    if webhook:
        result = await options.chooses(on, "register")
        user_input = {"address": address}
    else:
        user.plex_tv.webhooks.append(address)
        await options.finishes(on)
        result = await options.chooses(await options.turns(webhook=False), "unregister")
        user_input = {}
    user.plex_tv.faults.only_at = "/webhooks"
    setattr(user.plex_tv.faults, fault, value)
    result = await signs_in(options, user, await options.submits(result, **user_input))
    assert (result["type"], result["errors"]) == (FlowResultType.FORM, {"base": error})
    setattr(user.plex_tv.faults, fault, False if value is True else None)
    result = await signs_in(options, user, await options.submits(result, **user_input))
    assert user.plex_tv.webhooks == ([*OTHERS, address] if webhook else OTHERS)


async def test_sign_in_that_does_not_begin(
    options: Options, on: ConfigFlowResult, user: User, loaded: MockConfigEntry
) -> None:
    await user.plex_tv.stop_listening()
    result = await options.chooses(on, "register")
    result = await options.submits(result, address=f"{LOCAL}{path_of(loaded)}")
    assert (result["step_id"], result["errors"]) == ("register", {"base": "plex_tv_down"})
    await user.plex_tv.listen()


@pytest.mark.parametrize("how", ["refuse", "expire"])
async def test_nobody_signs_in(
    options: Options, on: ConfigFlowResult, user: User, loaded: MockConfigEntry, how: str
) -> None:
    result = await options.chooses(on, "register")
    result = await options.submits(result, address=f"{LOCAL}{path_of(loaded)}")
    getattr(user.plex_tv, how)(user.plex_tv.codes[-1])
    await user.waits()
    result = await options.looks(result)
    error = {"refuse": "sign_in_refused", "expire": "sign_in_expired"}[how]
    assert (result["step_id"], result["errors"]) == ("register", {"base": error})


async def test_dialog_that_is_closed_waits_no_longer(
    hass: HomeAssistant,
    options: Options,
    on: ConfigFlowResult,
    user: User,
    loaded: MockConfigEntry,
) -> None:
    result = await options.chooses(on, "register")
    result = await options.submits(result, address=f"{LOCAL}{path_of(loaded)}")
    assert waiting(hass)
    hass.config_entries.options.async_abort(result["flow_id"])
    await until(lambda: not waiting(hass))
    assert user.plex_tv.webhooks == OTHERS


async def test_second_window_is_not_in_the_way(
    options: Options, on: ConfigFlowResult, user: User, loaded: MockConfigEntry
) -> None:
    """Both go on, and the list is changed once."""
    result = await options.chooses(on, "register")
    result = await options.submits(result, address=f"{LOCAL}{path_of(loaded)}")
    user.plex_tv.sign_in(user.plex_tv.codes[-1])
    user.plex_tv.faults.only_at, user.plex_tv.faults.slow = "/webhooks", 0.01
    waits = asyncio.create_task(user.waits())
    await until(lambda: any(each.path.endswith("/webhooks") for each in user.plex_tv.requests))
    looks = asyncio.create_task(options.looks(result))
    await asyncio.sleep(0)
    while not looks.done():
        user.freezer.tick(1)
        await asyncio.sleep(0)
    await waits
    assert looks.result()["type"] is FlowResultType.EXTERNAL_STEP_DONE
    assert (await options.looks(result))["step_id"] == "registered"
    assert user.plex_tv.webhooks == [*OTHERS, f"{LOCAL}{path_of(loaded)}"]
    changes = [each for each in user.plex_tv.requests if each.path.endswith("/webhooks")]
    assert [each.method for each in changes] == ["GET", "POST", "GET"]
