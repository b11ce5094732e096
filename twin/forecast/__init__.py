"""Forecast: demand with its probability, and the twin beside telemetry."""
