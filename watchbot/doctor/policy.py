"""Whether a queue's policy lets a topic send to it."""

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

_SNS = {"*", "sns.amazonaws.com"}
_ACTION = "sqs:sendmessage"  # IAM does not heed the case of an action


def lets_send(policy: str | None, topic_arn: str, queue_arn: str) -> bool:
    """Whether some statement allows it and none forbids it.

    Of conditions, those on the source's ARN and account are understood. A statement with another
    one is taken to allow, and not to forbid: it is mostly about how, as over TLS alone.
    """
    statements = _list(json.loads(policy or "{}").get("Statement"))
    relevant = [entry for entry in statements if _concerns(entry, queue_arn)]
    allowed = any(
        entry.get("Effect") == "Allow" and _source_fits(entry, topic_arn) for entry in relevant
    )
    forbidden = any(
        entry.get("Effect") == "Deny" and not entry.get("Condition") for entry in relevant
    )
    return allowed and not forbidden


def _concerns(statement: Mapping[str, Any], queue_arn: str) -> bool:
    principal = statement.get("Principal")
    named = [
        name
        for part in (principal.values() if isinstance(principal, dict) else [principal])
        for name in _list(part)
    ]
    return (
        any(name in _SNS for name in named)
        and any(fnmatchcase(_ACTION, item.lower()) for item in _list(statement.get("Action")))
        and any(fnmatchcase(queue_arn, item) for item in _list(statement.get("Resource", "*")))
    )


def _source_fits(statement: Mapping[str, Any], topic_arn: str) -> bool:
    account = topic_arn.split(":")[4]
    facts = {"aws:sourcearn": topic_arn, "aws:sourceaccount": account, "aws:sourceowner": account}
    return all(
        any(fnmatchcase(facts[key], pattern) for pattern in patterns)
        for key, patterns in _conditions(statement)
        if key in facts
    )


def _conditions(statement: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    for operator, keys in (statement.get("Condition") or {}).items():
        if not operator.startswith(("ArnNot", "StringNot")):
            for key, patterns in keys.items():
                yield key.lower(), _list(patterns)


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
