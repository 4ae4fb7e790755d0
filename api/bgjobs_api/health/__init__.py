"""What may be wrong with an installation, as far as the API can see it; `/readyz` tells it."""
