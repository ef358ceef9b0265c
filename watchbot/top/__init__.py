"""Shows a live view of watchers: `watchbot top`."""
