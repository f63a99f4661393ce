"""The configuration folder of the demo's Home Assistant: servers, nights, dashboard, automations."""

from datetime import UTC, datetime
import os
from pathlib import Path
import shutil
from string import Template
from typing import Any, Final
from uuid import uuid4

import yaml

from scripts.demo_kept import IDENTIFIERS, MAIN, Kept, KeptServer
from scripts.demo_night import write_nights
from tests.live.instance import Instance, write_store
from tests.live.process import REPOSITORY

DOMAIN: Final = "plex_butler"
DASHBOARD: Final = "plex-maintenance"
ENTRY_ID: Final = "0000000000000000000000DEMO"
TAKEN_OVER: Final = "Attic"

FILES: Final = Path(__file__).with_name("demo_files")
COMPONENTS: Final = (
    REPOSITORY / "tests/live/custom_components/plex_tv_for_tests",
    FILES / "components/plex",
)
_OPEN: Final = REPOSITORY / "docs/dashboard.yaml"


def make_instance(folder: Path, port: int, kept: Kept, where: dict[str, str]) -> Instance:
    """Write what a new instance has, and what changes from one run to the next."""
    new = not (folder / ".storage").exists()
    if new:
        for name in ("automations.yaml", "scripts.yaml"):
            shutil.copy(FILES / name, folder / name)
        _write_dashboard(folder, kept)
    blueprints = folder / "blueprints/automation" / DOMAIN
    shutil.copytree(REPOSITORY / "blueprints/automation" / DOMAIN, blueprints, dirs_exist_ok=True)
    write_nights(folder, f"{DOMAIN}.{ENTRY_ID}", datetime.now().astimezone())
    control = {"control": f"http://127.0.0.1:{kept.control_port}"}
    more = Template((FILES / "configuration.yaml").read_text()).substitute(where, **control)
    return Instance(
        folder,
        port=port,
        time_zone=time_zone(),
        more=more,
        components=COMPONENTS,
        entries=[_our_entry(kept), _entry_to_take_over(kept.servers[TAKEN_OVER])],
    )


def _our_entry(kept: Kept) -> dict[str, Any]:
    """Return the entry of the first server, as the config flow and the options make it."""
    server = kept.servers[MAIN]
    data = {
        "url": server.url,
        "token": server.token,
        "verify_ssl": True,
        "client_identifier": str(uuid4()),
    }
    options = {"log": True, "webhook": True, "webhook_id": kept.webhook_id}
    return _entry(DOMAIN, ENTRY_ID, MAIN, data, options)


def _entry_to_take_over(server: KeptServer) -> dict[str, Any]:
    """Return an entry of Home Assistant's own Plex integration."""
    data = {
        "server": TAKEN_OVER,
        "server_id": IDENTIFIERS[TAKEN_OVER],
        "server_config": {"url": server.url, "token": server.token, "verify_ssl": True},
    }
    return _entry("plex", "0" * 26, TAKEN_OVER, data, {})


def _entry(
    domain: str, entry_id: str, server: str, data: dict[str, Any], options: dict[str, Any]
) -> dict[str, Any]:
    now = datetime.now(UTC).isoformat()
    return {
        "created_at": now,
        "data": data,
        "disabled_by": None,
        "discovery_keys": {},
        "domain": domain,
        "entry_id": entry_id,
        "minor_version": 1,
        "modified_at": now,
        "options": options,
        "pref_disable_new_entities": False,
        "pref_disable_polling": False,
        "source": "user",
        "subentries": [],
        "title": server,
        "unique_id": IDENTIFIERS[server],
        "version": 1,
    }


def _write_dashboard(folder: Path, kept: Kept) -> None:
    """Store the dashboard of the docs with a second view, and open Home Assistant on it."""
    shed = kept.servers["Shed"]
    view = Template((FILES / "view.yaml").read_text()).substitute(url=shed.url, token=shed.token)
    dashboard: dict[str, Any] = yaml.safe_load(_OPEN.read_text())
    dashboard["views"].append(yaml.safe_load(view))
    item = {
        "id": DOMAIN,
        "url_path": DASHBOARD,
        "title": "Plex Butler",
        "icon": "mdi:robot-vacuum",
        "mode": "storage",
        "require_admin": False,
        "show_in_sidebar": True,
    }
    write_store(folder, "lovelace_dashboards", {"items": [item]})
    write_store(folder, f"lovelace.{DOMAIN}", {"config": dashboard})
    write_store(folder, "frontend.system_data", {"core": {"default_panel": DASHBOARD}})


def time_zone() -> str:
    """Return the name of this machine's time zone: the simulated servers' clocks are this one's."""
    if name := os.environ.get("TZ", "").removeprefix(":"):
        return name
    _, found, name = str(Path("/etc/localtime").resolve()).partition("zoneinfo/")
    return name if found else "UTC"
