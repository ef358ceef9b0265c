"""Measures watchbot against other consumers: `make bench`. Not part of the tests."""
