"""Reads dead letters, sends them again, deletes them: `watchbot dead-letter`."""
