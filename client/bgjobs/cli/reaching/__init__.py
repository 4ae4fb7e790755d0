"""How the command finds a server and gets in: the environment, a local server, or a cluster by kubectl."""
