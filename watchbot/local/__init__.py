"""Runs the parts of `watchbot local` on one machine, without a cloud."""
