"""Tests of Plex Butler."""
