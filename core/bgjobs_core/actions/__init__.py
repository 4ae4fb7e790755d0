"""What people and programs can do with jobs, each in one module. The API, the pages and the operator call these."""
