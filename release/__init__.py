"""Builds the files of a release: `make pyz` and `make lambda`. Not part of the package."""
