"""The scheduler's store in a table of DynamoDB."""
