"""Loaded by pytest before any other plugin: prepares the harness for Home Assistant 2026.11.

The newest pytest-homeassistant-custom-component knows 2026.10. On 2026.11 it needs
`homeassistant` to be imported before httpx, and a function where 2026.10 had it.
"""

# What the harness puts in the place of Home Assistant's own has to be there first, in its order.
from pytest_homeassistant_custom_component import (  # noqa: I001
    patch_json,  # noqa: F401
    patch_recorder,  # noqa: F401
    patch_time,  # noqa: F401
)

from homeassistant.components import logger
from homeassistant.components.logger import helpers

if not hasattr(logger, "_clear_logger_overwrites"):
    logger._clear_logger_overwrites = helpers._clear_logger_overwrites  # type: ignore[attr-defined]
