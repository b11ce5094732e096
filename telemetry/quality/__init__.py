"""Which sensors can be trusted: doubts about readings, one function a test, and a score for each sensor."""
