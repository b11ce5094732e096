"""Tests, in folders that mirror the four houses."""
