"""Repair issues for errors that only the user can solve."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_WEBHOOK_ID
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import CONF_CLIENT_IDENTIFIER, CONF_CLOUDHOOK_URL, CONF_LOG, DOMAIN
from .names import as_text
from .plex import (
    CertificateExpiredError,
    HostnameMismatchError,
    HttpsRequiredError,
    NotOwnerError,
    OtherServerError,
)

REPAIRS: Final = (
    CertificateExpiredError.key,
    HostnameMismatchError.key,
    HttpsRequiredError.key,
    NotOwnerError.key,
    OtherServerError.key,
)
"""The keys of the errors for which there is an issue, as in the translations."""

_LOG_REFUSED: Final = "log_refused"
WEBHOOK_LEFT: Final = "webhook_left"
_CORRUPTION: Final = "database_corrupted"


@callback
def async_create_repair(
    hass: HomeAssistant,
    entry: ConfigEntry,
    key: str,
    severity: ir.IssueSeverity = ir.IssueSeverity.ERROR,
) -> None:
    """Create the issue for an error."""
    ir.async_create_issue(
        hass,
        DOMAIN,
        f"{key}_{entry.entry_id}",
        is_fixable=False,
        severity=severity,
        translation_key=key,
        # The title is shown as text, the description as markdown.
        translation_placeholders={"server": entry.title, "name": as_text(entry.title)},
        data={"entry_id": entry.entry_id},
    )


@callback
def async_create_log_repair(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Create the issue for a log that the server refuses to show; one that is ignored stays so."""
    async_create_repair(hass, entry, _LOG_REFUSED, ir.IssueSeverity.WARNING)


@callback
def async_delete_log_repair(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Delete that issue."""
    ir.async_delete_issue(hass, DOMAIN, f"{_LOG_REFUSED}_{entry.entry_id}")


@callback
def async_forget_log_repair(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Delete that issue, unless the user ignores it and still wants the log to be read.

    It would come back, and not be ignored any more.
    """
    issue = ir.async_get(hass).async_get_issue(DOMAIN, f"{_LOG_REFUSED}_{entry.entry_id}")
    if issue and not (issue.dismissed_version and entry.options.get(CONF_LOG)):
        async_delete_log_repair(hass, entry)


@callback
def async_delete_repairs(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Delete the issues of a config entry."""
    for key in REPAIRS:
        ir.async_delete_issue(hass, DOMAIN, f"{key}_{entry.entry_id}")


@callback
def async_create_corruption_repair(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Create the issue for a database that Plex reports as damaged."""
    _create_lasting_repair(hass, entry, _CORRUPTION, ir.IssueSeverity.CRITICAL)


@callback
def async_delete_corruption_repair(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Delete that issue, because the config entry was removed."""
    ir.async_delete_issue(hass, DOMAIN, f"{_CORRUPTION}_{entry.entry_id}")


@callback
def async_create_webhook_repair(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Create the issue for a webhook whose address may be left in the Plex account."""
    _create_lasting_repair(
        hass,
        entry,
        WEBHOOK_LEFT,
        ir.IssueSeverity.WARNING,
        # Not secret any more: nothing answers there.
        {
            CONF_CLIENT_IDENTIFIER: entry.data[CONF_CLIENT_IDENTIFIER],
            CONF_WEBHOOK_ID: entry.options[CONF_WEBHOOK_ID],
            CONF_CLOUDHOOK_URL: entry.options.get(CONF_CLOUDHOOK_URL),
        },
    )


def _create_lasting_repair(
    hass: HomeAssistant,
    entry: ConfigEntry,
    key: str,
    severity: ir.IssueSeverity,
    data: Mapping[str, str | None] = MappingProxyType({}),
) -> None:
    """Create an issue that stays, also over restarts, until the user has done what it is about."""
    ir.async_create_issue(
        hass,
        DOMAIN,
        f"{key}_{entry.entry_id}",
        is_fixable=True,
        is_persistent=True,
        severity=severity,
        translation_key=key,
        translation_placeholders={"name": as_text(entry.title)},
        data={"entry_id": entry.entry_id, **data},
    )
