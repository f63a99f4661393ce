"""The tests of what knows one server."""
