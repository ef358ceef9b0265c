"""Checks a set-up, and says how to mend it: `watchbot doctor`. Start in `service.py`."""
