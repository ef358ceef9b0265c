"""`watchbot explain`: what became of one message, over all tries."""
