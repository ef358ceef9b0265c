"""`watchbot listen`: runs a command for every message. Start reading at `watcher.py`."""
