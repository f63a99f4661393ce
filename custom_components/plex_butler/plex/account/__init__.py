"""A client of plex.tv for signing in with an account."""
