"""Tables that a test migrates."""
