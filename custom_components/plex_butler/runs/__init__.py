"""What is running on a server, concluded from what the server shows."""
