"""The record's ingest on a clock that jumps: its queue and its database fail wherever they can."""
