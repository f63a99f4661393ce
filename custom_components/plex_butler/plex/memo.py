"""A parser that remembers its last result."""

from collections.abc import Callable


class ParseMemo[T]:
    """Parses bodies with a function; a body that equals the last one is not parsed again.

    Most polls of a server return the same bytes as the poll before. Callers share the result, so it
    must be immutable.
    """

    def __init__(self, parse: Callable[[bytes], T]) -> None:
        """Initialize with the function that parses a body."""
        self._parse = parse
        self._last: tuple[bytes, T] | None = None

    def __call__(self, body: bytes) -> T:
        """Return the parsed body. Raises what the function raises; the last result is kept then."""
        if self._last is None or self._last[0] != body:
            self._last = body, self._parse(body)
        return self._last[1]
