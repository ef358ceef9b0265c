"""Stores jobs and runs in SQLite or PostgreSQL."""
