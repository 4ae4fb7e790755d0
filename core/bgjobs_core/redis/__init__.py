"""The one door to Redis: how to get in, the connection, and its errors."""
