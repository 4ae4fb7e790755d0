"""How a client reaches the API: which server, whose token, and one call that is sent until it is answered."""
