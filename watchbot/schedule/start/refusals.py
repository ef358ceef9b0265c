"""Decides what becomes of a run whose call to AWS is refused, by one table.

ECS has few error codes, and tells many causes only in the text. So the table matches both.
"""

import re
from dataclasses import dataclass

from watchbot.errors import AwsError, Denied, NotConfigured, NotFound, Rejected, Throttled


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalKind:
    """A kind of refusal. `code` and `text` are regular expressions; `passes`: a retry may succeed.

    A refused call has started no task.
    """

    code: str = ""
    text: str = ""
    kind: type[AwsError] = AwsError
    passes: bool
    why: str
    sample: str  # AWS's own text


REFUSALS = (
    RefusalKind(
        kind=Throttled,
        passes=True,
        why="there were too many calls",
        sample="ThrottlingException: Rate exceeded",
    ),
    RefusalKind(
        text=r"rate exceeded|throttl",
        passes=True,
        why="a service that ECS itself calls had too many calls",
        sample="InvalidParameterException: Error retrieving subnet information: "
        "Rate exceeded (ErrorCode: Throttling)",
    ),
    RefusalKind(
        text=r"no container instances were found",
        passes=True,
        why="the cluster is scaled to zero; it may grow",
        sample="InvalidParameterException: No Container Instances were found in your cluster",
    ),
    RefusalKind(
        text=r"capacity is unavailable|insufficient[ _]?\w*[ _]?capacity|does not have capacity",
        passes=True,
        why="AWS has no machines free just now",
        sample="ClientException: Capacity is unavailable at this time. Please try again later "
        "or in a different availability zone",
    ),
    RefusalKind(
        text=r"insufficient (ip|free) ?addresses|not enough (free )?(ip )?addresses|no free ip",
        passes=True,
        why="addresses of a subnet are freed when tasks end",
        sample="InvalidParameterException: Insufficient IP addresses available in subnet-1",
    ),
    RefusalKind(
        code=r"LimitExceeded",
        passes=True,
        why="tasks that end make room; a limit may be raised",
        sample="LimitExceededException: The limit for the resource has been exceeded",
    ),
    RefusalKind(
        text=r"\blimits?\b|\bquotas?\b",
        passes=True,
        why="tasks that end make room; a limit may be raised",
        sample="ClientException: You've reached the limit on the number of tasks you can run "
        "concurrently",
    ),
    RefusalKind(
        text=r"unable to assume the|unable to assume role|not authorized to perform",
        passes=True,
        why="a new role or policy takes a while to reach all of AWS's servers",
        sample="ClientException: ECS was unable to assume the role that was provided for this task",
    ),
    RefusalKind(
        code=r"Expired|InvalidClientTokenId|UnrecognizedClient",
        passes=True,
        why="the credentials have expired; new ones come by themselves",
        sample="ExpiredTokenException: The security token included in the request is expired",
    ),
    RefusalKind(
        kind=Denied,
        passes=True,
        why="a new policy takes a while to take effect; the first try logs a warning",
        sample="AccessDeniedException: User is not authorized to perform: ecs:RunTask",
    ),
    RefusalKind(
        kind=NotConfigured,
        passes=True,
        why="the machine's credentials did not answer just now",
        sample="NoCredentialsError: Unable to locate credentials",
    ),
    RefusalKind(
        kind=NotFound,
        passes=False,
        why="the queue or topic does not exist",
        sample="QueueDoesNotExist: The specified queue does not exist",
    ),
    RefusalKind(
        code=r"ClusterNotFound",
        passes=False,
        why="the cluster does not exist",
        sample="ClusterNotFoundException: Cluster not found",
    ),
    RefusalKind(
        code=r"ClientException",
        text=r"taskdefinition|task definition",
        passes=False,
        why="the task definition does not exist, or is inactive",
        sample="ClientException: TaskDefinition not found",
    ),
    RefusalKind(
        code=r"Platform\w+Exception",
        passes=False,
        why="the platform cannot run this task definition",
        sample="PlatformTaskDefinitionIncompatibilityException: The specified platform version "
        "does not satisfy the task definition's required capabilities",
    ),
    RefusalKind(
        code=r"UnsupportedFeature",
        passes=False,
        why="the region, or the platform, cannot do this",
        sample="UnsupportedFeatureException: The specified task isn't supported in this Region",
    ),
    RefusalKind(
        code=r"BlockedException",
        passes=False,
        why="AWS has blocked the account; write to AWS Support",
        sample="BlockedException: Your account is currently blocked",
    ),
    RefusalKind(
        kind=Rejected,
        passes=False,
        why="AWS says that the request itself is wrong, and a retry would fail",
        sample="InvalidParameterException: Override for container named web is not a container "
        "in the TaskDefinition",
    ),
)
_NO_ANSWER = RefusalKind(
    passes=True,
    why="there was no answer, or AWS failed; watchbot repeats the call under its token",
    sample="ServerException: Service Unavailable",
)


def refusal_of(error: AwsError) -> RefusalKind:
    """The row for an error of AWS."""
    return next((row for row in REFUSALS if _is(row, error)), _NO_ANSWER)


def table() -> tuple[RefusalKind, ...]:
    """All rows, in the order of matching."""
    return (*REFUSALS, _NO_ANSWER)


def _is(row: RefusalKind, error: AwsError) -> bool:
    named = row.code or row.text or row.kind is not AwsError
    return bool(
        named
        and isinstance(error, row.kind)
        # The text of a network error is no refusal of AWS, whatever its words.
        and (not row.text or isinstance(error, (Rejected, Denied, Throttled, NotFound)))
        and re.search(row.code, error.code)
        and re.search(row.text, error.text, re.IGNORECASE)
    )
