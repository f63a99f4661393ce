"""Repair issues for errors that only the user can solve."""

from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import DOMAIN
from .plex import CertificateExpiredError, HostnameMismatchError, NotOwnerError, OtherServerError

REPAIRS: Final = (
    CertificateExpiredError.key,
    HostnameMismatchError.key,
    NotOwnerError.key,
    OtherServerError.key,
)
"""The keys of the errors for which there is an issue, as in the translations."""

_LOG_REFUSED: Final = "log_refused"


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
        translation_placeholders={"server": entry.title},
        data={"entry_id": entry.entry_id},
    )


@callback
def async_create_log_repair(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Create the issue for a log that the server refuses to show; one that is ignored stays so."""
    ir.async_create_issue(
        hass,
        DOMAIN,
        f"{_LOG_REFUSED}_{entry.entry_id}",
        is_fixable=False,
        severity=ir.IssueSeverity.WARNING,
        translation_key=_LOG_REFUSED,
        translation_placeholders={"server": entry.title},
        data={"entry_id": entry.entry_id},
    )


@callback
def async_delete_log_repair(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Delete that issue."""
    ir.async_delete_issue(hass, DOMAIN, f"{_LOG_REFUSED}_{entry.entry_id}")


@callback
def async_delete_repairs(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Delete the issues of a config entry."""
    for key in REPAIRS:
        ir.async_delete_issue(hass, DOMAIN, f"{key}_{entry.entry_id}")
