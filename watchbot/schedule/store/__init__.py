"""The store of jobs and runs: its protocols, what both kinds share, and the two kinds."""
