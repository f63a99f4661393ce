"""The webhook at which Plex reports its backups, and its address."""

import asyncio
from functools import partial
from typing import Final

from aiohttp import ClientError
from aiohttp.hdrs import CONTENT_TYPE, METH_POST
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web import Request, RequestPayloadError
from homeassistant.components import webhook
from homeassistant.const import CONF_WEBHOOK_ID
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.network import NoURLAvailableError, get_url

from .const import CONF_WEBHOOK, DOMAIN
from .coordinator import PlexButlerConfigEntry
from .plex.webhook import PayloadReader, parse_webhook

_CHUNK: Final = 8 * 1024
# A server sends the part that counts at once.
_READ_TIMEOUT: Final = 10.0
_READ_FAILED: Final = (ClientError, HttpProcessingError, OSError, RequestPayloadError)


@callback
def async_register_webhook(hass: HomeAssistant, entry: PlexButlerConfigEntry) -> None:
    """Receive what Plex sends until the config entry is unloaded, if the user wants that.

    Not for the local network only: Home Assistant would drop what comes from outside it, and answer
    as if nothing were wrong. And for all methods: it would log the others with the secret id.
    """
    if not entry.options.get(CONF_WEBHOOK):
        return
    webhook_id = entry.options[CONF_WEBHOOK_ID]

    async def handle(_: HomeAssistant, __: str, request: Request) -> None:
        payload = await _read_payload(request) if request.method == METH_POST else None
        event = parse_webhook(payload, str(entry.unique_id)) if payload else None
        entry.runtime_data.reports.async_record_webhook(event)

    webhook.async_register(
        hass, DOMAIN, entry.title, webhook_id, handle, allowed_methods=webhook.SUPPORTED_METHODS
    )
    entry.async_on_unload(partial(webhook.async_unregister, hass, webhook_id))


async def _read_payload(request: Request) -> bytes | None:
    """Read a request as far as needed. What fails is dropped: an error would be logged with the id."""
    reader, body = PayloadReader(request.headers.get(CONTENT_TYPE, "")), request.content
    try:
        async with asyncio.timeout(_READ_TIMEOUT):
            while chunk := await body.read(min(_CHUNK, reader.wanted)):
                reader.feed(chunk)
    except _READ_FAILED:
        return None
    return reader.payload


@callback
def async_webhook_addresses(hass: HomeAssistant, webhook_id: str) -> list[str]:
    """Return the addresses of a webhook, none at all if Home Assistant knows none of its own.

    The first one is the local one; behind it comes that from outside, if there is one.
    """
    bases: list[str] = []
    for internal in (True, False):
        try:
            bases.append(get_url(hass, allow_internal=internal, allow_external=not internal))
        except NoURLAvailableError:
            continue
    path = webhook.async_generate_path(webhook_id)
    return [f"{base}{path}" for base in dict.fromkeys(bases)]
