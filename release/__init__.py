"""Builds the files of a release: `make release`, and each of its parts. Not part of the package."""
