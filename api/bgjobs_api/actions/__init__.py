"""What people and programs can do with jobs, each once. Routes and pages call these and only translate."""
