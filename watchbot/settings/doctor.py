"""What `watchbot doctor` looks at."""

import os

from watchbot.settings.base import TWELVE_HOURS_S, TopicArn, option
from watchbot.settings.listen import ListenSettings


class DoctorSettings(ListenSettings):
    """`watchbot doctor`. It takes what `listen` takes, and checks what that would do."""

    topic: TopicArn | None = option(None, "The SNS topic that feeds the queue.", "ARN")
    stop_timeout: float = option(
        30,
        "From SIGTERM to SIGKILL for the container; ECS: its stopTimeout.",
        "S",
        ge=0,
        le=TWELVE_HOURS_S,
    )

    @property
    def in_ecs(self) -> bool:
        """Whether this is a container of ECS."""
        return self.ecs_metadata_uri is not None

    @property
    def variables_bytes(self) -> int:
        """What our own variables take up in every worker."""
        return sum(len(name) + len(value) + 2 for name, value in os.environb.items())
