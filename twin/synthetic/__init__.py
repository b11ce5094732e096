"""A plant whose constants and faults nobody tells: what it does, what its meters read of it, and files as vendors write them."""
