"""Stores jobs and runs: protocols, shared code, and implementations in SQL and DynamoDB."""
