"""Makes the files of docs/ and cloudformation/ that derive from the code: python -m generate."""
