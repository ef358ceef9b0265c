"""Keeps failures of all watchers for two weeks, so that they outlive containers."""
