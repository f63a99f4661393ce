"""The tests of the whole integration in a Home Assistant, and what they share."""
