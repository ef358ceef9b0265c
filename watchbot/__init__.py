"""watchbot runs a command for every message of an SQS queue."""

__version__ = "1.0.0.dev0"
