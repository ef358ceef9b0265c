"""Shows the dead letters of a queue to all viewers from one walk, and acts on them."""
