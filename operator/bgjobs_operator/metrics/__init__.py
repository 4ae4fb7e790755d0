"""What Prometheus is told: how many jobs there are of each kind, and how the operator is."""
