"""A server that is off, in a real Home Assistant."""

from typing import Final

import pytest

from tests.live.connection import FrontendError
from tests.live.instance import Instance
from tests.live.simulator import SimulatorProcess
from tests.live.steps import DOMAIN, USER, add_server, complaints, restart

pytestmark = pytest.mark.live

SERVER: Final = "binary_sensor.attic_server"
BACKUP: Final = "switch.attic_backup_database"


async def test_server_that_is_off(instance: Instance, simulator: SimulatorProcess) -> None:
    """An outage while Home Assistant runs, and one while it starts."""
    async with instance.frontend(*USER) as frontend:
        entry_id = await add_server(frontend, simulator)
        server, switch = frontend.watch(SERVER), frontend.watch(BACKUP)
        await simulator.control("POST", "/stop-listening")
        with pytest.raises(FrontendError, match="Attic cannot be reached"):
            await frontend.ask(f"{DOMAIN}.start_task", task="backup_database")
        await frontend.call("homeassistant.update_entity", SERVER)
        await server.becomes("off")
        await switch.becomes("unavailable")
        await restart(frontend, instance)
    async with instance.frontend(*USER) as frontend:
        [entry] = await frontend.entries(DOMAIN)
        assert (entry["entry_id"], entry["state"]) == (entry_id, "setup_retry")
        assert entry["reason"].startswith("Attic cannot be reached")
        server, switch = frontend.watch(SERVER), frontend.watch(BACKUP)
        await simulator.control("POST", "/listen")
        await server.becomes("on")
        await switch.becomes("off")
    await instance.stop()
    assert simulator.token not in instance.log
    # The outage is told once, and the action that failed once more, by who had asked for it.
    assert [line.split(":")[0] for line in complaints(instance.log)] == [
        "ERROR homeassistant.components.websocket_api.http.connection",
        f"ERROR custom_components.{DOMAIN}",
    ]
