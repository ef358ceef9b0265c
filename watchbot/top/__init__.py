"""`watchbot top`: a live view of watchers."""
