"""`watchbot top`: what watchers do, live."""
