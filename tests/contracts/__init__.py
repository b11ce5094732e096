"""Rules that hold for the whole source, whatever it computes."""
