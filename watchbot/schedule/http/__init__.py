"""Serves the HTTP API and the web pages."""
