"""Turns properties as CDK has them into options of the template, and back.

A token of CDK is known only when the app is synthesised. The template takes a reference in its
place, and `Tokens.put_back` exchanges that for the token.
"""

from collections.abc import Mapping
from typing import Any

from aws_cdk import Duration, Token
from aws_cdk.aws_iam import PolicyStatement

from watchbot.cdk.names import OLD_NAMES
from watchbot.errors import SettingError
from watchbot.template.names import snake

# What a construct of CDK is known by, for the options that take one.
_KNOWN_BY = (
    *("image_uri", "cluster_arn", "subnet_id", "security_group_id", "topic_arn", "queue_arn"),
    *("key_arn", "role_arn", "managed_policy_arn", "namespace_id", "bucket_name", "secret_arn"),
    *("task_definition_arn", "arn"),
)
_YES_OR_NO = {True: "ENABLED", False: "DISABLED"}


def options_of(props: Mapping[str, Any]) -> dict[str, Any]:
    """The options of the template. Raises `SettingError` for a value that is none."""
    options: dict[str, Any] = {}
    for given, value in props.items():
        name = OLD_NAMES.get(snake(given), snake(given))
        if name in options:
            raise SettingError(given, f"is also given as {name}; leave out one of them")
        if value is not None:
            options[name] = _plain(given, value)
    if isinstance(options.get("public_ip"), bool):
        options["public_ip"] = _YES_OR_NO[options["public_ip"]]
    return options


def _plain(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(name, each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(name, each) for each in value]
    if isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Duration):
        return int(value.to_seconds())
    if isinstance(value, PolicyStatement):
        return value.to_statement_json()
    for attribute in _KNOWN_BY:
        if isinstance(known := getattr(value, attribute, None), str):
            return known
    raise SettingError(
        name, f"takes texts, numbers, lists and constructs that have an ARN, not {type(value)}"
    )


class Tokens:
    """The tokens that were taken out of the options, by the references that stand for them."""

    def __init__(self) -> None:
        self._taken: dict[str, Any] = {}

    def take_out(self, value: Any) -> Any:
        """The value with a reference for each token."""
        if isinstance(value, dict):
            return {name: self.take_out(each) for name, each in value.items()}
        if Token.is_unresolved(value):
            name = f"TokenOfCdk{len(self._taken)}"
            self._taken[name] = value
            return {"Ref": name}
        if isinstance(value, list):
            return [self.take_out(each) for each in value]
        return value

    def put_back(self, value: Any) -> Any:
        """The value with the tokens in the places of their references."""
        if isinstance(value, Mapping):
            if len(value) == 1 and value.get("Ref") in self._taken:
                return self._taken[value["Ref"]]
            return {name: self.put_back(each) for name, each in value.items()}
        if isinstance(value, list):
            return [self.put_back(each) for each in value]
        return value
