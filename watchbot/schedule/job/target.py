"""Defines a message to a topic or queue as the target of a job."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator
from pydantic_core import PydanticCustomError

from watchbot.schedule.job.endpoints import JobQueueUrl
from watchbot.schedule.job.part import JobPart
from watchbot.sqs.message import Attribute
from watchbot.sqs.outgoing import MAX_ATTRIBUTES, Outgoing, attribute_flaw, flaw

OWN_ATTRIBUTES = 3  # Job, DueAt and Cause
TOLD_ATTRIBUTES = 3  # those of `passDueAt`
_GROUP = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class MessageAttribute(JobPart):
    """An attribute of a message; a binary value is base64."""

    type: str = "String"
    value: Annotated[str, StringConstraints(min_length=1)]


class _Message(JobPart):
    message: str
    attributes: Annotated[
        Mapping[str, MessageAttribute], Field(max_length=MAX_ATTRIBUTES - OWN_ATTRIBUTES)
    ] = {}
    group_id: _GROUP | None = None  # for FIFO; default: the job's id

    @field_validator("message")
    @classmethod
    def _can_be_sent(cls, value: str) -> str:
        wrong = flaw(Outgoing(body=value))
        if wrong:
            raise PydanticCustomError("message", "{text}", {"text": wrong.text})
        return value

    @field_validator("attributes")
    @classmethod
    def _are_attributes(
        cls, value: Mapping[str, MessageAttribute]
    ) -> Mapping[str, MessageAttribute]:
        for name, each in value.items():
            wrong = attribute_flaw(name, Attribute(type=each.type, value=each.value))
            if wrong:
                raise PydanticCustomError("attributes", "{text}", {"text": f"{name}: {wrong}"})
        return value


class TopicTarget(_Message):
    """A message to an SNS topic."""

    type: Literal["sns"]
    topic_arn: Annotated[
        str, StringConstraints(pattern=r"^arn:[\w-]+:sns:[\w-]+:\d{12}:[\w-]+(\.fifo)?\z")
    ]
    subject: Annotated[str, StringConstraints(pattern=r"^[!-~][ -~]{0,99}\z")] | None = None


class QueueTarget(_Message):
    """A message to an SQS queue."""

    type: Literal["sqs"]
    queue_url: JobQueueUrl


Target = Annotated[TopicTarget | QueueTarget, Field(discriminator="type")]
