"""A plant in time: what happens from an event on, second by second, and what it takes to the limits."""
