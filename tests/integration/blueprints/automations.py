"""Automations that are made from blueprints."""

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final

from aiohttp.test_utils import TestClient
from homeassistant.components.automation import DOMAIN as AUTOMATION
from homeassistant.components.trace.util import async_get_trace, async_list_traces
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.typing import MockHAClientWebSocket

from custom_components.plex_butler.const import DOMAIN
from tests.integration.patient_house import House
from tests.repository import ROOT
from tests.simulator import SimulatedPlex

FOLDER: Final = ROOT / "blueprints"
FILES: Final = (
    "backup_then",
    "do_not_disturb",
    "morning_report",
    "not_run_for_days",
    "when_the_disks_are_awake",
)

LONG: Final = 24 * 3600
TABLET, TV, PHONE = "Tablet", "Television", "Telephone"
WATCHED: Final = "binary_sensor.cellar_being_watched"


def commands(server: SimulatedPlex) -> list[str]:
    """Return what was sent since the last time, reading aside."""
    sent = [f"{request.method} {request.path}" for request in server.requests]
    server.requests.clear()
    return [command for command in sent if not command.startswith("GET")]


async def use(house: House, file: str, **inputs: Any) -> None:
    """Set up an automation from a blueprint, as the automation editor does."""
    path = f"{DOMAIN}/{file}.yaml"
    config = {"id": "one", "alias": "One", "use_blueprint": {"path": path, "input": inputs}}
    assert await async_setup_component(house.hass, AUTOMATION, {AUTOMATION: config})
    await house.settled()
    state = house.hass.states.get("automation.one")
    assert state
    assert state.state == "on"


@dataclass(frozen=True, slots=True)
class Editor:
    """What the frontend does to import a blueprint, and to save an automation made from it."""

    house: House
    http: TestClient[Any, Any]
    websocket: MockHAClientWebSocket

    async def ask(self, type_: str, **data: Any) -> dict[str, Any]:
        """Send a websocket command, and return its result."""
        await self.websocket.send_json_auto_id({"type": type_, "domain": AUTOMATION, **data})
        answer = await self.websocket.receive_json()
        assert answer["success"], answer
        result: dict[str, Any] = answer["result"]
        return result

    async def save(self, file: str, **inputs: Any) -> None:
        """Import a blueprint, and save an automation in which these inputs were filled in."""
        path = f"{DOMAIN}/{file}.yaml"
        source = (FOLDER / AUTOMATION / path).read_text()
        await self.ask(
            "blueprint/save", path=path, yaml=source, source_url="https://example.org/it"
        )
        listed = await self.ask("blueprint/list")
        assert "error" not in listed[path], listed
        await self.ask("blueprint/substitute", path=path, input=inputs)
        config = {
            "alias": "One",
            "description": "",
            "use_blueprint": {"path": path, "input": inputs},
        }
        answer = await self.http.post("/api/config/automation/config/one", json=config)
        assert answer.status == HTTPStatus.OK, await answer.text()
        await self.house.settled()
        state = self.house.hass.states.get("automation.one")
        assert state
        assert state.state == "on"


def runs(house: House) -> int:
    """Return how many runs of the automation go on."""
    state = house.hass.states.get("automation.one")
    assert state
    return int(state.attributes["current"])


def soon() -> str:
    """Return a time of day within the next minute, as a time selector does; no poll is due then."""
    return (dt_util.now() + timedelta(seconds=58)).strftime("%H:%M:%S")


async def last_trace(house: House) -> dict[str, Any]:
    """Return what the trace of the last run shows."""
    key = f"{AUTOMATION}.one"
    traces = await async_list_traces(house.hass, AUTOMATION, key)
    return await async_get_trace(house.hass, key, traces[-1]["run_id"])


def errors(trace: dict[str, Any]) -> list[str]:
    """Return the steps that a trace marks as failed."""
    return [path for path, steps in trace["trace"].items() if any("error" in s for s in steps)]


def logged_errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what Home Assistant itself has logged as an error, of automations above all."""
    records = (r for r in caplog.get_records("call") if r.name.startswith("homeassistant."))
    return [record.getMessage() for record in records if record.levelname == "ERROR"]
