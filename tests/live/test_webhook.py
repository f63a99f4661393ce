"""Plex's webhook in a real Home Assistant, over a real socket."""

import re
from typing import Final

import pytest

from tests.live.frontend import Frontend
from tests.live.instance import Instance
from tests.live.simulator import SimulatorProcess
from tests.live.steps import ALL_OF_IT, DOMAIN, USER, add_server, complaints, memory

pytestmark = pytest.mark.live

BACKUP: Final = "sensor.attic_last_good_backup"
OVERDUE: Final = "binary_sensor.attic_backup_overdue"
EVENT: Final = "admin.database.backup"
CORRUPTED: Final = "admin.database.corrupted"


async def test_from_the_options_to_a_backup_that_nobody_was_there_for(
    instance: Instance, simulator: SimulatorProcess
) -> None:
    """Turn it on, test it, be told of a backup and of a damaged database; be down; turn it off."""
    async with instance.frontend(*USER) as frontend:
        entry_id = await add_server(frontend, simulator)
        assert BACKUP not in await frontend.entities(DOMAIN)
        path = await turn_it_on(frontend, entry_id)
        address = str(instance.url.join(instance.url.with_path(path)))
        await send(simulator, addresses=[address])
        await try_it(frontend, simulator, entry_id)
        await be_told_of_a_backup(frontend, simulator)
        await send(simulator, event=CORRUPTED)
        assert (await delivered(simulator))[-1] == [CORRUPTED, 200]
        [issue] = await frontend.issues(DOMAIN)
        assert issue["translation_key"] == "database_corrupted"
        before = frontend.states[BACKUP]["state"], frontend.states[OVERDUE]["attributes"]
    await instance.stop()
    await send(simulator, event=EVENT)
    assert (await delivered(simulator))[-1] == [EVENT, None]
    await instance.start()
    async with instance.frontend(*USER) as frontend:
        states = frontend.states
        assert (states[BACKUP]["state"], states[OVERDUE]["attributes"]) == before
        assert (states[BACKUP]["attributes"]["source"], states[OVERDUE]["state"]) == (
            "webhook",
            "off",
        )
        [issue] = await frontend.issues(DOMAIN)
        assert issue["translation_key"] == "database_corrupted"
        assert path not in str(await frontend.diagnostics(entry_id))
        await turn_it_off(frontend, entry_id)
        await send(simulator, event=EVENT)
        assert (await delivered(simulator))[-1] == [EVENT, 200]
    await instance.stop()
    assert path.rpartition("/")[2] not in memory(instance, entry_id).read_text()
    assert not complaints(instance.log)
    ours = [line for line in instance.log.splitlines() if f"custom_components.{DOMAIN}" in line]
    assert not [line for line in ours if path in line or "private" in line]


async def turn_it_on(frontend: Frontend, entry_id: str) -> str:
    """Turn the webhook on in the options; return the path of the address that is shown."""
    form = await frontend.configure(entry_id)
    assert (form["type"], form["step_id"]) == ("form", "init")
    menu = await frontend.continue_options(form["flow_id"], {"log": False, "webhook": True})
    assert (menu["type"], menu["step_id"]) == ("menu", "webhook")
    assert menu["description_placeholders"]["received"] == "none yet"
    found = re.search(r"`http://[^/]+(/api/webhook/\w+)`", str(menu["description_placeholders"]))
    assert found
    result = await frontend.continue_options(menu["flow_id"], {"next_step_id": "finish"})
    assert result["type"] == "create_entry"
    await frontend.wait_for(lambda: {BACKUP, OVERDUE} <= frontend.states.keys() or None)
    assert frontend.states[BACKUP]["state"] == frontend.states[OVERDUE]["state"] == "unknown"
    return found[1]


async def try_it(frontend: Frontend, simulator: SimulatorProcess, entry_id: str) -> None:
    """Play something, with a picture, and see in the options that it has arrived."""
    await send(simulator, event="media.play")
    assert await delivered(simulator) == [["media.play", 200]]
    form = await frontend.configure(entry_id)
    menu = await frontend.continue_options(form["flow_id"], {"log": False, "webhook": True})
    assert re.fullmatch(r"[\d-]+ [\d:]+", menu["description_placeholders"]["received"])
    assert frontend.states[BACKUP]["state"] == "unknown"


async def be_told_of_a_backup(frontend: Frontend, simulator: SimulatorProcess) -> None:
    """Let the server back up by itself."""
    backup, overdue = frontend.watch(BACKUP), frontend.watch(OVERDUE)
    await simulator.begin("BackupDatabase")
    await simulator.advance(ALL_OF_IT)
    state = await overdue.becomes("off")
    since = state["attributes"]["not_told_since"]
    await backup.becomes(f"{since[:19]}+00:00")


async def turn_it_off(frontend: Frontend, entry_id: str) -> None:
    """Turn the webhook off again, and see the entities go."""
    form = await frontend.configure(entry_id)
    menu = await frontend.continue_options(form["flow_id"], {"log": False, "webhook": False})
    assert (menu["type"], menu["step_id"]) == ("menu", "webhook_off")
    await frontend.continue_options(menu["flow_id"], {"next_step_id": "finish"})
    await frontend.wait_for(lambda: BACKUP not in frontend.states or None)
    assert not {BACKUP, OVERDUE} & (await frontend.entities(DOMAIN)).keys()


async def send(simulator: SimulatorProcess, **wanted: object) -> None:
    """Let the server send an event, or take addresses."""
    await simulator.control("POST", "/webhooks", wanted)


async def delivered(simulator: SimulatorProcess) -> list[list[str | int | None]]:
    """Return the events that the server has sent, and what it got for each."""
    answer: list[list[str | int | None]] = await simulator.control("GET", "/webhooks")
    return answer
