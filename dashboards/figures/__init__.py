"""Results of the twin as Plotly figures: pure functions, no page in them."""
