"""Stores jobs and runs in a DynamoDB table."""
