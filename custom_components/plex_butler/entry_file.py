"""A file of one config entry in Home Assistant's storage: written late, read whatever it holds."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from homeassistant.core import HomeAssistant
from homeassistant.exceptions import HomeAssistantError, UnsupportedStorageVersionError
from homeassistant.helpers.storage import Store

from .const import DOMAIN, LOGGER
from .stored_rows import UNREADABLE

_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Content[D]:
    """What one kind of file holds.

    `suffix`: what distinguishes the file from the others of the entry. `save_delay`: how long to wait
    before a change is written, in seconds. `empty`: returns what is known without a file. `read`:
    returns all that can be read, and whether that is everything. `write`: returns what to write; it
    may be called in another thread.
    """

    suffix: str
    save_delay: float
    empty: Callable[[], D]
    read: Callable[[object], tuple[D, bool]]
    write: Callable[[D], dict[str, Any]]


class EntryFile[D]:
    """One file of one config entry."""

    def __init__(self, hass: HomeAssistant, entry_id: str, content: Content[D]) -> None:
        """Initialize; nothing is read."""
        self._hass = hass
        self._content = content
        self._store = _store(hass, entry_id, content)
        self._closed = False

    async def load(self) -> D:
        """Return what is stored. What cannot be read is forgotten, with one warning."""
        try:
            stored: object = await self._store.async_load()
        except HomeAssistantError as err:
            # Written by a later release; or no file that can be read, nor one that can be written.
            self._closed = not isinstance(err, UnsupportedStorageVersionError)
            return self._forgotten(self._content.empty())
        except (*UNREADABLE, NotImplementedError):
            # The file holds JSON that Home Assistant has not written.
            return self._forgotten(self._content.empty())
        if stored is None:
            return self._content.empty()
        # There may be thousands of rows.
        data, complete = await self._hass.async_add_executor_job(self._content.read, stored)
        return data if complete else self._forgotten(data)

    def _forgotten(self, data: D) -> D:
        LOGGER.warning("Some stored runs of a server cannot be read and are forgotten")
        return data

    def save_soon(self, data: D) -> None:
        """Write the data after the delay, or when Home Assistant stops."""
        if not self._closed:
            write = partial(self._content.write, data)
            self._store.async_delay_save(write, self._content.save_delay)

    async def close(self, data: D) -> None:
        """Write the data now, and nothing later: the next set-up of the entry uses the file then."""
        if not self._closed:
            self._closed = True
            written = await self._hass.async_add_executor_job(self._content.write, data)
            await self._store.async_save(written)


async def async_remove_file(hass: HomeAssistant, entry_id: str, content: Content[Any]) -> None:
    """Remove a file of a config entry that was removed."""
    try:
        await _store(hass, entry_id, content).async_remove()
    except OSError as err:
        LOGGER.warning("The stored runs of a server cannot be removed: %s", err.strerror)


def _store(hass: HomeAssistant, entry_id: str, content: Content[Any]) -> Store[dict[str, Any]]:
    # A thread may write, because the data is copied or never changes.
    return Store(
        hass,
        _VERSION,
        f"{DOMAIN}.{entry_id}{content.suffix}",
        atomic_writes=True,
        serialize_in_event_loop=False,
    )
