"""What Plex's own log says of a run, in the words of the calendar and of the logbook."""

from datetime import timedelta
import logging
from typing import Final

from homeassistant.components.recorder import Recorder
from homeassistant.core import HomeAssistant
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.plex_butler.const import DOMAIN
from tests.conftest import House
from tests.integration.plex_log import set_up_with_log
from tests.simulator import Profile, SimulatedPlex

SEEN: Final = "Observed: Plex's log names the task. Started by Home Assistant."
NOT_SEEN: Final = (
    "The start was not seen. The time shown is when the task was first seen. "
    "Observed: Plex's log names the task. Not started by Home Assistant."
)


@pytest.mark.parametrize(
    ("code", "seen", "text", "line"),
    [
        (
            0,
            True,
            "Succeeded after 5 s according to Plex's log.",
            "succeeded after 5 s (Plex's log)",
        ),
        (0, False, "Succeeded according to Plex's log.", "succeeded (Plex's log)"),
        (
            7,
            True,
            "Failed after 5 s according to Plex's log.",
            "failed after 5 s (Plex's log)",
        ),
        (7, False, "Failed according to Plex's log.", "failed (Plex's log)"),
    ],
)
async def test_words(
    recorder_mock: Recorder,
    hass: HomeAssistant,
    hass_ws_client: WebSocketGenerator,
    house: House,
    server: SimulatedPlex,
    caplog: pytest.LogCaptureFixture,
    code: int,
    *,
    seen: bool,
    text: str,
    line: str,
) -> None:
    caplog.set_level(logging.WARNING, "sqlalchemy.engine")
    hass.config.components.add("frontend")
    assert await async_setup_component(hass, "logbook", {})
    began = dt_util.utcnow() - timedelta(seconds=1)
    server.faults.backup_code = code
    server.butler.profiles["BackupDatabase"] = Profile(duration=5)
    await set_up_with_log(house, server)
    if seen:
        await house.act(DOMAIN, "start_task", task="backup_database")
        await house.passes(5)
    else:
        await house.act(DOMAIN, "start_all")
        server.butler.stop_all()
        await house.act(DOMAIN, "stop_all")
        server.log.finished("BackupDatabase")
        await house.settled()

    await house.passes(5)
    calendar = house.entity_id(server, "calendar", "maintenance")
    period = {
        "start_date_time": began.isoformat(),
        "end_date_time": (dt_util.utcnow() + timedelta(minutes=1)).isoformat(),
    }
    answer = await house.act("calendar", "get_events", True, entity_id=calendar, **period)
    text = f"{text} {SEEN if seen else NOT_SEEN}"
    assert text in [event["description"] for event in answer[calendar]["events"]]

    await async_wait_recording_done(hass)
    client = await hass_ws_client()
    await client.send_json_auto_id({"type": "logbook/get_events", "start_time": began.isoformat()})
    lines = (await client.receive_json())["result"]
    assert ("Backup database", line) in [
        (each["name"], each["message"]) for each in lines if each.get("domain") == DOMAIN
    ]
