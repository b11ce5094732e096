"""Benchmarks: ours beside a peer in one run; ``python -m benchmarks`` writes the results."""
