"""What is measured: jobs of ours, and the servers that take them."""
