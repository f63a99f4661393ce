"""The tests of the simulated servers."""
