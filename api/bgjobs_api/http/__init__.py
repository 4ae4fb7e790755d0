"""HTTP as such: bodies in, answers and problems out, who calls, and the sockets."""
