"""Other road users: how they decide what to do."""
