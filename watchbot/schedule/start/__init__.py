"""Starts runs: waits for their turn, calls ECS, SQS and SNS, and finds the outcomes."""
