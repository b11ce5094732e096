"""What was measured: the canonical table, vendor mappings, the store and replay."""
