"""Makes the pages of the template and its permissions, from options and stacks made with them."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, get_args

from pydantic.fields import FieldInfo

import watchbot
from watchbot.settings.base import Settings
from watchbot.settings.template import TemplateSettings
from watchbot.settings.values import Intrinsic
from watchbot.template.document import Template
from watchbot.template.permissions import WILDCARDS
from watchbot.template.rules import KINDS_OF

_START = """\
# The template

Options and results of `watchbot template` and `watchbot.template(options)`. [Deploy
it](../how-to/deploy.md) shows its use, and [how it scales](../explanation/scaling.md) explains its
autoscaling. On the command line, `some_name` is `--some-name`.

This page is made by `make docs`.

## Options

Where `{"Ref": …}` may stand, so may any other function of CloudFormation.

| option | value | default | `{"Ref": …}` | for | what it does |
|---|---|---|---|---|---|
"""
_BASE = {"service": "SERVICE", "image": {"Ref": "Image"}, "subnets": {"Ref": "Subnets"}}
_LISTEN = {**_BASE, "command": "CMD"}
_RECORD = {**_BASE, "kind": "record", "database": {"Ref": "Database"}}
_SCHEDULE = {
    **_RECORD,
    "kind": "schedule",
    "token": {"Ref": "Token"},
    "task_definitions": "FAMILY",
    "task_roles": {"Ref": "TaskRoles"},
    "destinations": {"Ref": "Destinations"},
    "trigger_queues": {"Ref": "TriggerQueues"},
}
_STACKS: dict[str, dict[str, Any]] = {
    "": _LISTEN,
    "`fifo`, `fifo_topic`": {**_LISTEN, "fifo": True, "fifo_topic": True},
    "`queues: {high: 3, low: 1}`": {**_LISTEN, "queues": {"high": 3, "low": 1}},
    "`notification_email`": {**_LISTEN, "notification_email": "ops@example.com"},
    "`reduce`": {**_LISTEN, "reduce": True},
    "`checkpoints`": {**_LISTEN, "checkpoints": True},
    "`service_discovery`": {**_LISTEN, "service_discovery": "ns-abc123"},
    "`user`": {**_LISTEN, "user": True},
    "`webhook`": {**_LISTEN, "webhook": True},
    "`webhook_key`": {**_LISTEN, "webhook": True, "webhook_key": True},
    "`kind: record`": {**_RECORD, "reconcile": "all"},
    "`kind: schedule`": _SCHEDULE,
    "`database_table`": {**_SCHEDULE, "database": None, "database_table": True},
    "`function_bucket`": {
        **_SCHEDULE,
        "function_bucket": {"Ref": "FunctionBucket"},
        "function_key": {"Ref": "FunctionKey"},
    },
}


def template_page() -> str:
    """The text of the page."""
    made = {when: watchbot.template(options) for when, options in _STACKS.items()}
    return "".join(
        [
            _START,
            *_options(),
            "\n## Resources\n\nTheir names begin with the `prefix`, `Watchbot`. A FIFO queue has a "
            "topic with `fifo_topic` alone.\n`kind: record` has no topic, no metric filters and no "
            "scaling; `kind: schedule` has no queue either.\n\n",
            "| resource | type | with |\n|---|---|---|\n",
            *_resources(made),
            "\n## Outputs\n\nEach is exported as `STACK-NAME`. `.ref` is its name in Python; "
            "`queue_name` and `secret_access_key`\nare in `.ref` alone.\n\n",
            "| output | `.ref` | with | what it is |\n|---|---|---|---|\n",
            *_outputs(made),
            "\n## Permissions\n\nThey have [a page of their own](permissions.md).\n",
        ]
    )


def permissions_page() -> str:
    """The text of the page of all permissions in stacks."""
    start = """\
# Permissions of a stack

All that the roles and the user of a stack may do, and why, where a `*` stands.
`permissions` and `secrets` add to it, and `kms_key` the use of that key.

| who | may | on | why `*` |
|---|---|---|---|
"""
    made = {when: watchbot.template(options) for when, options in _STACKS.items()}
    return start + "".join(_permissions(made))


def _options() -> Iterator[str]:
    for name, field in TemplateSettings.model_fields.items():
        if name in Settings.model_fields:
            continue
        extra: Any = field.json_schema_extra
        value = "" if field.annotation is bool else f"`{extra['metavar']}`"
        later = "yes" if _may_come_later(field) else ""
        only = ", ".join(KINDS_OF.get(name, ()))
        yield _row(f"`{name}`", value, _default(field), later, only, field.description or "")


def _may_come_later(field: FieldInfo) -> bool:
    waiting: list[Any] = [field.annotation, *field.metadata]
    while waiting:
        kind = waiting.pop()
        if kind == Intrinsic and field.annotation != Intrinsic:
            return True
        waiting += get_args(kind)
    return False


def _default(field: FieldInfo) -> str:
    if field.default is True or field.default is False:
        return "on" if field.default else "off"
    if field.is_required() or field.default in (None, (), {}):
        return ""
    default = field.default
    return f"`{','.join(default) if isinstance(default, tuple) else default}`"


def _resources(made: dict[str, Template]) -> Iterator[str]:
    told: set[str] = set()
    for when, template in made.items():
        for name, resource in template["Resources"].items():
            if _bare(name) not in told:
                told.add(_bare(name))
                yield _row(f"`{_bare(name)}`", f"`{resource['Type']}`", when)


def _outputs(made: dict[str, Template]) -> Iterator[str]:
    told: set[str] = set()
    for when, template in made.items():
        for name, output in template["Outputs"].items():
            if name not in told:
                told.add(name)
                refs = (ref for ref, value in template.ref.items() if value == output["Value"])
                yield _row(f"`{_bare(name)}`", _code(list(refs)[:1]), when, output["Description"])


def _permissions(made: dict[str, Template]) -> Iterator[str]:
    told: set[str] = set()
    for when, template in made.items():
        for name, resource in template["Resources"].items():
            for policy in resource.get("Properties", {}).get("Policies", ()):
                for statement in policy["PolicyDocument"]["Statement"]:
                    who = f"`{_bare(name)}`" + (f" ({when})" if when else "")
                    said = _statement(statement)
                    if said not in told:
                        told.add(said)
                        yield f"| {who} {said}"


def _statement(statement: dict[str, Any]) -> str:
    actions = statement["Action"]
    resources = statement["Resource"]
    named = [_said(each) for each in (resources if isinstance(resources, list) else [resources])]
    wide = any("*" in each for each in named)
    reasons = dict.fromkeys(WILDCARDS[action] for action in actions) if wide else ()
    return _row(_code(actions), _code(named), "; ".join(reasons))


def _said(value: Any) -> str:
    """A short form of a CloudFormation value: the name of `Ref` and `GetAtt`, the text of `Sub`."""
    if isinstance(value, str):
        return value
    ((function, argument),) = value.items()
    if function == "Fn::Sub" and not isinstance(argument, str):
        argument = argument[0]
    if function == "Fn::GetAtt":
        argument = argument[0]
    return _bare(argument) if isinstance(argument, str) else json.dumps(value)


def _bare(name: str) -> str:
    """The resource's name without the prefix and without a deployment's hash."""
    return re.sub(r"(?<=Deployment)[0-9a-f]{8}$", "…", name.removeprefix("Watchbot"))


def _code(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |\n"
