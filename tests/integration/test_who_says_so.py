"""What something in front of the server says counts for nothing, and is told for what it is."""

from typing import Any, Final

from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNAVAILABLE
from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import issue_registry as ir
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, async_capture_events

from custom_components.plex_butler.const import DOMAIN
from tests.conftest import House, entry_for
from tests.repository import load
from tests.simulator import SimulatedPlex

INTROS: Final = "task_ButlerTaskGenerateIntroMarkers"
TASK_NAME: Final = "ButlerTaskGenerateIntroMarkers"
TASK: Final = "generate_intro_markers"
TEXTS: Final[dict[str, Any]] = load("translations/en.json")["exceptions"]
PROXIES: Final[list[tuple[dict[str, Any], str]]] = [
    ({"proxy_status": 404}, "not_plex"),
    ({"proxy_status": 405}, "not_plex"),
    ({"login_page": True}, "not_plex"),
    ({"proxy_wants_password": True}, "proxy_refuses"),
    ({"proxy_status": 401}, "proxy_refuses"),
    ({"proxy_status": 403}, "proxy_refuses"),
    ({"proxy_status": 500}, "cannot_connect"),
    ({"proxy_status": 502}, "cannot_connect"),
    ({"proxy_status": 521}, "cannot_connect"),
    ({"proxy_status": 530}, "cannot_connect"),
    ({"proxy_status": 429}, "too_many_requests"),
    ({"https_port": True}, "https_required"),
]
COMMANDS: Final[dict[str, dict[str, Any]]] = {
    "start_task": {"task": TASK},
    "stop_task": {"task": TASK},
    "start_all": {},
    "stop_all": {},
    "set_schedule": {"window_start": 3},
}

pytestmark = pytest.mark.usefixtures("some_tasks", "without_stream")


def set_faults(server: SimulatedPlex, faults: dict[str, Any]) -> None:
    for name, value in faults.items():
        setattr(server.faults, name, value)


def heal(server: SimulatedPlex, faults: dict[str, Any]) -> None:
    set_faults(server, {name: type(value)() for name, value in faults.items()})


async def refused(house: House, action: str, **data: Any) -> str:
    with pytest.raises(HomeAssistantError) as caught:
        await house.act(DOMAIN, action, **data)
    return str(caught.value.translation_key)


def ours(hass: HomeAssistant) -> list[str]:
    return [
        i.translation_key or "" for i in ir.async_get(hass).issues.values() if i.domain == DOMAIN
    ]


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize(("faults", "key"), PROXIES)
async def test_nothing_ends_as_finished_and_nobody_is_asked_for_a_token(
    hass: HomeAssistant, house: House, server: SimulatedPlex, faults: dict[str, Any], key: str
) -> None:
    await house.act(DOMAIN, "start_task", task=TASK)
    await house.passes(20)
    assert house.state(server, "switch", INTROS).state == STATE_ON
    events = async_capture_events(hass, "state_changed")
    set_faults(server, faults)
    await house.passes(5)
    assert house.state(server, "switch", INTROS).state == STATE_UNAVAILABLE
    await house.passes(180, step=30)
    for action, data in COMMANDS.items():
        assert await refused(house, action, **data) == key
    assert ours(hass) == (["https_required"] if key == "https_required" else [])
    assert not hass.config_entries.flow.async_progress()
    # The container was replaced: whatever ran is gone.
    server.butler.reset()
    server.activities.reset()
    heal(server, faults)
    await house.passes(300, step=30)
    assert house.state(server, "switch", INTROS).state == STATE_OFF
    told = str([event.data["new_state"] for event in events])
    assert "finished" not in told
    response = await house.act(DOMAIN, "get_tasks", respond=True)
    run = next(t["last_run"] for t in response["tasks"] if t["task"] == TASK)
    assert run["outcome"] == "end_not_seen"


@pytest.mark.parametrize(
    ("faults", "gone"),
    [
        ({"proxy_status": 404}, True),
        ({"login_page": True}, True),
        ({"proxy_wants_password": True}, True),
        ({"own_error": True}, False),
    ],
)
async def test_server_counts_as_gone_if_something_else_answers_twice(
    house: House,
    server: SimulatedPlex,
    loaded: MockConfigEntry,
    faults: dict[str, Any],
    *,
    gone: bool,
) -> None:
    await house.act(DOMAIN, "start_task", task=TASK)
    await house.passes(10)
    set_faults(server, faults)
    await house.passes(70, step=10)
    assert (TASK_NAME not in loaded.runtime_data.session.tracker.running) is gone
    heal(server, faults)


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("action", COMMANDS)
@pytest.mark.parametrize(("faults", "key"), PROXIES)
async def test_command_that_meets_a_proxy_after_a_silence_is_not_sent(
    house: House, server: SimulatedPlex, faults: dict[str, Any], key: str, action: str
) -> None:
    await house.passes(60, step=30)
    await house.passes(25, step=25)
    set_faults(server, faults)
    server.requests.clear()
    assert await refused(house, action, **COMMANDS[action]) == key
    assert {request.method for request in server.requests} == {"GET"}
    assert "again automatically" not in TEXTS[key]["message"]
    assert not server.butler.running


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("action", ["stop_task", "start_all", "stop_all"])
@pytest.mark.parametrize("faults", [{"proxy_status": 404}, {"login_page": True}])
async def test_command_that_a_proxy_answers_is_not_confirmed(
    house: House, server: SimulatedPlex, faults: dict[str, Any], action: str
) -> None:
    await house.passes(30, step=30)
    server.fail_from_next_command(**faults)
    assert await refused(house, action, **COMMANDS[action]) == "command_not_confirmed"


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("action", ["start_all", "stop_all"])
async def test_server_without_a_butler_says_so(
    house: House, server: SimulatedPlex, action: str
) -> None:
    server.faults.no_butler = True
    assert await refused(house, action) == "no_butler_refused"
    await house.passes(330, step=30)
    assert await refused(house, action) == "no_butler"


@pytest.mark.usefixtures("loaded")
async def test_answers_of_the_servers_own_with_a_body_count(
    house: House, server: SimulatedPlex
) -> None:
    server.faults.html_after_command = True
    await house.act(DOMAIN, "start_task", task=TASK)
    assert house.state(server, "switch", INTROS).state == STATE_ON
    await house.act(DOMAIN, "stop_task", task=TASK)
    assert house.state(server, "switch", INTROS).state == STATE_OFF


@pytest.mark.usefixtures("loaded")
async def test_error_of_the_servers_own_is_told(house: House, server: SimulatedPlex) -> None:
    server.faults.own_error = True
    assert await refused(house, "start_task", task=TASK) == "server_error"
    assert await refused(house, "stop_all") == "command_server_error"
    await house.passes(60, step=30)
    assert await refused(house, "start_all") == "server_error"
    assert await refused(house, "get_tasks", respond=True) == "server_error_poll"


@pytest.mark.usefixtures("loaded")
@pytest.mark.parametrize("action", COMMANDS)
@pytest.mark.parametrize(
    ("faults", "key"),
    [
        ({"unauthorized": True}, "unauthorized"),
        ({"forbidden": True}, "not_owner"),
        ({"maintenance": True}, "starting_up"),
        ({"proxy_status": 429}, "too_many_requests"),
        ({"proxy_wants_password": True}, "proxy_refuses"),
        ({"https_port": True}, "https_required"),
        ({"login_page": True}, "not_plex"),
    ],
)
async def test_command_says_whether_it_was_sent(
    house: House, server: SimulatedPlex, faults: dict[str, Any], key: str, action: str
) -> None:
    await house.passes(30, step=30)
    server.fail_from_next_command(**faults)
    sent = await refused(house, action, **COMMANDS[action])
    assert sent in (f"{key}_refused", "command_not_confirmed")
    assert "nothing was sent" not in TEXTS[sent]["message"]
    await house.passes(400, step=30)
    server.requests.clear()
    assert await refused(house, action, **COMMANDS[action]) == key
    assert not [request for request in server.requests if request.method != "GET"]
    assert "nothing was sent" in TEXTS[key]["message"]
    heal(server, faults)


@pytest.mark.usefixtures("loaded")
async def test_command_that_is_one_too_many_lets_polls_wait(
    house: House, server: SimulatedPlex
) -> None:
    await house.passes(60)
    server.fail_from_next_command(proxy_status_but_identity=429, retry_after=120)
    assert await refused(house, "start_all") == "too_many_requests_refused"
    server.requests.clear()
    await house.passes(100)
    assert not server.requests
    server.faults.proxy_status_but_identity = 0
    await house.passes(30)
    assert server.requests


@pytest.mark.parametrize("seconds", [120, 250])
async def test_proxy_that_wants_fewer_requests_is_asked_later(
    house: House, server: SimulatedPlex, loaded: MockConfigEntry, seconds: int
) -> None:
    server.faults.proxy_status = 429
    server.faults.retry_after = seconds
    await house.passes(60, step=30)
    server.requests.clear()
    await house.passes(seconds - 60, step=10)
    assert not server.requests
    await house.passes(60, step=10)
    assert server.requests


async def test_reinstalled_server_is_a_repair(
    hass: HomeAssistant, house: House, server: SimulatedPlex, loaded: MockConfigEntry
) -> None:
    await server.stop_listening()
    await house.passes(60, step=30)
    server.faults.other_machine_identifier = True
    await server.listen()
    await house.passes(30, step=30)
    assert ours(hass) == []
    await house.passes(120, step=30)
    assert ours(hass) == ["other_server"]
    server.faults.other_machine_identifier = False
    await house.passes(120, step=30)
    assert ours(hass) == []


async def test_reinstalled_server_is_a_repair_at_set_up_too(
    hass: HomeAssistant, house: House, server: SimulatedPlex
) -> None:
    server.faults.other_machine_identifier = True
    entry = entry_for(server)
    entry.add_to_hass(hass)
    house.servers.append(server)
    await hass.config_entries.async_setup(entry.entry_id)
    await house.passes(30)
    assert ours(hass) == []
    await house.passes(180)
    assert ours(hass) == ["other_server"]
