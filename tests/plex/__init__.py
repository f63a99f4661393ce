"""What the tests of the client share, and the tests."""
