"""Loaded by pytest before any other plugin: prepares the harness for Home Assistant 2026.11.

The newest pytest-homeassistant-custom-component knows 2026.10. On 2026.11 it needs
`homeassistant` to be imported before httpx, and a function where 2026.10 had it.
On 2026.10 this module changes nothing.
"""

from homeassistant.components import logger
from homeassistant.components.logger import helpers

if not hasattr(logger, "_clear_logger_overwrites"):
    logger._clear_logger_overwrites = helpers._clear_logger_overwrites  # type: ignore[attr-defined]
