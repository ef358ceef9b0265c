"""SQS as a consumer sees it: messages, queues, leases."""
