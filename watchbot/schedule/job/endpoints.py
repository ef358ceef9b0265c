"""Which servers a job may name: whoever is named gets calls that are signed for AWS."""

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, StringConstraints, ValidationInfo
from pydantic_core import PydanticCustomError

from watchbot.settings.base import AwsEndpoint
from watchbot.settings.whereabouts import is_of_aws


class Endpoints:
    """AWS's own, those of `aws` that stand in for AWS, and the hosts that were `added`."""

    def __init__(self, aws: AwsEndpoint, added: Sequence[str] = ()) -> None:
        hosts = [host.strip().lower() for each in added for host in each.split(",")]
        self._hosts = {*hosts, *(urlsplit(url).netloc.lower() for url in aws.servers)} - {""}

    def refusal(self, url: str) -> str | None:
        """Why a job may not name this URL; None if it may."""
        try:
            parts = urlsplit(url)
            if is_of_aws(url):
                return None
            named = {parts.netloc.lower(), (parts.hostname or "").lower()}
        except ValueError:
            return "It is no URL."
        if named & self._hosts and "@" not in parts.netloc:
            return None
        return (
            f"{parts.netloc[:100]} is not a server of AWS; "
            "whoever runs the scheduler may allow it by --allow-endpoint."
        )


def _allowed(value: str, info: ValidationInfo) -> str:
    endpoints = info.context
    problem = endpoints.refusal(value) if isinstance(endpoints, Endpoints) else None
    if problem:
        raise PydanticCustomError("endpoint", "{text}", {"text": problem})
    return value


# Read with `Endpoints` as the context, it must be one of them.
JobQueueUrl = Annotated[
    str, StringConstraints(pattern=r"^https?://[^\s/]+/\S+\z"), AfterValidator(_allowed)
]
