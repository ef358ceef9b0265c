"""Records the state of ECS tasks, now and before: `watchbot record` and `watchbot tasks`."""
