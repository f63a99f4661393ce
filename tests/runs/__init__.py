"""The tests of what is concluded of runs, and what they share."""
