"""Checks whether a queue's policy allows a topic to send."""

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

_SNS = {"*", "sns.amazonaws.com"}
_ACTION = "sqs:sendmessage"  # IAM ignores the case of an action


def lets_send(policy: str | None, topic_arn: str, queue_arn: str) -> bool:
    """Whether a statement of the policy allows the topic to send, and none denies it.

    Evaluates conditions on the source's ARN and account. Assumes that any other condition holds in
    an Allow and not in a Deny, because most of these are about the way, as a Deny without TLS.
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
