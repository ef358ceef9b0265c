"""SQS for consumers and senders: messages, queues, leases."""
