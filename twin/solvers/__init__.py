"""Solvers: laws, hydraulics, power, heat and the steady solve."""
