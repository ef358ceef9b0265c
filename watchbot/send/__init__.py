"""`watchbot send`: publishes messages to a topic or a queue."""

from watchbot.send.service import Streams, send

__all__ = ["Streams", "send"]
