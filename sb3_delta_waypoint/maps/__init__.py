"""Road maps to road networks."""
