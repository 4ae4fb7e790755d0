"""What the API tells of itself and its surroundings on `/readyz`."""
