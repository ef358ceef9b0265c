"""The scheduler's store in SQLite or PostgreSQL."""
