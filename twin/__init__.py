"""What must be true: solvers, contingencies, forecasts and headroom."""
