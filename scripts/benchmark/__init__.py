"""Measures what Plex Butler costs Home Assistant; `__main__` says what, and how."""

import tests.early  # noqa: F401 - before the harness
