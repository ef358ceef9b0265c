"""What a worker asks of its watcher while it runs: the socket, the requests, what they change."""
