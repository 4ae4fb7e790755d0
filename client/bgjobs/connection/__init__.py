"""How a client reaches the API: which server, with which token, and how calls are sent until they are answered."""
