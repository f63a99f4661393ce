"""The logbook: one line for each run that has ended, in words and with its author."""

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from homeassistant.components.automation import DOMAIN as AUTOMATION
from homeassistant.components.recorder import Recorder
from homeassistant.core import Context, HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.translation import async_get_cached_translations
from homeassistant.setup import async_setup_component
from homeassistant.util import dt as dt_util
import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry, MockUser
from pytest_homeassistant_custom_component.components.recorder.common import (
    async_wait_recording_done,
)
from pytest_homeassistant_custom_component.typing import WebSocketGenerator

from custom_components.plex_butler.const import DOMAIN
from custom_components.plex_butler.logbook import async_describe_events
from custom_components.plex_butler.run_log import EVENT_RUN_ENDED
from custom_components.plex_butler.runs.models import EndedRun, KnownBy, Outcome
from custom_components.plex_butler.texts import duration_text, run_text, text
from tests.conftest import House
from tests.simulator import Profile, SimulatedPlex
from tests.task_names import BACKUP, INTROS, THUMBS


@pytest.fixture
async def logbook(recorder_mock: Recorder, hass: HomeAssistant) -> None:
    """The logbook and its recorder, without the frontend that they are made for."""
    hass.config.components.add("frontend")
    assert await async_setup_component(hass, "logbook", {})


async def lines(
    hass: HomeAssistant, ws: WebSocketGenerator, began: datetime, **which: list[str]
) -> list[dict[str, Any]]:
    """Return the lines of ours since a time: those of some entities or devices, or of all."""
    await async_wait_recording_done(hass)
    client = await ws()
    await client.send_json_auto_id(
        {"type": "logbook/get_events", "start_time": began.isoformat(), **which}
    )
    answer = await client.receive_json()
    assert answer["success"], answer
    return [line for line in answer["result"] if line.get("domain") == DOMAIN]


async def told(
    hass: HomeAssistant, ws: WebSocketGenerator, began: datetime, **which: list[str]
) -> list[tuple[str, str]]:
    """Return the name and the message of each line."""
    return [(line["name"], line["message"]) for line in await lines(hass, ws, began, **which)]


@pytest.fixture
def began() -> datetime:
    """Before everything."""
    return dt_util.utcnow() - timedelta(seconds=1)


@pytest.mark.usefixtures("logbook")
async def test_each_run_has_one_line_wherever_it_is_looked_for_with_its_author(
    hass: HomeAssistant,
    hass_ws_client: WebSocketGenerator,
    house: House,
    server: SimulatedPlex,
    began: datetime,
    loaded: MockConfigEntry,
) -> None:
    automation = {
        "alias": "Night",
        "triggers": [{"trigger": "event", "event_type": "night"}],
        "actions": [{"action": f"{DOMAIN}.start_task", "data": {"task": THUMBS}}],
    }
    assert await async_setup_component(hass, AUTOMATION, {AUTOMATION: automation})
    await house.settled()
    hass.bus.async_fire("night")
    await house.passes(60)
    [device] = dr.async_entries_for_config_entry(dr.async_get(hass), loaded.entry_id)
    switch = house.entity_id(server, "switch", f"task_{THUMBS}")
    places: list[dict[str, list[str]]] = [
        {},
        {"device_ids": [device.id]},
        {"entity_ids": [switch]},
        {"entity_ids": [switch], "device_ids": [device.id]},
    ]
    for which in places:
        [line] = await lines(hass, hass_ws_client, began, **which)
        assert (line["name"], line["message"], line["entity_id"]) == (
            "Generate chapter thumbnails",
            "finished after 10 s",
            switch,
        )
        assert line["context_entity_id"] == "automation.night"
        assert line["context_name"] == "Night"
    other = house.entity_id(server, "switch", f"task_{INTROS}")
    assert await lines(hass, hass_ws_client, began, entity_ids=[other]) == []


@pytest.mark.usefixtures("logbook", "loaded")
async def test_stop_is_told_with_the_user_who_did_it(
    hass: HomeAssistant,
    hass_ws_client: WebSocketGenerator,
    house: House,
    server: SimulatedPlex,
    began: datetime,
    hass_admin_user: MockUser,
) -> None:
    server.butler.start(INTROS)
    await house.passes(95)
    context = Context(user_id=hass_admin_user.id)
    data = {"entity_id": house.entity_id(server, "switch", f"task_{INTROS}")}
    await hass.services.async_call("switch", "turn_off", data, blocking=True, context=context)
    await house.passes(5)
    [line] = await lines(hass, hass_ws_client, began)
    assert (line["name"], line["message"]) == (
        "Generate intro markers",
        "was stopped after 1 min 30 s",
    )
    assert line["context_user_id"] == hass_admin_user.id


@pytest.mark.usefixtures("logbook", "loaded", "without_stream")
async def test_end_that_was_not_seen_is_told_as_that(
    hass: HomeAssistant, hass_ws_client: WebSocketGenerator, house: House, began: datetime
) -> None:
    await house.act(DOMAIN, "start_task", task=BACKUP)
    await house.passes(60)
    assert await told(hass, hass_ws_client, began) == [
        ("Backup database", "ran, but its end was not seen")
    ]


@pytest.mark.usefixtures("logbook")
async def test_run_whose_start_was_not_seen_has_no_duration(
    hass: HomeAssistant,
    hass_ws_client: WebSocketGenerator,
    house: House,
    server: SimulatedPlex,
    entry: MockConfigEntry,
    began: datetime,
) -> None:
    server.butler.start(THUMBS)
    await server.advance(2)
    await house.set_up(entry, server)
    await house.passes(60)
    assert await told(hass, hass_ws_client, began) == [("Generate chapter thumbnails", "finished")]


@pytest.mark.usefixtures("logbook")
async def test_task_that_is_not_known_has_the_servers_name_for_it(
    hass: HomeAssistant,
    hass_ws_client: WebSocketGenerator,
    house: House,
    server: SimulatedPlex,
    entry: MockConfigEntry,
    began: datetime,
) -> None:
    server.butler.add_task("BrewCoffee", title="Brew Coffee")
    server.butler.profiles["BrewCoffee"] = Profile(duration=65)
    await house.set_up(entry, server)
    await house.act(DOMAIN, "start_task", task="BrewCoffee")
    await house.passes(150)
    assert await told(hass, hass_ws_client, began) == [("Brew Coffee", "finished after 1 min 5 s")]


@pytest.mark.usefixtures("logbook", "loaded")
async def test_outage_leaves_no_line(
    hass: HomeAssistant,
    hass_ws_client: WebSocketGenerator,
    house: House,
    server: SimulatedPlex,
    began: datetime,
) -> None:
    await house.act(DOMAIN, "start_task", task=INTROS)
    await house.passes(20)
    await server.stop_listening()
    await house.passes(90, step=30)
    await server.listen()
    await house.passes(60, step=30)
    assert await told(hass, hass_ws_client, began) == []


@pytest.mark.usefixtures("logbook", "loaded")
async def test_language_is_the_systems(
    hass: HomeAssistant,
    hass_ws_client: WebSocketGenerator,
    house: House,
    began: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    german = {
        f"component.{DOMAIN}.common.log_stopped_after": "nach {duration} angehalten",
        f"component.{DOMAIN}.entity.switch.generate_intro_markers.name": "Intros finden",
    }

    def cached(hass: HomeAssistant, language: str, category: str, domain: str) -> dict[str, str]:
        english = async_get_cached_translations(hass, "en", category, domain)
        return {"de": german, "en": english}[language]

    monkeypatch.setattr("custom_components.plex_butler.texts.async_get_cached_translations", cached)
    hass.config.language = "de"
    await house.act(DOMAIN, "start_task", task=INTROS)
    await house.passes(20)
    await house.act(DOMAIN, "stop_task", task=INTROS)
    await house.passes(5)
    assert await told(hass, hass_ws_client, began) == [("Intros finden", "nach 20 s angehalten")]
    # What is not translated is told in English.
    german.clear()
    assert await told(hass, hass_ws_client, began) == [
        ("Generate intro markers", "was stopped after 20 s")
    ]


@pytest.mark.parametrize(
    ("outcome", "duration", "in_log", "in_calendar"),
    [
        (Outcome.FINISHED, 5, "finished after 5 s", "Finished after 5 s."),
        (Outcome.FINISHED, None, "finished", "Finished."),
        (Outcome.STOPPED, 5, "was stopped after 5 s", "Stopped after 5 s."),
        (Outcome.STOPPED, None, "was stopped", "Stopped."),
    ],
)
async def test_each_outcome_in_words(
    hass: HomeAssistant,
    outcome: Outcome,
    duration: float | None,
    in_log: str,
    in_calendar: str,
) -> None:
    assert await async_setup_component(hass, DOMAIN, {})
    now = dt_util.utcnow()
    lasted = None if duration is None else timedelta(seconds=duration)
    run = EndedRun(BACKUP, now, now, lasted, outcome, KnownBy.OBSERVED, now)
    assert run_text(hass, run) == f"{in_calendar} Observed. Not started by Home Assistant."
    describe: dict[str, Any] = {}
    async_describe_events(hass, lambda _, name, describes: describe.update({name: describes}))
    event = SimpleNamespace(data=run.as_dict() | {"entity_id": None})
    assert describe[EVENT_RUN_ENDED](event) == {
        "name": "Backup database",
        "message": in_log,
        "entity_id": None,
    }


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0.0 s"),
        (0.24, "0.2 s"),
        (1, "1 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (61, "1 min 1 s"),
        (3599.6, "1 h"),
        (3660, "1 h 1 min"),
        (90_000, "25 h"),
    ],
)
def test_duration_in_words(seconds: float, words: str) -> None:
    assert duration_text(timedelta(seconds=seconds)) == words


async def test_text_that_there_is_not_is_its_key(hass: HomeAssistant) -> None:
    assert text(hass, "nothing") == f"component.{DOMAIN}.common.nothing"
