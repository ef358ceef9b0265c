"""Looks at queues, and pauses them: `watchbot status`, `pause` and `resume`."""
