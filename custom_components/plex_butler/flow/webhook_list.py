"""The account's list of webhooks, which is changed by a sign-in."""

from collections.abc import Callable

from homeassistant.core import HomeAssistant, callback

from ..plex.account.errors import AccountError
from .sign_in import WaitingSignIn, start_sign_in


class WebhookList:
    """Changes the account's list of webhooks in an external step of a dialogue."""

    def __init__(self) -> None:
        """Initialize without a sign-in."""
        self._sign_in: WaitingSignIn | None = None
        self._failure: str | None = None

    @property
    def failed(self) -> bool:
        """Return whether the list was not changed, and `take_errors` was not called since."""
        return self._failure is not None

    def take_errors(self) -> dict[str, str]:
        """Return the errors to show in a form, once."""
        failure, self._failure = self._failure, None
        return {"base": failure} if failure else {}

    async def begin(
        self, hass: HomeAssistant, client_identifier: str, on_finished: Callable[[], None]
    ) -> WaitingSignIn | None:
        """Begin a sign-in, unless one goes on; None if that has failed."""
        if not self._sign_in:
            try:
                self._sign_in = await start_sign_in(hass, client_identifier, on_finished)
            except AccountError as err:
                self._failure = err.key
                return None
        return self._sign_in

    async def replace(
        self, sign_in: WaitingSignIn, own: tuple[str, ...], address: str | None
    ) -> str | None:
        """Change the list once the user has signed in, while the account's token is there.

        Returns the page to open as long as the user has not signed in.
        """
        if not sign_in.finished:
            return str(sign_in.page)
        try:
            await sign_in.replace_webhook(own, address)
        except AccountError as err:
            self._failure = err.key
        self.close()
        return None

    @callback
    def close(self) -> None:
        """End the sign-in."""
        if self._sign_in:
            self._sign_in.close()
        self._sign_in = None
