"""The night window: when it opens and when it closes."""

from collections.abc import Callable
from datetime import timedelta

from .clock import Clock
from .prefs import Preferences


class Window:
    """Looks at every full hour whether the window is open: preferences may move it any time.

    A server that starts inside its window waits for the next one (inferred).
    """

    def __init__(
        self,
        clock: Clock,
        preferences: Preferences,
        opens: Callable[[float], None],
        closes: Callable[[], None],
    ) -> None:
        """Take what to do when it opens, with the seconds that it stays so, and when it closes."""
        self._clock = clock
        self._preferences = preferences
        self._opens = opens
        self._closes = closes
        self._is_open = bool(preferences.seconds_left_in_window(clock.now))
        self._wait()

    def _wait(self) -> None:
        now = self._clock.now
        hour = now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        self._clock.call_later((hour - now).total_seconds(), self._strike)

    def _strike(self) -> None:
        self._wait()
        left = self._preferences.seconds_left_in_window(self._clock.now)
        was_open, self._is_open = self._is_open, bool(left)
        if left and not was_open:
            self._opens(left)
        elif was_open and not left:
            self._closes()
