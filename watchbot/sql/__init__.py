"""Databases: one interface for SQLite and PostgreSQL."""
