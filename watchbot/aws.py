"""The one door to AWS: opens clients, counts calls, gives every fault a name of ours."""

import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore import exceptions as boto

from watchbot import __version__, metrics
from watchbot.answers import watch_answers
from watchbot.errors import (
    AwsError,
    Denied,
    NotConfigured,
    NotFound,
    Rejected,
    Throttled,
    Unreachable,
)
from watchbot.settings.base import Account

CONNECT_TIMEOUT_S = 5
ANSWER_TIMEOUT_S = 10  # how much later than asked for an answer may come

RETRY_CAP_S = 20  # no pause between two tries is longer

# boto makes the names of these servers itself, and refuses to where one is named.
_OWN_SERVER = {"use_fips_endpoint": False, "use_dualstack_endpoint": False}

_NOT_FOUND = {
    "AWS.SimpleQueueService.NonExistentQueue",
    "NotFound",
    "NotFoundException",
    "QueueDoesNotExist",
    "ResourceNotFoundException",
}
_DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "AuthFailure",
    "AuthorizationError",
    "AuthorizationErrorException",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSecurity",
    "InvalidSignatureException",
    "KMS.AccessDeniedException",
    "KMSAccessDenied",
    "KMSAccessDeniedException",
    "KmsAccessDenied",
    "MissingAuthenticationToken",
    "OptInRequired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_THROTTLED = {
    "KMSThrottling",
    "KMSThrottlingException",
    "KmsThrottled",
    "OverLimit",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "SlowDown",
    "Throttled",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}
_NOT_CONFIGURED = (
    boto.NoCredentialsError,
    boto.NoRegionError,
    boto.PartialCredentialsError,
    boto.ProfileNotFound,
    boto.ConfigParseError,
    boto.ConfigNotFound,
    boto.InvalidRegionError,
    boto.InvalidConfigError,
)
_REJECTED = (boto.ParamValidationError,)
_NAMES = {  # of services that have more than capitals
    "cloudformation": "CloudFormation",
    "dynamodb": "DynamoDB",
    "logs": "CloudWatch Logs",
}


class Client:
    """One service's client. Every fault of a call is an `AwsError`; every call is counted."""

    def __init__(self, service: str, raw: Any) -> None:
        self.service = service
        self._raw = raw

    async def call(self, operation: str, **parameters: Any) -> Any:
        """The answer of one call, as boto gives it."""
        began = time.perf_counter()
        result = "error"
        try:
            answer = await getattr(self._raw, operation)(**parameters)
            result = "ok"
        except Exception as fault:  # botocore raises a bare one for an answer that it cannot read
            error = _translated(self.service, operation, fault)
            result = type(error).__name__
            raise error from fault
        else:
            return answer
        finally:
            metrics.aws_request(self.service, operation, result, time.perf_counter() - began)


def is_denial(code: str) -> bool:
    """Whether a service says by this code that the caller may not do that."""
    return code in _DENIED


def retry_pause(failures: int, cap_s: float = RETRY_CAP_S) -> float:
    """Seconds to wait after so many failures in a row: full jitter, doubling from 0.2 s.

    Full jitter keeps a fleet that failed together from coming back together.
    """
    return random.uniform(0, min(cap_s, 0.2 * 2 ** min(failures, 16)))


@asynccontextmanager
async def open_client(
    service: str, account: Account, *, attempts: int = 3, wait_s: float = 0, connections: int = 10
) -> AsyncIterator[Client]:
    """A client of `service`, closed on leaving.

    `attempts` is how often boto itself tries a call. `wait_s` is how long an answer may be held
    back on purpose (a long poll). Raises `NotConfigured` when there is no region.
    """
    config = AioConfig(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=wait_s + ANSWER_TIMEOUT_S,
        max_pool_connections=connections,
        retries={"mode": "standard", "total_max_attempts": attempts},
        user_agent=f"watchbot/{__version__}",  # boto's own is made anew for each call
        parameter_validation=False,  # half the cost of a call; our parameters are typed
        **_OWN_SERVER if account.endpoint_url else {},
    )
    try:
        opening = get_session().create_client(
            service,
            region_name=account.region or account.default_region,
            endpoint_url=account.endpoint_url,
            config=config,
        )
        raw = await opening.__aenter__()
        watch_answers(raw.meta.events)
    except (boto.BotoCoreError, ValueError) as fault:
        raise _translated(service, "client", fault) from fault
    try:
        yield Client(service, raw)
    finally:
        await opening.__aexit__(None, None, None)


def _translated(service: str, operation: str, fault: Exception) -> AwsError:
    facts = {"service": _NAMES.get(service, service.upper()), "operation": operation}
    if isinstance(fault, boto.ClientError):
        error = _refused(fault)(
            **facts,
            code=fault.response.get("Error", {}).get("Code") or "Unknown",
            text=_one_line(fault.response.get("Error", {}).get("Message") or "no reason given"),
        )
        if isinstance(error, Rejected):
            reasons = fault.response.get("CancellationReasons", ())
            error.reasons = tuple(reason.get("Code", "None") for reason in reasons)
        return error
    kind: type[AwsError] = Unreachable  # the network, or somebody in between who answers
    if isinstance(fault, (*_NOT_CONFIGURED, ValueError)):
        kind = NotConfigured
    elif isinstance(fault, _REJECTED):
        kind = Rejected
    return kind(**facts, code=type(fault).__name__, text=_one_line(str(fault)) or "no answer")


def _refused(fault: boto.ClientError) -> type[AwsError]:
    code = fault.response.get("Error", {}).get("Code", "")
    status = fault.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    by_code: list[tuple[set[str], type[AwsError]]] = [
        (_NOT_FOUND, NotFound),
        (_DENIED, Denied),
        (_THROTTLED, Throttled),
    ]
    for codes, kind in by_code:
        if code in codes:
            return kind
    by_status = {401: Denied, 403: Denied, 404: NotFound, 429: Throttled}
    return by_status.get(status, AwsError if status >= 500 else Rejected)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:500].rstrip(".")
