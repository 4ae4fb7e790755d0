"""How the command finds a server and reaches it: by the environment, a local server, or a cluster through kubectl."""
