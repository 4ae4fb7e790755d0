"""What all routes share of HTTP: bodies, answers, problems, who calls, and the ports to listen on."""
