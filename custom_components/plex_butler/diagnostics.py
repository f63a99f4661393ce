"""Diagnostics for bug reports, without anything private."""

from collections import Counter
from dataclasses import asdict
from typing import Any

from homeassistant.components.diagnostics import async_redact_data
from homeassistant.config_entries import ConfigEntryState
from homeassistant.const import CONF_TOKEN, CONF_URL
from homeassistant.core import HomeAssistant
from homeassistant.helpers.redact import REDACTED
from yarl import URL

from .const import CONF_CLIENT_IDENTIFIER, CONF_LOG, CONF_WEBHOOK
from .coordinator import PlexButlerConfigEntry
from .runs.history import RunHistory
from .runs.models import EndedRun, Run
from .runs.tasks import BY_NAME

_AUTHORS = {"started_by", "stopped_by"}
TO_REDACT = {CONF_TOKEN, CONF_CLIENT_IDENTIFIER}


async def async_get_config_entry_diagnostics(
    hass: HomeAssistant, entry: PlexButlerConfigEntry
) -> dict[str, Any]:
    """Return types, counts, times and the list of tasks; no token, no address, no names."""
    url = URL(entry.data[CONF_URL])
    about_entry = {
        "entry": {
            **async_redact_data(entry.data, TO_REDACT),
            CONF_URL: f"{url.scheme}://{REDACTED}:{url.port}",
            "has_token": bool(entry.data[CONF_TOKEN]),
        },
        "options": {
            option: entry.options.get(option, False) for option in (CONF_LOG, CONF_WEBHOOK)
        },
        "state": entry.state.value,
        "reason": entry.error_reason_translation_key,
    }
    if entry.state is not ConfigEntryState.LOADED:
        return about_entry
    coordinator = entry.runtime_data
    snapshot = coordinator.data
    return about_entry | {
        "server": {
            "version": snapshot.server.version,
            "platform": snapshot.server.platform,
            "platform_version": snapshot.server.platform_version,
            "plex_pass": snapshot.server.plex_pass,
        },
        "last_update_success": coordinator.last_update_success,
        "update_interval": str(coordinator.update_interval),
        "server_busy": snapshot.server_busy,
        "maintenance": snapshot.maintenance,
        "tasks": [asdict(task) for task in snapshot.tasks.values()],
        "unknown_tasks": [name for name in snapshot.tasks if name not in BY_NAME],
        "preferences": {key: each.value for key, each in snapshot.preferences.by_id.items()},
        "running": [_without_authors(run) for run in snapshot.running.values()],
        "backups": snapshot.backups and asdict(snapshot.backups),
        "last_runs": [_without_authors(ended) for ended in snapshot.last_runs.values()],
        "history": _counts(coordinator.session.history),
        "statistics": coordinator.statistics.as_dict(),
    }


def _without_authors(run: Run | EndedRun) -> dict[str, Any]:
    """Return a run without the names of automations and the ids of users."""
    return {key: value for key, value in asdict(run).items() if key not in _AUTHORS}


def _counts(history: RunHistory) -> dict[str, Any]:
    runs = history.copy()
    return {
        "runs": len(runs),
        "outcomes": Counter(run.outcome.value for run in runs),
        "known_by": Counter(run.known_by.value for run in runs),
        "ours": sum(run.ours for run in runs),
        "with_author": sum(bool(run.started_by and run.started_by.author) for run in runs),
        "oldest": runs[0].last_known if runs else None,
    }
