"""Databases, as the services that keep something in one see them."""
