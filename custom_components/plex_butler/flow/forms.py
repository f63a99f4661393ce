"""The forms of the config flow, and how to read what was entered."""

from collections.abc import Mapping
import re
from typing import Any, Final

from homeassistant.const import CONF_TOKEN, CONF_URL, CONF_VERIFY_SSL
from homeassistant.helpers.selector import (
    BooleanSelector,
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
import voluptuous as vol

from ..plex import without_secrets

CONF_SERVER: Final = "server"

_TOKEN_IN_ADDRESS: Final = re.compile(r"X-Plex-Token=([^&#\s]*)", re.IGNORECASE)
_TOKEN: Final = {
    vol.Optional(CONF_TOKEN): TextSelector(
        TextSelectorConfig(type=TextSelectorType.PASSWORD, autocomplete="off")
    )
}

TOKEN_SCHEMA: Final = vol.Schema(_TOKEN)
"""A token alone."""

SERVER_SCHEMA: Final = vol.Schema(
    {
        # Not of type URL: browsers would refuse what people type, "192.168.1.5" or "nas:32400".
        vol.Required(CONF_URL): TextSelector(TextSelectorConfig(autocomplete="url")),
        **_TOKEN,
        vol.Required(CONF_VERIFY_SSL, default=True): BooleanSelector(),
    }
)
"""Everything that can be entered about a server."""


def choice_schema(names: Mapping[str, str]) -> vol.Schema:
    """Return a form to choose one server; the first one is preselected.

    `names` maps the value that the form returns as CONF_SERVER to the name that it shows. It must
    not be empty.
    """
    options = [SelectOptionDict(value=value, label=name) for value, name in names.items()]
    return vol.Schema(
        {
            vol.Required(CONF_SERVER, default=options[0]["value"]): SelectSelector(
                SelectSelectorConfig(options=options)
            )
        }
    )


def suggested_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return what to fill SERVER_SCHEMA with: no token, and none that is part of the address."""
    suggested = {key: values[key] for key in (CONF_URL, CONF_VERIFY_SSL) if key in values}
    if CONF_URL in suggested:
        suggested[CONF_URL] = without_secrets(suggested[CONF_URL])
    return suggested


def token_of(user_input: Mapping[str, Any]) -> str:
    """Return the token that was entered, or an empty string.

    Many people paste the whole address that contains the token: then the token is taken from it.
    """
    entered: str = user_input.get(CONF_TOKEN, "")
    found = _TOKEN_IN_ADDRESS.search(entered)
    return found[1] if found else entered.strip()
