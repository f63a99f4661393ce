"""The identifier by which Plex knows this Home Assistant."""

from typing import Final
from uuid import UUID, uuid5

from homeassistant.core import HomeAssistant
from homeassistant.helpers import instance_id

# Ours alone, so that the identifier does not disclose that of Home Assistant.
_NAMESPACE: Final = UUID("6e2c6c1e-0d0f-4f0e-9a39-5d3f0ce6b7a4")


async def client_identifier(hass: HomeAssistant) -> str:
    """Return the client identifier, always the same one for one Home Assistant.

    An account lists each identifier that has signed in as a device of its own, and only the one
    that has created a PIN gets its token. It is derived from the id that Home Assistant keeps of
    itself, so that it survives the removal of the last entry without a file of ours. Entries keep
    the one that they were made with.
    """
    return str(uuid5(_NAMESPACE, await instance_id.async_get(hass)))
