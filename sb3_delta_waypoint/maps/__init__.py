"""Road maps, and the road networks and routes made from them."""
