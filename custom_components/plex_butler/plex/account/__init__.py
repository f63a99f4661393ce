"""The language of plex.tv, as far as signing in goes."""
