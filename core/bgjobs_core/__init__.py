"""The job model, the life cycle and the store: what the operator and the API share."""
