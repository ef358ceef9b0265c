"""Types of values that only `watchbot template` takes: names and ARNs of AWS, capacity, mounts."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from watchbot.settings.queues import MOST_WEIGHT
from watchbot.settings.values import Intrinsic, Texts, is_intrinsic, literal, one_of, text

_QUEUE = re.compile(r"[A-Za-z][A-Za-z0-9]{0,19}", re.ASCII)
_TAKEN = "deadletter"  # NAMEDeadLetterQueue is the name of a dead-letter queue


def _capacity(value: object) -> object:
    if isinstance(value, str):
        value = dict(part.partition("=")[::2] for part in value.split(","))
    if not isinstance(value, dict) or not value:
        raise ValueError(f"must be EC2, FARGATE, FARGATE_SPOT or NAME=WEIGHT,..., not {value!r}")
    return {str(name).strip(): _weight(str(name), weight) for name, weight in value.items()}


def _weight(name: str, weight: object) -> int:
    words = str(weight or 1)
    if not name.strip() or not words.isdigit() or not 1 <= int(words) <= 1000:
        raise ValueError(f"must give each provider a weight of 1 to 1000, not {name}={weight}")
    return int(words)


def _command(value: object) -> object:
    return (value,) if isinstance(value, str) and not value.lstrip().startswith("[") else value


def _not_empty(value: tuple[Any, ...] | Intrinsic) -> tuple[Any, ...] | Intrinsic:
    if not value or (not is_intrinsic(value) and not all(value)):
        raise ValueError("is empty; name the command to run")
    return value


def _mounts(value: object) -> tuple[str, ...]:
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list | tuple):
        raise ValueError(f"must be paths, not {value!r}")
    named = (part.strip() for each in given for part in str(each).split(","))
    mounts = tuple(dict.fromkeys(mount for mount in named if mount))
    for mount in mounts:
        if not _is_mount(mount):
            raise ValueError(f"must be /PATH, or /HOST/PATH:/PATH, not {mount!r}")
    return mounts


def _is_mount(mount: str) -> bool:
    paths = mount.split(":")
    return len(paths) <= 2 and all(path.startswith("/") and len(path) > 1 for path in paths)


def _queues(value: object) -> dict[str, int]:
    pairs = _weights(value)
    found: dict[str, int] = {}
    for name, weight in pairs:
        if not _QUEUE.fullmatch(name) or name.lower().endswith(_TAKEN):
            raise ValueError(
                f"must have names of 1 to 20 letters and digits, that begin with a letter and do "
                f"not end in {_TAKEN}, not {name!r}"
            )
        if name.lower() in map(str.lower, found):
            raise ValueError(f"has {name} twice; give it once, with the sum of the weights")
        words = str(weight).strip()
        if not words.isascii() or not words.isdigit() or not 1 <= int(words) <= MOST_WEIGHT:
            raise ValueError(
                f"must give each queue a weight of 1 to {MOST_WEIGHT}, not {name}={weight}"
            )
        found[name] = int(words)
    return found


def _weights(value: object) -> list[tuple[str, object]]:
    """Names and weights in `{"high": 3}`, `("high=3", "low")` or the text `high=3,low`."""
    if isinstance(value, dict):
        return [(str(name), weight) for name, weight in value.items()]
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list | tuple):
        raise ValueError(f"must be names with weights, like high=3, not {value!r}")
    words = [part.strip() for each in given for part in str(each).split(",")]
    parts = [word.partition("=") for word in words if word]
    return [(name, weight if equals else 1) for name, equals, weight in parts]


ServiceName = Annotated[
    str, literal(r"[A-Za-z][A-Za-z0-9_-]{0,63}", "a letter, then letters, digits, - and _")
]
Prefix = Annotated[str, literal(r"[A-Za-z0-9]{1,64}", "letters and digits alone")]
Topic = Annotated[
    str | Intrinsic,
    text(r"arn:[\w-]+:sns:[\w-]+:\d{12}:[\w-]+", "the ARN of a topic that is not FIFO"),
]
Email = Annotated[str | Intrinsic, text(r"[^@\s]+@[^@\s]+", "an email address")]
RolePolicy = Annotated[
    str | Intrinsic, text(r"arn:[\w-]+:iam::(\d{12}|aws):policy/.+", "the ARN of a policy of IAM")
]
Key = Annotated[
    str | Intrinsic, text(r"arn:[\w-]+:kms:[\w-]+:\d{12}:key/.+", "the ARN of a key of KMS")
]
Namespace = Annotated[
    str | Intrinsic, text(r"ns-\w+", "the id of a namespace of Cloud Map, like ns-abc123")
]
Cluster = Annotated[
    str | Intrinsic,
    text(r"arn:[\w-]+:ecs:[\w-]+:\d{12}:cluster/[\w-]+|[\w-]{1,255}", "a name or an ARN"),
]
Family = Annotated[str | Intrinsic, text(r"[\w-]{1,255}", "letters, digits, - and _")]
# Users often give the URL itself, with its password.
Secret = Annotated[
    str | Intrinsic,
    text(
        r"arn:[\w-]+:(secretsmanager|ssm):.+|/?[\w.-]+(/[\w.-]+)*",
        "the ARN of a secret, or a name in Parameter Store",
        secret=True,
    ),
]
Bucket = Annotated[
    str | Intrinsic,
    text(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "the name of a bucket, without s3://"),
]
ObjectKey = Annotated[
    str | Intrinsic,
    text(r"(?!s3://|/).{1,1024}", "what stands after the bucket, as lambda/watchbot.zip"),
]
YesOrNo = Annotated[str | Intrinsic, one_of("ENABLED", "DISABLED")]
Capacity = Annotated[dict[str, int], BeforeValidator(_capacity)]
Queues = Annotated[dict[str, Any], BeforeValidator(_queues)]
Command = Annotated[Texts, BeforeValidator(_command), AfterValidator(_not_empty)]
Mounts = Annotated[tuple[str, ...], BeforeValidator(_mounts)]
