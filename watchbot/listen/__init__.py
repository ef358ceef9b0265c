"""`watchbot listen`: a command for every message. Start reading at `watcher.py`."""
