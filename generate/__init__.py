"""Makes the files of docs/ and cloudformation/ that say what the code says: python -m generate."""
