"""Imports jobs from files, from other schedulers, and from the table of stacks."""
