"""Checkpoints: what a run of a message stores for the next run of it."""
