"""`watchbot record` and `watchbot tasks`: the state of ECS tasks, now and before."""
