"""Makes the files of `docs/` that say what the code says: `python -m generate`."""
