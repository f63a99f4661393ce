"""Repair issues: what only the user can mend."""

from homeassistant.config_entries import ConfigEntry
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import issue_registry as ir

from .const import DOMAIN


@callback
def async_report_not_owner(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Explain that the token is good, but not the owner's."""
    ir.async_create_issue(
        hass,
        DOMAIN,
        _not_owner(entry),
        is_fixable=False,
        severity=ir.IssueSeverity.ERROR,
        translation_key="not_owner",
        translation_placeholders={"server": entry.title},
        data={"entry_id": entry.entry_id},
    )


@callback
def async_clear_issues(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Take back what has been mended, or has lost its entry."""
    ir.async_delete_issue(hass, DOMAIN, _not_owner(entry))


def _not_owner(entry: ConfigEntry) -> str:
    return f"not_owner_{entry.entry_id}"
