"""Sets the variables of a Lambda runtime."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from watchbot.listen.functions.event import EventSource, partition
from watchbot.sqs.message import Message

_RUNTIME_DIR = Path("/var/runtime")  # of Lambda's base images
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """The facts that a function gets about itself: name, handler, queue, memory in MB.

    `source` is the first queue, `sources` are all, by their URLs. `structured`: its log is to be
    lines of JSON.
    """

    name: str
    handler: str | None
    source: EventSource
    memory_mb: int
    structured: bool = False
    sources: Mapping[str, EventSource] = field(default_factory=dict)

    def source_of(self, message: Message) -> EventSource:
        """The queue of a message."""
        return self.sources.get(message.origin.url, self.source)

    @property
    def arn(self) -> str:
        """The ARN that it would have in Lambda."""
        region, account = self.source.region, self.source.account
        return f"arn:{partition(region)}:lambda:{region}:{account}:function:{self.name}"


def of_function(
    base: Mapping[bytes, bytes], function: Function, *, api: str, worker: int
) -> dict[str, str]:
    """The variables that Lambda sets, except those that `base` has already, as from an image.

    `api` is the address of this process's own Runtime API.
    """
    name = function.name
    fixed = {"AWS_LAMBDA_RUNTIME_API": api, "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand"}
    if function.handler is not None:
        fixed["_HANDLER"] = function.handler
    if not base.get(b"AWS_EXECUTION_ENV", b"").startswith(b"AWS_Lambda_"):
        fixed["AWS_EXECUTION_ENV"] = "AWS_Lambda_watchbot"  # ECS has set its own
    own_format = "JSON" if function.structured else "Text"
    log_format = base.get(b"AWS_LAMBDA_LOG_FORMAT", own_format.encode())
    usual = {
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": f"worker-{worker}",
        "AWS_LAMBDA_LOG_FORMAT": own_format,
        "AWS_LAMBDA_LOG_LEVEL": "INFO" if log_format == b"JSON" else "",  # text has none in Lambda
        "AWS_REGION": function.source.region,
        "AWS_DEFAULT_REGION": function.source.region,
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "LAMBDA_TASK_ROOT": os.getcwd(),
        "LAMBDA_RUNTIME_DIR": str(_RUNTIME_DIR if _RUNTIME_DIR.is_dir() else os.getcwd()),
        "TZ": ":UTC",
    }
    given = {name: value for name, value in usual.items() if value and name.encode() not in base}
    return {**given, **fixed}


def concurrent(base: Mapping[bytes, bytes]) -> bool:
    """Whether a runtime may ask for work from several processes or threads of its own."""
    return base.get(b"AWS_LAMBDA_MAX_CONCURRENCY", b"1").strip() not in (b"", b"0", b"1")


def memory_mb() -> int:
    """The memory of this container in MB, else of this machine."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in _LIMITS:
        try:
            text = Path(path).read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            return min(int(text), machine) // 1024**2
    return machine // 1024**2
