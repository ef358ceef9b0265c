"""`watchbot dead-letter`: looks at dead messages, sends them once more, deletes them."""
