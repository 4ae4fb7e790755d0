"""What all pages have: templates, assets, the words for times and states, and errors as pages."""
