"""Headroom: contingencies, what fits, what binds."""
