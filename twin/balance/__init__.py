"""Readings against the energy balance: which meter, or which piece of the plant, no longer agrees with the others, and since when."""
