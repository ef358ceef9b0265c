"""Finds out who runs a command, for the tag that says who paused a queue."""

from watchbot.aws import open_client
from watchbot.errors import AwsError
from watchbot.settings.base import AwsEndpoint


async def caller(aws: AwsEndpoint | None) -> str:
    """The ARN of the credentials; empty where STS does not tell.

    STS needs no permission, but a network without a way to it, or a policy, may refuse the call.
    """
    if aws is None:
        return ""
    try:
        async with open_client("sts", aws, attempts=1) as sts:
            answer = await sts.call("get_caller_identity")
    except AwsError:
        return ""
    return str(answer.get("Arn") or "")
