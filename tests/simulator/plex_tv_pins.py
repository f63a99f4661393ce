"""The PINs of the simulated plex.tv: sign-ins that wait for their user."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
import secrets
from typing import Any, Final

from .clock import Clock

STRONG: Final = timedelta(minutes=30)
SHORT: Final = timedelta(minutes=15)


@dataclass(slots=True)
class Pin:
    """One sign-in, and what has become of it."""

    id: int
    code: str
    client: str
    product: str
    created: datetime
    expires: datetime
    token: str | None = None
    refused: bool = False

    def fields(self, now: datetime) -> dict[str, Any]:
        """Return what is told of it."""
        return {
            "id": self.id,
            "code": self.code,
            "product": self.product,
            "trusted": False,
            "qr": f"https://plex.tv/api/v2/pins/qr/{self.code}",
            "clientIdentifier": self.client,
            "location": {"code": "", "country": "", "city": "", "time_zone": "UTC"},
            "expiresIn": int((self.expires - now).total_seconds()),
            "createdAt": f"{self.created:%Y-%m-%dT%H:%M:%SZ}",
            "expiresAt": f"{self.expires:%Y-%m-%dT%H:%M:%SZ}",
            "authToken": self.token,
            "newRegistration": None,
        }


class Pins:
    """All PINs. A short one can be typed on a television; a strong one is for a link."""

    def __init__(self, clock: Clock) -> None:
        """Initialize without any."""
        self._clock = clock
        self._pins: dict[int, Pin] = {}
        self._numbers = count(604178290)

    @property
    def codes(self) -> list[str]:
        """The codes of all PINs, the last one last."""
        return [pin.code for pin in self._pins.values()]

    def create(self, client: str, product: str, *, strong: bool) -> Pin:
        """Make one for a client."""
        code = secrets.token_hex(13)[1:] if strong else secrets.token_hex(2).upper()
        now = self._clock.now
        pin = Pin(
            next(self._numbers), code, client, product, now, now + (STRONG if strong else SHORT)
        )
        self._pins[pin.id] = pin
        return pin

    def of(self, number: str, client: str) -> Pin | None:
        """Return a PIN to the client that made it, as long as it is good."""
        pin = self._pins.get(int(number)) if number.isdecimal() else None
        known = pin and pin.client == client and pin.expires > self._clock.now
        return pin if known else None

    def with_code(self, code: str) -> Pin:
        """Return the PIN of a code."""
        return next(pin for pin in self._pins.values() if pin.code == code)
