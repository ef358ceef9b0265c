"""The lines of the log: a service's own, its workers', and those of libraries."""
