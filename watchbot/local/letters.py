"""Marks a dead letter with its source queue, and makes a new message of a moved letter."""

import copy
import uuid

from moto.sqs import models

SOURCE = "DeadLetterQueueSourceArn"


def give_up(message: models.Message, source_arn: str) -> None:
    """Notes the message's source queue."""
    message.system_attributes = {
        **(message.system_attributes or {}),
        SOURCE: {"StringValue": source_arn},
    }


def source_of(message: models.Message) -> str | None:
    """The ARN of the dead letter's source queue; None if the message is no dead letter."""
    noted: dict[str, str] = (message.system_attributes or {}).get(SOURCE, {})
    return noted.get("StringValue")


def as_new(message: models.Message) -> models.Message:
    """A copy with a new id, sent now and never received, as SQS's move makes it."""
    new = copy.copy(message)
    system = message.system_attributes or {}
    new.id, new.approximate_receive_count = str(uuid.uuid4()), 0
    new.approximate_first_receive_timestamp = None
    new.system_attributes = {name: item for name, item in system.items() if name != SOURCE}
    new.mark_sent()
    return new
