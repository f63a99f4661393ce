"""Repair issues: what only the user can mend."""

from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import DOMAIN
from .plex import HostnameMismatchError, NotOwnerError

REPAIRS: Final = (NotOwnerError.key, HostnameMismatchError.key)
"""The errors that are reported; their keys are keys of the translations."""


@callback
def async_create_repair(hass: HomeAssistant, entry: ConfigEntry, key: str) -> None:
    """Explain what is wrong, and what to do about it."""
    ir.async_create_issue(
        hass,
        DOMAIN,
        f"{key}_{entry.entry_id}",
        is_fixable=False,
        severity=ir.IssueSeverity.ERROR,
        translation_key=key,
        translation_placeholders={"server": entry.title},
        data={"entry_id": entry.entry_id},
    )


@callback
def async_delete_repairs(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Delete all issues of a config entry."""
    for key in REPAIRS:
        ir.async_delete_issue(hass, DOMAIN, f"{key}_{entry.entry_id}")
