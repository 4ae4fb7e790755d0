"""The dashboard: pages for people, complete without JavaScript, on the same routes and rights as the JSON API."""
