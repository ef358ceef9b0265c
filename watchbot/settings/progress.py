"""The settings of `watchbot progress`: its store, and where messages go."""

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import AfterValidator

from watchbot.errors import SettingError
from watchbot.settings.base import QueueUrl, Settings, TopicArn, describe, option

TABLE = r"(arn:[\w-]+:dynamodb:[\w-]+:\d{12}:table/)?[\w.-]{3,255}"


def _address(value: str) -> str:
    if not re.match(r"rediss?://.", value) and not re.fullmatch(TABLE, value):
        # The error does not repeat the value: it may hold a password.
        raise ValueError("must be the name or ARN of a DynamoDB table, or redis://HOST:PORT/NUMBER")
    return value


class ProgressSettings(Settings):
    """Settings of `watchbot progress`, and of `watchbot.progress` in Python."""

    old_flags: ClassVar[Mapping[str, str]] = {"progress_table": "-d"}
    rivals = ("work_topic", "queue_url")  # a worker has QueueUrl in its variables

    progress_table: Annotated[str, AfterValidator(_address)] | None = option(
        None, "Keep progress in a DynamoDB table (name or ARN), or redis://...", "PLACE", repr=False
    )
    work_topic: TopicArn | None = option(
        None, "Send messages to this topic, which feeds the workers.", "ARN"
    )
    queue_url: QueueUrl | None = option(
        None, "Send messages to this queue, where there is no topic.", "URL"
    )

    @property
    def address(self) -> str:
        """The table or URL that keeps jobs. Raises `SettingError` when none is set."""
        if self.progress_table is None:
            raise SettingError(describe("progress_table"), "is missing; set the flag or a variable")
        return self.progress_table

    @property
    def destination(self) -> str:
        """The topic to send messages to, else the queue. Raises `SettingError`."""
        address = self.work_topic or self.queue_url
        if address is None:
            raise SettingError("WorkTopic, QueueUrl", "neither is set; messages need a place to go")
        return address
