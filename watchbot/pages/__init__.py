"""Shared by the web pages of all services: access, style, and security headers."""
