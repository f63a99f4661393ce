"""The webhook at which Plex reports its backups, and its address."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
import time
from typing import Final

from aiohttp import ClientError
from aiohttp.hdrs import CONTENT_TYPE, METH_POST
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web import Request, RequestPayloadError
from homeassistant.components import webhook
from homeassistant.config_entries import ConfigEntry
from homeassistant.const import CONF_WEBHOOK_ID
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.dispatcher import async_dispatcher_send
from homeassistant.helpers.network import NoURLAvailableError, get_url
from homeassistant.util import dt as dt_util
from homeassistant.util.hass_dict import HassKey

from .butler.backups import SAME_REPORT, BackupSource, GoodBackup
from .const import CONF_WEBHOOK, DOMAIN
from .issues import async_create_corruption_repair
from .plex.webhook import PayloadReader, WebhookEvent, parse_webhook
from .reports import Reports
from .run_events import SIGNAL_EVENT

_CHUNK: Final = 8 * 1024
# A server sends the part that counts at once.
_READ_TIMEOUT: Final = 10.0
_READ_FAILED: Final = (ClientError, HttpProcessingError, OSError, RequestPayloadError)


@dataclass(slots=True)
class Inbox:
    """What the webhook of one config entry brings, also while the entry waits to be set up."""

    hass: HomeAssistant
    entry: ConfigEntry
    webhook_id: str
    reports: Reports | None = None
    """Where it is reported, unless the entry waits."""
    backup: float | None = None
    """When a good backup was reported while the entry waited, in monotonic seconds."""

    @callback
    def async_receive(self, event: WebhookEvent | None) -> None:
        """Report an event, or keep what is to be reported later."""
        if self.reports:
            self.reports.async_record_webhook(event)
        elif event is WebhookEvent.CORRUPTED:
            async_create_corruption_repair(self.hass, self.entry)
        elif event is WebhookEvent.BACKUP:
            before, self.backup = self.backup, time.monotonic()
            if before is None or self.backup - before > SAME_REPORT.total_seconds():
                backup = GoodBackup(dt_util.utcnow(), BackupSource.WEBHOOK)
                async_dispatcher_send(self.hass, SIGNAL_EVENT, self.entry.entry_id, backup)

    @callback
    def async_open(self, reports: Reports) -> None:
        """Report from now on, beginning with what was kept."""
        self.reports = reports
        if self.backup is not None:
            age = timedelta(seconds=time.monotonic() - self.backup)
            reports.async_record_kept_backup(BackupSource.WEBHOOK, age)


_INBOXES: HassKey[dict[str, Inbox]] = HassKey(f"{DOMAIN}_webhooks")


@callback
def async_register_webhook(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Receive what Plex sends until `async_unregister_webhook`, if the user wants that.

    It has an effect with the first try to set the entry up: while the server does not answer, Home
    Assistant would drop what it sends, and answer as if nothing were wrong.

    Not for the local network only: Home Assistant would drop what comes from outside it, and answer
    as if nothing were wrong. And for all methods: it would log the others with the secret id.
    """
    inboxes = hass.data.setdefault(_INBOXES, {})
    if not entry.options.get(CONF_WEBHOOK) or entry.entry_id in inboxes:
        return
    webhook_id = entry.options[CONF_WEBHOOK_ID]
    inbox = inboxes[entry.entry_id] = Inbox(hass, entry, webhook_id)

    async def handle(_: HomeAssistant, __: str, request: Request) -> None:
        payload = await _read_payload(request) if request.method == METH_POST else None
        event = parse_webhook(payload, str(entry.unique_id)) if payload else None
        inbox.async_receive(event)

    webhook.async_register(
        hass, DOMAIN, entry.title, webhook_id, handle, allowed_methods=webhook.SUPPORTED_METHODS
    )


@callback
def async_report_webhook(hass: HomeAssistant, entry: ConfigEntry, reports: Reports) -> None:
    """Report what the webhook brings, and has brought, because the entry is set up now."""
    if inbox := hass.data[_INBOXES].get(entry.entry_id):
        inbox.async_open(reports)


@callback
def async_unregister_webhook(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """Receive nothing more, because the entry is not to be set up again."""
    if inbox := hass.data.get(_INBOXES, {}).pop(entry.entry_id, None):
        webhook.async_unregister(hass, inbox.webhook_id)


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
def async_webhook_addresses(
    hass: HomeAssistant, webhook_id: str, cloudhook: str | None = None
) -> list[str]:
    """Return the addresses of a webhook, none at all if Home Assistant knows none of its own.

    The first one is the local one; behind it come those from outside, if there are any, with the
    `cloudhook` last.
    """
    bases: list[str] = []
    for internal in (True, False):
        try:
            bases.append(get_url(hass, allow_internal=internal, allow_external=not internal))
        except NoURLAvailableError:
            continue
    path = webhook.async_generate_path(webhook_id)
    addresses = [f"{base}{path}" for base in dict.fromkeys(bases)]
    return [*addresses, cloudhook] if cloudhook else addresses
