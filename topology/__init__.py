"""The plant as built: its elements, catalog, checks and graph questions."""
