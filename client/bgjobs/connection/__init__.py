"""How a client reaches the API: it finds the server and the token, and sends a call until there is an answer."""
