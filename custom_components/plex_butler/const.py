"""What every room of Plex Butler may need to know."""

from datetime import timedelta
import logging
from typing import Final

from homeassistant.const import Platform

DOMAIN: Final = "plex_butler"
LOGGER = logging.getLogger(__package__)

PLATFORMS: Final = [
    Platform.BINARY_SENSOR,
    Platform.BUTTON,
    Platform.EVENT,
    Platform.SENSOR,
    Platform.SWITCH,
]

ATTR_OUTCOME: Final = "outcome"
ATTR_TASK: Final = "task"
CONF_CLIENT_IDENTIFIER: Final = "client_identifier"

# How often the server is asked (the reasons are in the README, "How data is updated").
ACTIVITIES_INTERVAL_ACTIVE: Final = timedelta(seconds=5)
ACTIVITIES_INTERVAL_IDLE: Final = timedelta(seconds=30)
TASKS_INTERVAL: Final = timedelta(minutes=5)
UNREACHABLE_INTERVAL: Final = timedelta(seconds=30)
# What the stream tells is shown at once; what follows right after it waits so long.
SHOW_INTERVAL: Final = timedelta(seconds=0.25)
# However long a server or a proxy asks to be left alone.
LONGEST_RETRY_AFTER: Final = timedelta(minutes=5)

# A single 401 may be a server that starts or a name it does not know: it counts when it stays.
UNAUTHORIZED_FOR_REAUTH: Final = timedelta(seconds=60)
# A frozen server (OptimizeDatabase on a large library) may be silent for hours: it is not gone.
BUSY_AT_MOST: Final = timedelta(hours=12)
