"""Repair issues for errors that only the user can solve."""

from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import DOMAIN
from .names import as_text
from .plex import CertificateExpiredError, HostnameMismatchError, NotOwnerError, OtherServerError

REPAIRS: Final = (
    CertificateExpiredError.key,
    HostnameMismatchError.key,
    NotOwnerError.key,
    OtherServerError.key,
)
"""The keys of the errors for which there is an issue, as in the translations."""


@callback
def async_create_repair(hass: HomeAssistant, entry: ConfigEntry, key: str) -> None:
    """Create the issue for an error."""
    ir.async_create_issue(
        hass,
        DOMAIN,
        f"{key}_{entry.entry_id}",
        is_fixable=False,
        severity=ir.IssueSeverity.ERROR,
        translation_key=key,
        # The title is shown as text, the description as markdown.
        translation_placeholders={"server": entry.title, "name": as_text(entry.title)},
        data={"entry_id": entry.entry_id},
    )


@callback
def async_delete_repairs(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Delete the issues of a config entry."""
    for key in REPAIRS:
        ir.async_delete_issue(hass, DOMAIN, f"{key}_{entry.entry_id}")
