"""Starting a run: whether its turn has come, the calls to ECS, SQS and SNS, and the outcome."""
