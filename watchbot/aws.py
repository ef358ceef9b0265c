"""Opens all AWS clients, counts their calls, and turns every fault into an `AwsError`."""

import random
import re
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aioboto3
import anyio
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore import exceptions as boto

from watchbot import __version__, metrics
from watchbot.answers import watch_answers
from watchbot.credentials import judged, prepare
from watchbot.errors import (
    AwsError,
    Denied,
    GaveUp,
    NotConfigured,
    NotFound,
    Rejected,
    Throttled,
    Unreachable,
)
from watchbot.patience import NoAnswerInTime, waiting
from watchbot.settings.base import AwsEndpoint
from watchbot.world import REAL

CONNECT_TIMEOUT_S = 5
ANSWER_TIMEOUT_S = 10  # how long an answer may take, on top of a long poll's wait

OPEN_TRIES = 3  # tries to get credentials from an agent, a process or a service

RETRY_CAP_S = 20  # the longest pause between two tries

# boto computes the names of FIPS and dual-stack servers, and refuses both with a given endpoint.
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
_REJECTED = (boto.ParamValidationError,)
_NAMES = {  # of services that have more than capitals
    "cloudformation": "CloudFormation",
    "cloudwatch": "CloudWatch",
    "dynamodb": "DynamoDB",
    "logs": "CloudWatch Logs",
}


class Client:
    """A client of one service. Counts every call, and raises every fault as an `AwsError`."""

    def __init__(self, service: str, raw: Any, profile: str | None = None) -> None:
        self.service = service
        self._raw, self._profile = raw, profile
        address = getattr(getattr(raw, "meta", None), "endpoint_url", "")
        self.server = urlsplit(address).netloc.rpartition("@")[2]
        self._called = f"{_shown(service)} ({self.server})" if self.server else _shown(service)

    async def call(self, operation: str, **parameters: Any) -> Any:
        """Makes one call and returns boto's answer."""
        began = time.perf_counter()
        result = "error"
        try:
            answer = await waiting().answer(
                f"{operation} of {self._called}",
                lambda: getattr(self._raw, operation)(**parameters),
                held_s=parameters.get("WaitTimeSeconds", 0),
            )
            result = "ok"
        except Exception as fault:  # botocore raises any class for an answer that it cannot read
            error = _translated(self.service, operation, fault, self._profile)
            result = type(error).__name__
            raise error from fault
        else:
            return answer
        finally:
            metrics.aws_request(self.service, operation, result, time.perf_counter() - began)


def is_denial(code: str) -> bool:
    """Whether this error code means that the caller lacks a permission."""
    return code in _DENIED


def retry_pause(
    failures: int, cap_s: float = RETRY_CAP_S, chance: random.Random = REAL.chance
) -> float:
    """Seconds to wait after `failures` in a row: full jitter, with a limit that doubles from 0.2 s.

    Full jitter spreads the retries of a fleet that failed at one moment.
    """
    return chance.uniform(0, min(cap_s, 0.2 * 2 ** min(failures, 16)))


@asynccontextmanager
async def open_client(
    service: str,
    aws: AwsEndpoint,
    *,
    attempts: int = 3,
    wait_s: float = 0,
    connections: int = 10,
) -> AsyncIterator[Client]:
    """Opens a client of `service`, and closes it on leaving.

    `attempts` is how often boto itself tries a call. `wait_s` is the wait of a long poll. Raises
    `NotConfigured` when there is no region.
    """
    config = AioConfig(
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=wait_s + ANSWER_TIMEOUT_S,
        max_pool_connections=connections,
        retries={"mode": "standard", "total_max_attempts": attempts},
        user_agent=f"watchbot/{__version__}",  # boto would compute its own for each call
        parameter_validation=False,  # half the cost of a call; our parameters are typed
        **_OWN_SERVER if aws.endpoint_url else {},
    )
    async with AsyncExitStack() as house:
        yield await _opened(house, service, aws, config)


async def _opened(
    house: AsyncExitStack, service: str, aws: AwsEndpoint, config: AioConfig
) -> Client:
    failures = 0
    while True:
        core = get_session()
        try:
            prepare(core)
            opening = aioboto3.Session(botocore_session=core).client(
                service,
                region_name=aws.region or aws.default_region,
                endpoint_url=aws.endpoint_url,
                config=config,
            )
            raw = await house.enter_async_context(opening)
            watch_answers(raw.meta.events)
            return Client(service, raw, core.profile)
        except Exception as fault:  # a credential process or agent may raise any class
            failures += 1
            error = _translated(service, "client", fault, core.profile, opening=True)
            if not error.transient or failures == OPEN_TRIES:
                raise error from fault
            await anyio.sleep(retry_pause(failures))


def _translated(
    service: str, operation: str, fault: Exception, profile: str | None, *, opening: bool = False
) -> AwsError:
    facts = {"service": _shown(service), "operation": operation}
    found = judged(fault, profile, opening=opening)
    if isinstance(fault, boto.ClientError):
        if found:  # the failed call is the one that fetches credentials, not ours
            facts["operation"] = _snake(fault.operation_name)
        kind, hint = found or (_refused(fault), "")
        return _answered(fault, kind, hint=hint, **facts)
    kind, hint = found or (_kind(fault), "")
    text = _one_line(str(fault)) or "no answer"
    return kind(**facts, code=type(fault).__name__, text=text, hint=hint)


def _shown(service: str) -> str:
    return _NAMES.get(service, service.upper())


def _answered(fault: boto.ClientError, kind: type[AwsError], **facts: str) -> AwsError:
    said = fault.response.get("Error", {})
    text = _one_line(said.get("Message") or "no reason given")
    error = kind(code=said.get("Code") or "Unknown", text=text, **facts)
    if isinstance(error, Rejected):
        reasons = fault.response.get("CancellationReasons", ())
        error.reasons = tuple(reason.get("Code", "None") for reason in reasons)
    return error


def _kind(fault: Exception) -> type[AwsError]:
    if isinstance(fault, ValueError):
        return NotConfigured
    if isinstance(fault, NoAnswerInTime):
        return GaveUp
    return Rejected if isinstance(fault, _REJECTED) else Unreachable


def _snake(operation: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", operation).lower()


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
