"""One server: polled, listened to and commanded."""
