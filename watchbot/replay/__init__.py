"""`watchbot replay`: the command for one message, here, without a queue."""
