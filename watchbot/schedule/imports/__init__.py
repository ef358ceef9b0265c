"""Jobs from elsewhere: files, other schedulers, and the table that stacks write to."""
