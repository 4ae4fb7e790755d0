"""The operator: takes jobs from Redis when they are due and launches one KubeJob for each."""
