"""A year of a site: weather by the hour, energy, water, cost and carbon, and the ratios people report."""
