"""The blueprints: each is well-formed, and does what it says, run against the simulator."""
