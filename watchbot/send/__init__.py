"""Sends messages to a topic or a queue: `watchbot send`."""

from watchbot.send.service import Streams, send

__all__ = ["Streams", "send"]
