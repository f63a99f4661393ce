"""A removed server whose webhook's address may be left in the Plex account, and in the cloud."""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from homeassistant.const import CONF_WEBHOOK_ID
from homeassistant.core import HomeAssistant
from homeassistant.helpers import issue_registry as ir
from homeassistant.setup import async_setup_component
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, flush_store
from pytest_homeassistant_custom_component.typing import ClientSessionGenerator

from custom_components.plex_butler.const import (
    CONF_CLOUDHOOK_URL,
    CONF_LOG,
    CONF_WEBHOOK,
    DOMAIN,
)
from tests.cloud import SimulatedCloud
from tests.conftest import House, entry_for
from tests.flow.dialogue import WEBHOOK_FAILURES
from tests.flow.user import User, until, waiting
from tests.simulator import SimulatedPlex

WEBHOOK_ID: Final = "5ecre7" * 8
LOCAL: Final = "http://192.168.1.9:8123/api/webhook/"
OTHERS: Final = ["https://example.org/tautulli?key=a%20b", f"{LOCAL}another"]
PATH: Final = "/api/repairs/issues/fix"

type Posts = Callable[..., Coroutine[Any, Any, dict[str, Any]]]


def with_webhook(
    server: SimulatedPlex, webhook_id: str = WEBHOOK_ID, **options: Any
) -> MockConfigEntry:
    entry = entry_for(server)
    options = {CONF_LOG: False, CONF_WEBHOOK: True, CONF_WEBHOOK_ID: webhook_id, **options}
    object.__setattr__(entry, "options", options)
    return entry


@pytest.fixture(name="entry")
def entry_fixture(server: SimulatedPlex) -> MockConfigEntry:
    """The entry of a server whose webhook is used."""
    return with_webhook(server)


@pytest.fixture(name="posts")
async def posts_fixture(hass: HomeAssistant, hass_client: ClientSessionGenerator) -> Posts:
    """Send what a step of a repair wants, as the frontend does; None only looks at it."""
    for component in ("webhook", "repairs"):
        assert await async_setup_component(hass, component, {})
    client = await hass_client()

    async def post(path: str, data: dict[str, str] | None = None) -> dict[str, Any]:
        path = f"{PATH}/{path}".rstrip("/")
        response = await (client.get(path) if data is None else client.post(path, json=data))
        assert response.status == 200
        await hass.async_block_till_done()
        step: dict[str, Any] = await response.json()
        return step

    return post


@pytest.fixture(name="opened")
async def opened_fixture(
    hass: HomeAssistant, loaded: MockConfigEntry, user: User, posts: Posts
) -> dict[str, Any]:
    """The repair of a server that was removed, opened."""
    user.plex_tv.webhooks = [OTHERS[0], f"{LOCAL}{WEBHOOK_ID}", OTHERS[1]]
    await hass.config_entries.async_remove(loaded.entry_id)
    return await opens(posts, loaded)


async def opens(posts: Posts, entry: MockConfigEntry) -> dict[str, Any]:
    """Open the repair of an entry."""
    step = await posts("", {"handler": DOMAIN, "issue_id": f"webhook_left_{entry.entry_id}"})
    assert (step["type"], step["step_id"]) == ("menu", "init")
    assert step["menu_options"] == ["unregister", "confirm"]
    assert step["description_placeholders"] == {"name": entry.title}
    return step


async def signs_in(posts: Posts, user: User, step: dict[str, Any]) -> dict[str, Any]:
    """Choose to sign in, do so on Plex's page, and see where the dialog goes by itself."""
    flow_id = step["flow_id"]
    if step["type"] == "menu":
        step = await posts(flow_id, {"next_step_id": "unregister"})
        assert (step["step_id"], step["errors"]) == ("unregister", {})
    step = await posts(flow_id, {})
    assert (step["type"], step["step_id"]) == ("external", "sign_in")
    assert (await posts(flow_id))["url"] == step["url"]
    user.plex_tv.sign_in(user.plex_tv.codes[-1])
    await user.waits()
    assert not waiting(user.hass)
    return await posts(flow_id)


def issues(hass: HomeAssistant) -> list[str]:
    """Return the ids of the issues of ours."""
    return [issue_id for domain, issue_id in ir.async_get(hass).issues if domain == DOMAIN]


async def test_address_is_taken_out_by_a_sign_in(
    hass: HomeAssistant,
    user: User,
    posts: Posts,
    opened: dict[str, Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """All others stay, and the repair is done."""
    step = await signs_in(posts, user, opened)
    assert step["type"] == "create_entry"
    assert user.plex_tv.webhooks == OTHERS
    assert issues(hass) == []
    ours = [r.getMessage() for r in caplog.records if "custom_components" in r.name]
    assert not [line for line in ours if WEBHOOK_ID in line or "tautulli" in line]


async def test_address_is_taken_out_by_hand(
    hass: HomeAssistant, user: User, posts: Posts, opened: dict[str, Any]
) -> None:
    before = [*user.plex_tv.webhooks]
    step = await posts(opened["flow_id"], {"next_step_id": "confirm"})
    assert (step["type"], step["step_id"]) == ("form", "confirm")
    assert len(issues(hass)) == 1
    step = await posts(opened["flow_id"], {})
    assert step["type"] == "create_entry"
    assert issues(hass) == []
    assert user.plex_tv.webhooks == before


@pytest.mark.parametrize(("fault", "value", "error"), WEBHOOK_FAILURES)
async def test_account_that_cannot_be_changed(
    hass: HomeAssistant,
    user: User,
    posts: Posts,
    opened: dict[str, Any],
    fault: str,
    value: Any,
    error: str,
) -> None:
    """The form says why, and can be submitted again; the repair stays until that succeeds."""
    user.plex_tv.faults.only_at = "/webhooks"
    setattr(user.plex_tv.faults, fault, value)
    step = await signs_in(posts, user, opened)
    assert (step["type"], step["step_id"], step["errors"]) == (
        "form",
        "unregister",
        {"base": error},
    )
    assert len(issues(hass)) == 1
    setattr(user.plex_tv.faults, fault, False if value is True else None)
    step = await signs_in(posts, user, step)
    assert step["type"] == "create_entry"
    assert user.plex_tv.webhooks == OTHERS


async def test_sign_in_that_does_not_begin(
    user: User, posts: Posts, opened: dict[str, Any]
) -> None:
    await user.plex_tv.stop_listening()
    await posts(opened["flow_id"], {"next_step_id": "unregister"})
    step = await posts(opened["flow_id"], {})
    assert (step["step_id"], step["errors"]) == ("unregister", {"base": "plex_tv_down"})
    await user.plex_tv.listen()


@pytest.mark.parametrize("how", ["expired", "refused"])
async def test_sign_in_that_comes_to_nothing(
    user: User, posts: Posts, opened: dict[str, Any], how: str
) -> None:
    await posts(opened["flow_id"], {"next_step_id": "unregister"})
    await posts(opened["flow_id"], {})
    end = user.plex_tv.expire if how == "expired" else user.plex_tv.refuse
    end(user.plex_tv.codes[-1])
    await user.waits()
    step = await posts(opened["flow_id"])
    assert (step["step_id"], step["errors"]) == ("unregister", {"base": f"sign_in_{how}"})


async def test_dialog_that_is_closed_waits_no_longer(
    hass: HomeAssistant, user: User, posts: Posts, opened: dict[str, Any]
) -> None:
    """The repair stays."""
    await posts(opened["flow_id"], {"next_step_id": "unregister"})
    await posts(opened["flow_id"], {})
    assert waiting(hass)
    hass.data["repairs"]["flow_manager"].async_abort(opened["flow_id"])
    await until(lambda: not waiting(hass))
    assert len(issues(hass)) == 1
    assert len(user.plex_tv.webhooks) == 3


async def test_each_removed_server_has_a_repair_of_its_own(
    hass: HomeAssistant, house: House, loaded: MockConfigEntry, user: User, posts: Posts
) -> None:
    async with SimulatedPlex(machine_identifier="b" * 40, friendly_name="Attic") as attic:
        other = await house.set_up(with_webhook(attic, "0ther"), attic)
        await hass.config_entries.async_remove(loaded.entry_id)
        await hass.config_entries.async_remove(other.entry_id)
    user.plex_tv.webhooks = [f"{LOCAL}{WEBHOOK_ID}", *OTHERS, f"{LOCAL}0ther"]
    await signs_in(posts, user, await opens(posts, other))
    assert user.plex_tv.webhooks == [f"{LOCAL}{WEBHOOK_ID}", *OTHERS]
    assert issues(hass) == [f"webhook_left_{loaded.entry_id}"]
    await signs_in(posts, user, await opens(posts, loaded))
    assert user.plex_tv.webhooks == OTHERS
    assert issues(hass) == []


async def test_repair_survives_a_restart(
    hass: HomeAssistant,
    loaded: MockConfigEntry,
    user: User,
    posts: Posts,
    hass_storage: dict[str, Any],
) -> None:
    """Also after the last server was removed; what it needs is stored with it."""
    user.plex_tv.webhooks = [f"{LOCAL}{WEBHOOK_ID}", *OTHERS]
    await hass.config_entries.async_remove(loaded.entry_id)
    registry = ir.async_get(hass)
    await flush_store(registry._store)
    registry.issues.clear()
    await registry.async_load()
    assert registry.async_get_issue(DOMAIN, f"webhook_left_{loaded.entry_id}")
    step = await signs_in(posts, user, await opens(posts, loaded))
    assert step["type"] == "create_entry"
    assert user.plex_tv.webhooks == OTHERS


# Home Assistant Cloud


@pytest.fixture(name="over_cloud")
async def over_cloud_fixture(
    house: House, server: SimulatedPlex, cloud: SimulatedCloud
) -> MockConfigEntry:
    """The entry of a server whose webhook has an address over the cloud."""
    hook = await cloud.async_create(WEBHOOK_ID, True)
    entry = with_webhook(server, **{CONF_CLOUDHOOK_URL: hook["cloudhook_url"]})
    return await house.set_up(entry, server)


@pytest.mark.parametrize("fault", [None, RuntimeError("of the library"), ValueError("gone")])
async def test_address_over_the_cloud_is_deleted_with_the_entry(
    hass: HomeAssistant,
    over_cloud: MockConfigEntry,
    cloud: SimulatedCloud,
    user: User,
    posts: Posts,
    fault: Exception | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """And the sign-in knows it, although it does not hold the webhook's id."""
    user.plex_tv.webhooks = [OTHERS[0], *cloud.addresses, OTHERS[1]]
    cloud.fault = fault
    await hass.config_entries.async_remove(over_cloud.entry_id)
    told = "did not delete the webhook address of Cellar" in caplog.text
    assert told is isinstance(fault, RuntimeError)
    if not fault:
        assert cloud.addresses == []
    assert "Traceback" not in caplog.text
    assert WEBHOOK_ID not in " ".join(r.getMessage() for r in caplog.records if r.levelno > 20)
    await signs_in(posts, user, await opens(posts, over_cloud))
    assert user.plex_tv.webhooks == OTHERS
