"""Limits the servers that a job may name, because these get calls signed for AWS."""

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, StringConstraints, ValidationInfo
from pydantic_core import PydanticCustomError

from watchbot.settings.base import AwsEndpoint
from watchbot.settings.whereabouts import is_of_aws


class Endpoints:
    """Allowed servers: AWS's own, the endpoints of `aws`, and the hosts in `added`."""

    def __init__(self, aws: AwsEndpoint, added: Sequence[str] = ()) -> None:
        hosts = [host.strip().lower() for each in added for host in each.split(",")]
        self._hosts = {*hosts, *(urlsplit(url).netloc.lower() for url in aws.servers)} - {""}

    def refusal(self, url: str) -> str | None:
        """The reason why a job may not name this URL; None if it may."""
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
            "the operator of the scheduler may allow it by --allow-endpoint."
        )


def _allowed(value: str, info: ValidationInfo) -> str:
    endpoints = info.context
    problem = endpoints.refusal(value) if isinstance(endpoints, Endpoints) else None
    if problem:
        raise PydanticCustomError("endpoint", "{text}", {"text": problem})
    return value


# The validation context may have `Endpoints`, which must allow the URL.
JobQueueUrl = Annotated[
    str, StringConstraints(pattern=r"^https?://[^\s/]+/\S+\z"), AfterValidator(_allowed)
]
