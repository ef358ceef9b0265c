"""The settings of `watchbot doctor`."""

import os

from watchbot.settings.base import TWELVE_HOURS_S, TopicArn, option
from watchbot.settings.listen import ListenSettings


class DoctorSettings(ListenSettings):
    """Settings of `watchbot doctor`: the options of `listen`, whose effect it checks."""

    topic: TopicArn | None = option(None, "Check this SNS topic, which feeds the queue.", "ARN")
    stop_timeout: float = option(
        30,
        "Assume that the container gets SIGKILL this long after SIGTERM (ECS: stopTimeout).",
        "S",
        ge=0,
        le=TWELVE_HOURS_S,
    )

    @property
    def in_ecs(self) -> bool:
        """Whether this process runs in an ECS task."""
        return self.ecs_metadata_uri is not None

    @property
    def variables_bytes(self) -> int:
        """The bytes that our own variables take up in every worker."""
        return sum(len(name) + len(value) + 2 for name, value in os.environb.items())
