"""The tests of the config flow, and what they share."""
