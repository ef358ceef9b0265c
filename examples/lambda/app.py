"""A Lambda function for messages of SQS, as Powertools' documentation has it: not one line differs.

A message such as {"numbers": [1, 2, 3]} is done; any other fails, and goes back alone.
"""

from typing import Any

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

processor = BatchProcessor(event_type=EventType.SQS)


def record_handler(record: SQSRecord) -> None:
    print("the sum is", sum(record.json_body["numbers"]))


def handler(event: dict[str, Any], context: Any) -> Any:
    return process_partial_response(
        event=event, record_handler=record_handler, processor=processor, context=context
    )
