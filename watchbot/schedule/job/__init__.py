"""Defines a job: its fields, their types and limits, and the errors for wrong ones."""
