"""Makes terraform/modules: the templates, variables and outputs of the modules around a stack.

The templates are those of cloudformation/, with places for what a parameter of a stack cannot hold:
variables and secrets of the workers, and their permissions.
"""

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from generate.stacks import description, limits_of, parameter, parameters, stack_of
from watchbot.settings.template import TemplateSettings

MODULES = {  # the stacks that a module can make; the first is the default
    "service": (
        *("fargate", "fargate-fifo", "fargate-queues", "fargate-spot", "fargate-warm"),
        *("fargate-lambda", "ec2"),
    ),
    "record": ("record",),
    "schedule": ("schedule",),
}
_FOLDER = "terraform/modules"
_START = "# Made by `make docs`.\n"

_MARK = "@@"  # names what Terraform puts in
_SECRET = "arn:aws:secretsmanager:::secret:@@"  # noqa: S105 - a mark, too
_NAME = "name-of-the-module"
_MARKS: dict[str, Any] = {
    "service": _NAME,
    "env": {_MARK: _MARK},
    "secrets": {_MARK: _SECRET},
    "permissions": [{_MARK: _MARK}],
}
_PLACES = {  # what stands in the template, and what Terraform writes there
    '{"Name":"@@","Value":"@@"}': "{Name = name, Value = env[name]} : name in sort(keys(env))",
    f'{{"Name":"@@","ValueFrom":"{_SECRET}"}}': (
        "{Name = name, ValueFrom = secrets[name]} : name in sort(keys(secrets))"
    ),
    f'{{"Effect":"Allow","Action":["secretsmanager:GetSecretValue"],"Resource":"{_SECRET}"}}': (
        '{Effect = "Allow", Action = reads[name].action, Resource = reads[name].arn} : '
        "name in sort(keys(secrets))"
    ),
    '{"PolicyName":"permissions",'
    '"PolicyDocument":{"Version":"2012-10-17","Statement":[{"@@":"@@"}]}}': (
        '{PolicyName = "permissions", PolicyDocument = {Version = "2012-10-17", '
        "Statement = permissions}} : name in slice([0], 0, length(permissions) == 0 ? 0 : 1)"
    ),
}


_COMMON = Path(__file__).parents[1] / _FOLDER / "stack/common.tf"


def _template(name: str) -> Callable[[], str]:
    return lambda: templated(stack_of(name, **_MARKS))


def templated(stack: dict[str, Any]) -> str:
    """The stack as a template of Terraform, with each mark replaced by an expression."""
    text = json.dumps(stack, separators=(",", ":"), indent=None)
    text = text.replace("${", "$${").replace("%{", "%%{")
    for mark, words in _PLACES.items():
        item, _, loop = words.partition(" : ")
        variable, _, values = loop.partition(" in ")
        before, comma, after = _around(text, mark)
        separated = f'",${{jsonencode({item})}}"' if comma else f"jsonencode({item})"
        joined = f'join("{"" if comma else ","}", [for {variable} in {values} : {separated}])'
        text = f"{before}${{{joined}}}{after}"
    return text.replace(_NAME, "${name}") + "\n"


def _around(text: str, mark: str) -> tuple[str, bool, str]:
    before, found, after = text.partition(mark)
    if not found or mark in after:
        raise ValueError(f"the template has {mark} not once")
    return before.removesuffix(","), before.endswith(","), after


def _variables(module: str) -> Callable[[], str]:
    def text() -> str:
        choice = _variant(module) if len(MODULES[module]) > 1 else ""
        return _START + choice + "".join(_variable(module, each) for each in options_of(module))

    return text


def _variant(module: str) -> str:
    names = ", ".join(MODULES[module])
    return f"""
variable "variant" {{
  description = "The kind of stack: {names}."
  type        = string
  default     = "{MODULES[module][0]}"
  validation {{
    condition     = contains({json.dumps(MODULES[module])}, var.variant)
    error_message = "variant must be one of {names}."
  }}
}}
"""


def options_of(module: str) -> list[str]:
    """The options that are variables of the module, in the order of the stacks' parameters."""
    return list(dict.fromkeys(option for name in MODULES[module] for option in parameters(name)))


def _variable(module: str, option: str) -> str:
    needed = all(option in parameters(name) for name in MODULES[module])
    default = TemplateSettings.model_fields[option].default
    required = needed and default in (None, ())
    lines = [
        f"  description = {_text(description(option))}",
        f"  type        = {_type(module, option)}",
        *([] if required else ["  default     = null"]),
        *_validation(option, optional=not required),
    ]
    return "\n".join(["", f'variable "{option}" {{', *lines, "}", ""])


def _type(module: str, option: str) -> str:
    (kind,) = {parameters(name)[option] for name in MODULES[module] if option in parameters(name)}
    if kind in {"Number", "String"}:
        return kind.lower()
    return "list(string)"


def _validation(option: str, *, optional: bool) -> Iterable[str]:
    limits = limits_of(option)
    mine = f"var.{option}"
    if limits.least is not None:
        fits = f"{mine} >= {limits.least} && {mine} <= {limits.most} && floor({mine}) == {mine}"
        says = f"{option} must be a whole number of {limits.least} to {limits.most}."
    elif limits.allowed:
        words = ", ".join(map(_text, limits.allowed))
        fits = f"contains([{words}], {mine})"
        says = f"{option} must be one of {', '.join(map(str, limits.allowed))}."
    else:
        return
    condition = f"{mine} == null ? true : {fits}" if optional else fits
    yield "  validation {"
    yield f"    condition     = {condition}"
    yield f"    error_message = {_text(says)}"
    yield "  }"


def _text(value: str | int) -> str:
    return json.dumps(value, ensure_ascii=False).replace("${", "$${").replace("%{", "%%{")


def _values(module: str) -> Callable[[], str]:
    def text() -> str:
        names = [parameter(option) for option in options_of(module)]
        width = max(map(len, names))
        rows = [
            f"    {parameter(option).ljust(width)} = {_value(module, option)}"
            for option in options_of(module)
        ]
        return "\n".join([_START + "locals {", "  values = {", *rows, "  }", "}", ""])

    return text


def _value(module: str, option: str) -> str:
    if _type(module, option) == "list(string)":
        return f'var.{option} == null ? null : join(",", var.{option})'
    return f"var.{option} == null ? null : tostring(var.{option})"


def _outputs(module: str) -> Callable[[], str]:
    def text() -> str:
        found = {
            output: about["Description"]
            for name in MODULES[module]
            for output, about in stack_of(name)["Outputs"].items()
        }
        return _START + "".join(_output(*each) for each in found.items())

    return text


def _output(output: str, about: str) -> str:
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", output.removeprefix("Watchbot")).lower()
    return f"""
output "{name}" {{
  description = {_text(about)}
  value       = try(module.stack.outputs["{output}"], null)
}}
"""


def _pattern() -> str:
    rule = stack_of("record")["Resources"]["WatchbotEventsRule"]["Properties"]
    return json.dumps(rule["EventPattern"], indent=2) + "\n"


TERRAFORM: dict[str, Callable[[], str]] = {
    f"{_FOLDER}/events-queue/pattern.json": _pattern,
    **{
        f"{_FOLDER}/{module}/templates/{name}.json.tftpl": _template(name)
        for module, names in MODULES.items()
        for name in names
    },
    **{f"{_FOLDER}/{module}/common.tf": _COMMON.read_text for module in MODULES},
    **{f"{_FOLDER}/{module}/variables.tf": _variables(module) for module in MODULES},
    **{f"{_FOLDER}/{module}/values.tf": _values(module) for module in MODULES},
    **{f"{_FOLDER}/{module}/outputs.tf": _outputs(module) for module in MODULES},
}
