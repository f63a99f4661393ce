"""The tests of the client of plex.tv."""
