"""The forms of the config flow, and how to read what was entered."""

from collections.abc import Mapping, Sequence
import re
from typing import Any, Final
from urllib.parse import unquote

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

from ..names import distinct
from ..plex import without_invisible, without_secrets
from ..plex.account.parse import is_token

CONF_SERVER: Final = "server"

_QUOTES: Final = "\"'`\u00ab\u00bb\u2018\u2019\u201a\u201c\u201d\u201e \t\r\n"
# In an address, a header, or what a program shows of either; no token has these characters.
_PASTED_TOKEN: Final = re.compile(
    rf"X-Plex-Token[\s{_QUOTES}=:]+([^&#\s{_QUOTES}%,;]+)", re.IGNORECASE
)
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


def choice_schema(options: Mapping[str, Sequence[str]]) -> vol.Schema:
    """Return a form to choose one server; the first one is preselected.

    `options` maps the value that the form returns as CONF_SERVER to the labels that it may show,
    the shortest one first; the one that is shown differs from those of all others. It must not be
    empty.
    """
    labels = distinct(options)
    return vol.Schema(
        {
            vol.Required(CONF_SERVER, default=next(iter(labels))): SelectSelector(
                SelectSelectorConfig(
                    options=[
                        SelectOptionDict(value=value, label=label)
                        for value, label in labels.items()
                    ]
                )
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

    Many people paste what contains the token, an address or a header, or quotes around it: then the
    token is taken from it.
    """
    entered = without_invisible(user_input.get(CONF_TOKEN, ""))
    found = _PASTED_TOKEN.search(unquote(entered))
    return found[1] if found else entered.strip(_QUOTES)


def token_error(token: str) -> str | None:
    """Return the key of what is wrong with a token that was entered; None if it can be sent."""
    if not token:
        return None
    if token.lower().startswith("claim-"):
        return "claim_code"
    if token.startswith("eyJ"):
        # The header of a JSON Web Token. Those of Plex are valid for seven days.
        return "short_lived_token"
    if "x-plex-token" in token.lower():
        # Nothing stood behind it.
        return "invalid_token"
    return None if is_token(token) else "invalid_token"
