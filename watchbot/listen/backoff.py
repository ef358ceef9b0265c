"""Computes how long a message waits before its next try."""


def retry_delay(receives: int, max_s: int, left_s: float) -> int:
    """2^receives seconds; at most `max_s`, and at most the rest of the message's twelve hours."""
    return int(min(2 ** min(receives, 16), max_s, left_s))
