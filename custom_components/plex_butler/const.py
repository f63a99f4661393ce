"""Constants of Plex Butler."""

import logging
from typing import Final

from homeassistant.const import Platform

DOMAIN: Final = "plex_butler"
LOGGER = logging.getLogger(__package__)

PLATFORMS: Final = [
    Platform.BINARY_SENSOR,
    Platform.BUTTON,
    Platform.CALENDAR,
    Platform.EVENT,
    Platform.SELECT,
    Platform.SENSOR,
    Platform.SWITCH,
]

ATTR_OUTCOME: Final = "outcome"
ATTR_TASK: Final = "task"
CONF_CLIENT_IDENTIFIER: Final = "client_identifier"
CONF_CLOUDHOOK_URL: Final = "cloudhook_url"
CONF_LOG: Final = "log"
CONF_WEBHOOK: Final = "webhook"
